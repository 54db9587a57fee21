"""What a document may cost, in one place. Read by the service and by the child that opens it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, counts and seconds.

    `memory_bytes` is the child's whole address space, `table_seconds` the processor time after
    which no more tables are looked for. OCR begins no other page after `ocr_seconds` and gives up
    the one in hand after `ocr_last_seconds`. `pixels` bounds a picture as it comes, `page_pixels` a
    page as it is read.
    """

    file_bytes: int = 10_000_000
    stored_bytes: int = 1_000_000_000
    stored_documents: int = 1_000
    stored_seconds: float = 30 * 86_400
    pages: int = 50
    text_chars: int = 200_000
    table_cells: int = 20_000
    sheet_rows: int = 100_000
    zip_directory_bytes: int = 500_000
    unpacked_bytes: int = 60_000_000
    unpacked_ratio: int = 100
    table_seconds: float = 10.0
    pixels: int = 40_000_000
    pixel_bytes: int = 122_000_000
    draft_side: int = 3_600
    page_pixels: int = 9_000_000
    render_dpi: int = 300
    ocr_seconds: float = 25.0
    ocr_last_seconds: float = 45.0
    cpu_seconds: int = 30
    wall_seconds: float = 55.0
    memory_bytes: int = 256_000_000
    at_once: int = 1
    waiting: int = 8


LIMITS = Limits()
