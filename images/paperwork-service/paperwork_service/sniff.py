"""Says what an uploaded file is by its bytes, never by its name, and refuses what would explode.

Pure: bytes in, kind out. A zip container is judged by its directory alone, before anything in it
is unpacked; a directory that lies about sizes is caught later by the child's own limits.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Literal

from paperwork_service.limits import Limits

Kind = Literal["pdf", "docx", "xlsx", "image"]

_EOCD = b"PK\x05\x06"
_EOCD_BYTES = 22
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TAKEN = "PDF, docx, xlsx or a picture (PNG, JPEG, TIFF, WebP, BMP, GIF)"
_SAVE_AS = "Save it as PDF and upload that."
_IMAGES = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF87a", b"GIF89a"),
    b"BM",
)
_OTHER_ZIPS = {
    "ppt/presentation.xml": "a PowerPoint presentation",
    "Contents/content.hpf": "a Hangul (hwpx) document",
    "content.xml": "an OpenDocument file",
}


class DocumentError(Exception):
    """This document can not be taken. `code` is stable; `status` is the HTTP status it becomes."""

    def __init__(self, code: str, detail: str, remedy: str, *, status: int = 422):
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.status = status


def sniff(data: bytes, limits: Limits) -> Kind:
    """The kind of a document that may be opened. Raises DocumentError with the cause named."""
    if not data:
        raise DocumentError("document_empty", "The file is empty.", f"Upload {_TAKEN}.")
    if len(data) > limits.file_bytes:
        raise DocumentError(
            "document_too_large",
            f"The file has {len(data)} bytes; at most {limits.file_bytes} are taken.",
            "Split the document, or lower the resolution of its pictures.",
            status=413,
        )
    if data.startswith(b"PK"):
        return _sniff_zip(data, limits)
    if data.startswith(_OLE):
        raise _sniff_ole(data)
    if data.startswith(_IMAGES) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        return "image"
    # Last, for a PDF may begin with something else: what another kind begins with is that kind.
    if b"%PDF-" in data[:1024]:
        return "pdf"
    raise DocumentError("document_unsupported", f"The file is not {_TAKEN}.", _SAVE_AS, status=415)


def _sniff_zip(data: bytes, limits: Limits) -> Kind:
    _check_directory(data, limits)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            entries = container.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as error:
        raise broken(f"the zip container can not be read ({error})") from None
    _check_sizes(entries, limits)
    names = {entry.filename for entry in entries}
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    other = next((what for name, what in _OTHER_ZIPS.items() if name in names), "a zip archive")
    raise DocumentError(
        "document_unsupported", f"The file is {other}, not a docx or xlsx.", _SAVE_AS, status=415
    )


def _check_directory(data: bytes, limits: Limits) -> None:
    """Bounds the directory by its own record: parsing a huge one would already be the attack."""
    start = data.rfind(_EOCD, max(0, len(data) - _EOCD_BYTES - 65_535))
    if start < 0 or start + _EOCD_BYTES > len(data):
        raise broken("the zip container has no end; it was cut short")
    (directory_bytes,) = struct.unpack_from("<I", data, start + 12)
    if directory_bytes > limits.zip_directory_bytes:
        raise _bomb(f"its directory has {directory_bytes} bytes")


def _check_sizes(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if any(entry.flag_bits & 1 for entry in entries):
        raise encrypted()
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise _bomb(f"it unpacks to {total} bytes, at most {limits.unpacked_bytes} are taken")
    # Small files compress well for honest reasons; the ratio matters once there is bulk.
    if total > 10_000_000 and total > packed * limits.unpacked_ratio:
        raise _bomb(f"{packed} bytes unpack to {total}")


def _sniff_ole(data: bytes) -> DocumentError:
    """Old Office files and encrypted new ones share a container; stream names are UTF-16."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return encrypted()
    hangul = "HwpSummaryInformation".encode("utf-16-le") in data
    what = "a Hangul (hwp) document" if hangul else "an old Office (doc, xls, ppt) document"
    return DocumentError("document_unsupported", f"The file is {what}.", _SAVE_AS, status=415)


def encrypted() -> DocumentError:
    """422: a password is needed."""
    return DocumentError(
        "document_encrypted",
        "The document is protected by a password.",
        "Remove the password and upload it again.",
    )


def broken(why: str) -> DocumentError:
    """422: the file is damaged; `why` completes "The document is broken: …"."""
    return DocumentError(
        "document_broken",
        f"The document is broken: {why}.",
        "Open it in the program that made it, save it anew, and upload that.",
    )


def too_costly(why: str) -> DocumentError:
    """422: reading it takes more than a document may cost."""
    return DocumentError(
        "document_too_costly",
        f"The document takes more memory or time to read than is allowed: {why}.",
        "Split the document, or print it to a new PDF and upload that.",
    )


def too_many_pages(count: int, most: int) -> DocumentError:
    """422: more pages than are read."""
    return DocumentError(
        "document_too_many_pages",
        f"The document has {count} pages; at most {most} are read.",
        "Split the document and upload the parts.",
    )


def _bomb(why: str) -> DocumentError:
    return DocumentError(
        "document_bomb",
        f"The file would unpack to far more than a document needs: {why}.",
        "If it is an honest document, save it as PDF and upload that.",
    )
