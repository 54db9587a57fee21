"""The child process that writes one paper: `python -m paperwork_service.writer pdf|docx`.

Takes a paper as JSON on its standard input and gives one line of JSON, then the file. A process of
its own keeps the writers' memory out of the idle service and bounds what a huge paper may cost.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from paperwork_service.limits import LIMITS
from paperwork_service.paper import Paper, from_json
from paperwork_service.reader import confine, fault_of
from paperwork_service.sniff import DocumentError, too_costly


def main(arguments: list[str]) -> int:
    """0 with a file or a named fault on stdout; anything else is a crash for the parent."""
    confine(LIMITS)
    data = b""
    try:
        data, pages = write(from_json(json.load(sys.stdin)), arguments[0])
        answer: dict[str, Any] = {"pages": pages}
    except MemoryError:
        answer = fault_of(too_costly("its memory limit was reached"))
    except DocumentError as fault:
        answer = fault_of(fault)
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + data)
    return 0


def write(paper: Paper, form: str) -> tuple[bytes, int | None]:
    """The file and its number of pages, None where the format has none."""
    if form == "docx":
        from paperwork_service.write_docx import write_docx

        return write_docx(paper), None
    from paperwork_service.write_pdf import write_pdf

    return write_pdf(paper)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
