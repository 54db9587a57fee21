"""What machine is this, and how are programs run on it: the facts every other step asks first.

Only Debian (12 or 13) is set up by hand of this code. Elsewhere a working engine is enough; where
even that is missing, the person is told what to install.
"""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.engine.images import Say
from controller.errors import SetupError

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts that set-up decides by. `machine` is the kernel's word, as in wheel names."""

    distribution: str
    version: str
    root: bool
    systemd: bool
    machine: str

    @property
    def debian(self) -> bool:
        """A Debian this code knows how to set up."""
        return self.distribution == "debian" and self.version in ("12", "13")

    @property
    def architecture(self) -> str:
        """Debian's word for the processor. Raises SetupError for one nobody tried."""
        try:
            return _ARCHITECTURES[self.machine]
        except KeyError:
            raise SetupError(
                f"This machine's processor ({self.machine}) is not supported.",
                remedy="Use an x86_64 or aarch64 machine.",
            ) from None


def os_release(text: str) -> dict[str, str]:
    """The fields of an os-release file."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def detect() -> Machine:
    """Look at the machine this runs on."""
    release = Path("/etc/os-release")
    fields = os_release(release.read_text("utf-8")) if release.is_file() else {}
    return Machine(
        distribution=fields.get("ID", "unknown"),
        version=fields.get("VERSION_ID", ""),
        root=os.geteuid() == 0,
        systemd=Path("/run/systemd/system").is_dir(),
        machine=os.uname().machine,
    )


def need_debian(machine: Machine, missing: str, remedy: str) -> None:
    """Raise SetupError unless this code may install `missing` here; `remedy` is for elsewhere."""
    if not machine.debian:
        found = f"{machine.distribution} {machine.version}".strip()
        raise SetupError(
            f"{missing} is missing, and only Debian 12 and 13 are set up automatically "
            f"(this is {found}).",
            remedy=remedy,
        )
    if not machine.root:
        raise SetupError(
            f"{missing} is missing, and installing it needs root.",
            remedy="Run `make up` as root once, or install it by hand and run `make up` again.",
        )


def run(
    command: Sequence[str],
    say: Say,
    *,
    doing: str,
    remedy: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program to its end, passing each line it prints to `say`.

    Raises SetupError with the last lines when it fails. It never reads from the terminal.
    """
    tail: collections.deque[str] = collections.deque(maxlen=12)
    try:
        process = subprocess.Popen(  # noqa: S603 - fixed commands of this package
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        )
    except OSError as error:
        raise SetupError(f"{doing}: cannot run {command[0]}: {error}", remedy=remedy) from error
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                tail.append(line.rstrip())
                say(line)
    if process.returncode != 0:
        said = "\n".join(tail)
        raise SetupError(
            f"{doing}: {command[0]} ended with {process.returncode}.\n{said}", remedy=remedy
        )


def apt_update(say: Say) -> None:
    """Fetch apt's lists."""
    _apt(["update"], say, doing="update apt's lists")


def apt_install(packages: Sequence[str], say: Say) -> None:
    """Install Debian packages, without their recommendations and without asking anything."""
    apt_update(say)
    _apt(
        ["install", "-y", "--no-install-recommends", *packages],
        say,
        doing=f"install {' '.join(packages)}",
    )


def _apt(arguments: Sequence[str], say: Say, *, doing: str) -> None:
    run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
        say,
        doing=doing,
        remedy="See whether `apt-get update` works on this machine, then run `make up` again.",
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )


def have(program: str) -> bool:
    """Whether `program` is found, in the places root's PATH sometimes lacks too."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path) is not None
