"""Keeps what set-up downloaded between runs, one folder a thing, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def root(kind: str) -> Path:
    """Where downloads of a kind (`wheels`, `debs`) are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "heal7" / kind


def fill(folder: Path, download: Callable[[Path], None]) -> None:
    """Have `folder` filled by `download`, unless it is here.

    Half a download is never taken for a whole one: the folder appears under its name only when
    `download` has ended well.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=folder.parent))
    try:
        download(work)
        # Another run may have finished first; its folder is as good.
        if not folder.is_dir():
            work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
