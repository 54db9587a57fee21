"""One answer of a service to "are you well?"; pure data, kept with the incident it explains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.model.text import Text


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe. `response_ms` is None where nothing answered; `port_open` None if unknown.

    `timed_out` with an open port is a hang: somebody took the connection and said nothing.
    """

    at: datetime
    ok: bool
    said: Text
    response_ms: float | None = None
    port_open: bool | None = None
    timed_out: bool = False
