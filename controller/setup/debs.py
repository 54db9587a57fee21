"""Downloads the Debian packages that an image asks for, on the host, before it is built.

The host's apt knows its mirror, its proxy and its private CA; a build container knows none of
them. An apt with lists of its own is told what the base image has, so it fetches what is missing
there and nothing else, and checks it all against Debian's signatures. The host's own packages are
neither asked nor touched, and no root is needed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from controller.engine.images import Say
from controller.errors import SetupError
from controller.setup import archives, cache, system

STATUS = "/var/lib/dpkg/status"
_TRIES = 3


def names(text: str) -> tuple[str, ...]:
    """The packages of a packages.txt: one a line, `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def sources(indextargets: str, keyring: Path | None) -> str | None:
    """apt's sources for the images' Debian: the host's mirror and, if it has one, the security
    archive. None where the host names no mirror of Debian."""
    mirror = archives.archive(indextargets)
    if mirror is None:
        return None
    signed = f"[signed-by={keyring}] " if keyring else ""
    lines = [f"deb {signed}{mirror} {archives.SUITE} main"]
    security = archives.archive(indextargets, "Debian-Security")
    if security is not None:
        lines.append(f"deb {signed}{security} {archives.SUITE}-security main")
    # `file:` packages would be used where they are; a build needs them copied.
    return "\n".join(lines).replace(" file:/", " copy:/") + "\n"


def fetch(packages: Path, status: bytes, machine: system.Machine, say: Say) -> dict[str, Path]:
    """The packages and what they need on top of `status` (the base image's dpkg status), as
    `file name → path`; downloaded unless they are here.

    Empty where the host names no mirror of Debian: the build then asks the image's own apt.
    Raises SetupError naming apt's complaint.
    """
    digest = hashlib.sha256(packages.read_bytes() + status + machine.machine.encode())
    folder = cache.root("debs") / digest.hexdigest()[:16]
    if not folder.is_dir():
        listed = _sources(machine, say)
        if listed is None:
            say("this machine names no Debian mirror; the build asks its own apt")
            return {}
        cache.fill(folder, lambda work: _download(packages, status, listed, machine, work, say))
    return {deb.name: deb for deb in sorted(folder.glob("*.deb"))}


def _sources(machine: system.Machine, say: Say) -> str | None:
    if not system.have("apt-get"):
        return None
    found = sources(archives.index_targets(), archives.keyring())
    if found is None and machine.debian and machine.root:
        system.apt_update(say)
        found = sources(archives.index_targets(), archives.keyring())
    return found


def _download(
    packages: Path, status: bytes, listed: str, machine: system.Machine, work: Path, say: Say
) -> None:
    apt = work / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").write_bytes(status)
    (apt / "sources.list").write_text(listed, "utf-8")
    options = _options(apt, machine.architecture)
    wanted = names(packages.read_text("utf-8"))
    doing = f"download {' '.join(wanted)} for {packages.parent.name}"
    _apt([*options, "update"], say, doing)
    install = ["install", "--yes", "--no-install-recommends", "--download-only", *wanted]
    _apt([*options, *install], say, doing)
    found = list((apt / "archives").glob("*.deb"))
    if not found:
        raise SetupError(f"{doing}: apt fetched nothing.")
    for deb in found:
        deb.rename(work / deb.name)
    shutil.rmtree(apt)


def _options(apt: Path, architecture: str) -> list[str]:
    """What keeps this apt apart from the host's; the host's proxy, CA and passwords it keeps."""
    settings = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::State::lists": apt / "lists",
        "Dir::State::extended_states": apt / "extended_states",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Default-Release": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the unprivileged one may not enter a home folder
        "Acquire::Languages": "none",
        "Acquire::Retries": _TRIES,
        "Debug::NoLocking": "true",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _apt(arguments: Iterable[str], say: Say, doing: str) -> None:
    system.run(
        ["apt-get", "-q", *arguments],
        say,
        doing=doing,
        remedy="See whether `apt-get update` works on this machine, then run it again.",
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )
