"""The hub's own log: one JSON object a line, so that no message can forge another.

JSON escapes CR, LF and ESC; a log viewer or a terminal never sees them raw.
"""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter

_FIELDS = "{asctime}{levelname}{name}{message}"


def configure(level: str = "INFO") -> None:
    """Send every log record to standard error as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            _FIELDS,
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").setLevel("WARNING")
    # It warns of each connection that it does not keep for later, which is as it should be.
    logging.getLogger("urllib3.connectionpool").setLevel("ERROR")
