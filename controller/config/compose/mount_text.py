"""The short syntax of a service's volumes: `source:target:options`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

# `c:\\x` is a path of Windows; `c:/x:/y` too, while `c:/x` mounts the volume c.
_DRIVE = re.compile(r"[A-Za-z]:(\\|/[^:]*:/)")
_PROPAGATION = ("rprivate", "private", "rshared", "shared", "rslave", "slave")


@dataclass(frozen=True, slots=True)
class MountText:
    """The parts of a short mount; `source` is '' for an anonymous volume."""

    source: str
    target: str
    read_only: bool = False
    nocopy: bool = False
    selinux: str = ""
    propagation: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def is_bind(self) -> bool:
        """Whether the source is a path of the host rather than a volume's name."""
        return self.source[:1] in (".", "/", "~") or self.source[1:2] == ":"


def split_mount(text: str) -> MountText:
    """The parts of `text`. Raises ValueError where it is not `[source:]target[:options]`."""
    if not text:
        raise ValueError("an empty mount; write source:target or target")
    drive, rest = ("", text)
    if _DRIVE.match(text):
        drive, rest = text[:2], text[2:]
    parts = rest.split(":")
    parts[0] = drive + parts[0]
    if len(text) > 2 and "" in parts:
        raise ValueError("an empty part between colons; write source:target[:options]")
    if len(parts) > 3:
        raise ValueError("too many colons; write source:target[:options]")
    if len(parts) == 1:
        return MountText("", _clean(parts[0]))
    options = parts[2].split(",") if len(parts) == 3 else []
    propagation = [word for word in options if word in _PROPAGATION]
    selinux = [word for word in options if word in ("z", "Z")]
    known = {"ro", "rw", "nocopy", *propagation, *selinux}
    return MountText(
        source=parts[0],
        target=_clean(parts[1]),
        read_only="ro" in options,
        nocopy="nocopy" in options,
        selinux=selinux[-1] if selinux else "",
        propagation=propagation[-1] if propagation else "",
        unknown=tuple(word for word in options if word not in known),
    )


def _clean(target: str) -> str:
    return posixpath.normpath(target).replace("//", "/") if target else ""
