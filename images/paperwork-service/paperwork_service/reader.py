"""The child process that opens one document: `python -m paperwork_service.reader KIND PATH [ocr]`.

Documents come from strangers and parsers have bugs, so parsing happens in a process of its own
that may use only so much memory and processor time; the worst document costs a 422. It also keeps
the parsers' 50 MB out of the idle service. Prints one JSON object: a `Reading`, or a fault.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
from typing import Any

from paperwork_service.limits import LIMITS, Limits
from paperwork_service.reading import Reading
from paperwork_service.sniff import DocumentError, too_costly


def main(arguments: list[str]) -> int:
    """0 with a reading or a named fault on stdout; anything else is a crash for the parent."""
    kind, path, *operations = arguments
    confine(LIMITS)
    try:
        reading = read(kind, path, LIMITS, ocr="ocr" in operations)
        answer: dict[str, Any] = {"reading": dataclasses.asdict(reading)}
    except MemoryError:
        answer = fault_of(too_costly("its memory limit was reached"))
    except DocumentError as fault:
        answer = fault_of(fault)
    json.dump(answer, sys.stdout, ensure_ascii=True)
    return 0


def read(kind: str, path: str, limits: Limits, *, ocr: bool) -> Reading:
    """The reader of this kind, loaded only now. Raises DocumentError."""
    if kind in ("pdf", "image"):
        from paperwork_service.read_pdf import read_pdf, read_picture

        return (read_pdf if kind == "pdf" else read_picture)(path, limits, ocr=ocr)
    from paperwork_service.read_office import read_docx, read_xlsx

    return (read_docx if kind == "docx" else read_xlsx)(path, limits)


def fault_of(fault: DocumentError) -> dict[str, Any]:
    return {
        "fault": {name: getattr(fault, name) for name in ("code", "detail", "remedy", "status")}
    }


def confine(limits: Limits) -> None:
    """No way back for this process: soft and hard limits alike."""
    cpu, memory = limits.cpu_seconds, limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
