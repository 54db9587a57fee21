#!/usr/bin/env python3
"""Makes the checkout's virtual environment, so that `.venv/bin/heal7` works. Standard library only.

Run by `make` with whatever Python 3.11 or newer the machine has. A stamp in the environment holds
the digest of the locks, the interpreter and the place: as long as they are the same, nothing is
done and this returns at once.
"""

# It runs before anything of the hub can be imported, so it has no clock door to ask; and it runs
# fixed commands only.
# ruff: noqa: S603, TID251

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "heal7-stamp.json"
PYTHON = VENV / "bin" / "python"
COMMAND = VENV / "bin" / "heal7"
LINK = Path("/usr/local/bin/heal7")
BUILD_LOCK = ROOT / "requirements" / "build.txt"
HUB_LOCK = ROOT / "requirements" / "hub.txt"
DEV_LOCK = ROOT / "requirements" / "dev.txt"
OLDEST = (3, 11)


class BootstrapError(Exception):
    """Something a person must do; the message says what."""


def wanted(lock: Path) -> dict[str, str]:
    """What the stamp must say for the environment to be good for `lock`."""
    parts = (BUILD_LOCK, lock, ROOT / "pyproject.toml")
    digest = hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()
    return {"lock": lock.name, "digest": digest, "place": str(ROOT)}


def is_fresh(dev: bool) -> bool:
    """Whether the environment is there and good. One made for development serves the hub too."""
    if not COMMAND.is_file() or not STAMP.is_file():
        return False
    try:
        found = json.loads(STAMP.read_text("utf-8"))
    except ValueError:
        return False
    return found == wanted(DEV_LOCK) or (not dev and found == wanted(HUB_LOCK))


def run(command: list[str], doing: str, *, total: int = 0) -> None:
    """Run a program, showing on one line how far it is. Raises BootstrapError with its output."""
    began = time.monotonic()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    said: list[str] = []
    count = 0
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if re.match(r"(Collecting|Requirement already satisfied)", line):
                count += 1
                show(f"{doing}: {count}/{total}" if total else doing)
    if process.returncode != 0:
        tail = "".join(said[-20:])
        raise BootstrapError(f"{doing} failed: {' '.join(command)}\n{tail}")
    show(f"{doing}: done in {time.monotonic() - began:.1f} s", end=True)


def works(command: list[str]) -> bool:
    """Whether a program is there and ends well."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def show(text: str, *, end: bool = False) -> None:
    """Progress: rewritten in place on a terminal, only the ends elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="\n" if end else "", flush=True)
    elif end:
        print(text, flush=True)


def need_ensurepip() -> None:
    """Debian ships Python without the module that makes environments complete."""
    probe = "import ensurepip, venv; ensurepip.version()"
    if works([sys.executable, "-c", probe]):
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise BootstrapError(
            "This Python cannot make virtual environments.\n"
            "Install its venv package (Debian: `apt-get install python3-venv`), then try again."
        )
    run(["apt-get", "-q", "update"], "apt lists")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    install = ["apt-get", "-q", "install", "-y", "--no-install-recommends", package]
    run(install, package)


def make(dev: bool) -> None:
    """Make or mend the environment."""
    lock = DEV_LOCK if dev else HUB_LOCK
    need_ensurepip()
    if STAMP.is_file() and json_place() != str(ROOT):
        shutil.rmtree(VENV)  # a copied or moved environment points at its old place
    if not works([str(PYTHON), "-m", "pip", "--version"]):
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(VENV)], "virtual environment")
    STAMP.unlink(missing_ok=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    quiet = ["--progress-bar=off", "--root-user-action=ignore"]
    locks = [f"--requirement={BUILD_LOCK}", f"--requirement={lock}"]
    total = sum(1 for path in (BUILD_LOCK, lock) for _ in re.finditer(r"(?m)^\S+==", text(path)))
    run([*pip, *quiet, "--require-hashes", *locks], f"Python packages ({lock.name})", total=total)
    install = [*pip, *quiet, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    run(install, "heal7 command")
    STAMP.write_text(json.dumps(wanted(lock)), "utf-8")


def text(path: Path) -> str:
    return path.read_text("utf-8")


def json_place() -> str | None:
    """Where the stamp says the environment was made."""
    try:
        place = json.loads(text(STAMP)).get("place")
    except ValueError:
        return None
    return place if isinstance(place, str) else None


def link() -> None:
    """Let people type plain `heal7`, unless another program has that name here."""
    try:
        if LINK.is_symlink() and LINK.readlink() != COMMAND:
            target = LINK.readlink()
            if target.parts[-3:] != (".venv", "bin", "heal7"):
                return
            LINK.unlink()
        if not LINK.exists() and not LINK.is_symlink():
            LINK.symlink_to(COMMAND)
            print(f"linked {LINK}", flush=True)
    except OSError:
        return  # not ours to write; `.venv/bin/heal7` works all the same


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the virtual environment of this checkout.")
    parser.add_argument("--dev", action="store_true", help="with what tests and checks need")
    options = parser.parse_args()
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"Python 3.11 or newer is needed; this is {found}.", file=sys.stderr)
        return 1
    try:
        if not is_fresh(options.dev):
            make(options.dev)
        link()
    except BootstrapError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
