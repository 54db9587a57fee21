"""Gives the machine the image that all others stand on: Debian trixie with its Python 3.13.

Where a registry answers, it is pulled. Where none does, the same is made of Debian packages from
the very mirror that the host uses, so that no address of any registry stands in this project.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from controller.engine.images import Images, Say, write_context
from controller.errors import SetupError
from controller.setup import archives, system

REF = "heal7/python-base:3.13-trixie"
UPSTREAM = "python:3.13-slim-trixie"
LABEL = "heal7.base"
_PACKAGES = "python3,python3-venv,ca-certificates"
_SILENCE_S = 20
_CHUNK = 1 << 20
_LEFT_OUT = (
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
    "./usr/lib/python3.13/test",
    "./proc/*",
    "./sys/*",
    "./dev/*",
    "./tmp/*",
)


def make(images: Images, machine: system.Machine, say: Say) -> str:
    """Pull or build the base image; its id. Raises SetupError where neither can be done."""
    local = images.id(UPSTREAM)
    if local is None:
        say(f"asking a registry for {UPSTREAM}")
        local = images.pull(UPSTREAM, silence_s=_SILENCE_S, say=say)
    if local is not None:
        return _from_upstream(images, say)
    return _from_packages(images, machine, say)


def _from_upstream(images: Images, say: Say) -> str:
    """The registry's image under our name and label, so that clean-up can tell it from others'."""
    with tempfile.TemporaryDirectory(prefix="heal7-base-") as work, tempfile.TemporaryFile() as tar:
        (Path(work) / "Dockerfile").write_text(f"FROM {UPSTREAM}\nENV LANG=C.UTF-8\n", "utf-8")
        write_context(tar, Path(work), ["Dockerfile"], {})
        return images.build(
            tar,
            tag=REF,
            dockerfile="Dockerfile",
            labels={LABEL: UPSTREAM},
            build_args={},
            say=say,
        )


def _from_packages(images: Images, machine: system.Machine, say: Say) -> str:
    """Build the tree with debootstrap and import it."""
    remedy = f"Give the machine an image registry, or load one: `docker load` of {UPSTREAM}."
    if not system.have("debootstrap"):
        system.need_debian(machine, "An image registry and debootstrap", remedy)
        system.apt_install(["debootstrap"], say)
    if not machine.root:
        raise SetupError("Building the base image from Debian packages needs root.", remedy=remedy)
    with tempfile.TemporaryDirectory(prefix="heal7-base-", dir=_roomy()) as work:
        tree = Path(work) / "root"
        system.run(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={_PACKAGES}",
                f"--arch={machine.architecture}",
                *_keyring_option(),
                archives.SUITE,
                str(tree),
                archives.host_mirror(machine, say),
            ],
            say,
            doing="build the base image from Debian packages",
            remedy="See whether `apt-get update` works on this machine.",
        )
        say("importing the tree")
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return images.import_tree(
            _tar(tree),
            ref=REF,
            changes=[f"ENV PATH={path}", "ENV LANG=C.UTF-8", 'CMD ["python3"]'],
            labels={LABEL: "debian packages"},
        )


def _keyring_option() -> list[str]:
    ring = archives.keyring()
    return [f"--keyring={ring}"] if ring else []


def _roomy() -> str | None:
    """A roomier place than /tmp, which may be a small tmpfs or mounted without devices."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None  # noqa: S108 - a fresh folder in it


def _tar(tree: Path) -> Iterator[bytes]:
    """The tree as a tar, in chunks, without what only apt and readers of manuals need."""
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    command = ["tar", "-C", str(tree), "--numeric-owner", *left_out, "-cf", "-", "."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:  # noqa: S603 - fixed command
        assert tar.stdout is not None
        while chunk := tar.stdout.read(_CHUNK):
            yield chunk
    if tar.returncode != 0:
        raise SetupError(f"`{shlex.join(command)}` ended with {tar.returncode}.")
