"""What a service reads from its environment, once, with a sentence for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """`data` is the SQLite file; `log_level` a level name of the logging module."""

    host: str
    port: int
    data: Path
    log_level: str


def from_env(env: Mapping[str, str], *, name: str, port: int) -> Settings:
    """HEAL7_HOST, HEAL7_PORT, HEAL7_DATA (a file, or a folder that exists), HEAL7_LOG_LEVEL.

    Raises ValueError naming the variable and what it should hold.
    """
    text = env.get("HEAL7_PORT") or str(port)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"HEAL7_PORT is {text!r}; set it to a port between 1 and 65535")
    level = (env.get("HEAL7_LOG_LEVEL") or "INFO").upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError(
            f"HEAL7_LOG_LEVEL is {level!r}; use DEBUG, INFO, WARNING, ERROR or CRITICAL"
        )
    data = Path(env.get("HEAL7_DATA") or "/data")
    if data.is_dir() or data.suffix == "":
        data = data / f"{name}.sqlite3"
    return Settings(
        host=env.get("HEAL7_HOST") or "0.0.0.0",  # noqa: S104 - a container's own network
        port=int(text),
        data=data,
        log_level=level,
    )
