"""Where this machine gets Debian packages from: its own apt sources say so, nothing here does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from controller.engine.images import Say
from controller.errors import SetupError
from controller.setup import system

SUITE = "trixie"
_SCHEMES = ("http://", "https://", "file:/", "ftp://")


def archive(indextargets: str, label: str = "Debian") -> str | None:
    """The host's archive of this label, from lines `SITE_URI<TAB>ORIGIN<TAB>LABEL` of apt.

    `Debian` is a full mirror, `Debian-Security` its security archive; a foreign repository is
    neither.
    """
    for line in indextargets.splitlines():
        uri, origin, found = ([*line.split("\t"), "", ""])[:3]
        if uri.startswith(_SCHEMES) and origin == "Debian" and found == label:
            return uri.rstrip("/")
    return None


def host_mirror(machine: system.Machine, say: Say) -> str:
    """The full mirror of the host's apt sources. Raises SetupError where there is none."""
    found = archive(index_targets())
    if found is None and machine.root:
        system.apt_update(say)
        found = archive(index_targets())
    if found is None:
        raise SetupError(
            "The host's apt sources name no Debian mirror.",
            remedy="Add one to /etc/apt/sources.list, run `apt-get update`, then `make up` again.",
        )
    return found


def index_targets() -> str:
    """Origin and label are known to apt only after an update; before it they are empty."""
    return subprocess.run(
        [  # noqa: S607 - apt is where the distribution puts it
            "apt-get",
            "indextargets",
            "--format",
            "$(SITE)\t$(ORIGIN)\t$(LABEL)",
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    ).stdout


def keyring() -> Path | None:
    """Debian's own keys, where the host has them in their usual place."""
    ring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    return ring if ring.is_file() else None
