"""What containers use, from the kernel's own files.

The engine's stats call takes one to two seconds a container and costs the daemon a core at fifty;
reading a few small files costs microseconds. Both cgroup versions and both drivers are looked for;
where a fact cannot be read it is None, never a guess.

Network traffic is counted by the kernel for each container's end of its virtual cable. That end is
found by the container's hardware address in the forwarding table of its bridge: other than
`/proc/<pid>/net`, this can also be seen by a hub that runs in a container on the host's network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_V2 = ("docker/{id}", "system.slice/docker-{id}.scope")
_V1 = ("docker/{id}", "system.slice/docker-{id}.scope")
_NET = Path("/sys/class/net")
_COUNTERS = Path("/proc/net/dev")
_ENTRY = 16
_SENT_COLUMN = 8


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_ns` is CPU time used since the container's start, `memory_bytes` what it holds now
    (reclaimable page cache left out, as `docker stats` does). The others are bytes since its start:
    of block devices, and of all its networks as the container sees them."""

    cpu_ns: int
    memory_bytes: int
    read_bytes: int | None = None
    written_bytes: int | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None


def read_usage(container_id: str, root: Path = _ROOT) -> Usage | None:
    """What a container uses, without its network, or None where its files cannot be found."""
    try:
        return _read_v2(container_id, root) or _read_v1(container_id, root)
    except (OSError, ValueError, KeyError):
        return None


def read_usages(container_ids: Iterable[str], root: Path = _ROOT) -> dict[str, Usage]:
    """`read_usage` of several; those that cannot be read are left out."""
    found = ((cid, read_usage(cid, root)) for cid in container_ids)
    return {cid: usage for cid, usage in found if usage is not None}


def _read_v2(container_id: str, root: Path) -> Usage | None:
    for pattern in _V2:
        folder = root / pattern.format(id=container_id)
        if (folder / "cpu.stat").exists():
            cpu = _table(folder / "cpu.stat")["usage_usec"] * 1000
            cache = _table(folder / "memory.stat")["inactive_file"]
            held = max(0, _number(folder / "memory.current") - cache)
            return Usage(cpu, held, *_blocks_v2(folder / "io.stat"))
    return None


def _read_v1(container_id: str, root: Path) -> Usage | None:
    for pattern in _V1:
        memory = root / "memory" / pattern.format(id=container_id)
        if memory.exists():
            cpu = root / "cpuacct" / pattern.format(id=container_id) / "cpuacct.usage"
            cache = _table(memory / "memory.stat")["total_inactive_file"]
            held = _number(memory / "memory.usage_in_bytes") - cache
            blocks = _blocks_v1(root / "blkio" / pattern.format(id=container_id))
            return Usage(_number(cpu), max(0, held), *blocks)
    return None


def _blocks_v2(file: Path) -> tuple[int | None, int | None]:
    """Bytes read and written. A container that did neither has an empty file."""
    try:
        words = file.read_text().split()
    except OSError:
        return None, None
    read = sum(int(word[7:]) for word in words if word.startswith("rbytes="))
    return read, sum(int(word[7:]) for word in words if word.startswith("wbytes="))


def _blocks_v1(folder: Path) -> tuple[int | None, int | None]:
    try:
        text = (folder / "blkio.throttle.io_service_bytes_recursive").read_text()
    except OSError:
        return None, None
    # `8:0 Read 4096`, a line for each device and kind; the last is the total. Newer kernels count
    # only what a limit is set for: a total alone says nothing.
    rows = [row for row in map(str.split, text.splitlines()) if len(row) == 3]
    if not rows:
        return None, None
    read = sum(int(row[2]) for row in rows if row[1] == "Read")
    return read, sum(int(row[2]) for row in rows if row[1] == "Write")


def _number(file: Path) -> int:
    return int(file.read_text())


def _table(file: Path) -> dict[str, int]:
    return {key: int(value) for key, value in map(str.split, file.read_text().splitlines())}


class Cables:
    """Which end of a virtual cable belongs to which hardware address. An end is looked for until it
    is found (the bridge learns an address when it first speaks), and kept while it is there."""

    def __init__(self, net: Path = _NET, counters: Path = _COUNTERS):
        self._net = net
        self._counters = counters
        self._ends: dict[str, str] = {}

    def read_traffic(
        self, usages: Mapping[str, Usage], addresses: Mapping[str, Iterable[str]]
    ) -> dict[str, Usage]:
        """The usages with what each container received and sent; `addresses` are the hardware
        addresses of its networks. Where one of them is not found, nothing is said."""
        wanted = {cid: tuple(addresses.get(cid, ())) for cid in usages}
        try:
            counted = self._read_counters()
            self._ends = {a: end for a, end in self._ends.items() if end in counted}
            unknown = {a for found in wanted.values() for a in found} - self._ends.keys()
            if unknown:
                found = self._look(unknown)
                self._ends |= {a: end for a, end in found.items() if end in counted}
        except (OSError, ValueError):
            return dict(usages)
        return {cid: self._with(usage, wanted[cid], counted) for cid, usage in usages.items()}

    def _with(
        self, usage: Usage, addresses: tuple[str, ...], counted: Mapping[str, tuple[int, int]]
    ) -> Usage:
        if not addresses or not all(address in self._ends for address in addresses):
            return usage
        found = [counted[self._ends[address]] for address in addresses]
        # What the host's end sends is what the container receives.
        sent, received = (sum(column) for column in zip(*found, strict=True))
        return replace(usage, received_bytes=received, sent_bytes=sent)

    def _read_counters(self) -> dict[str, tuple[int, int]]:
        counted: dict[str, tuple[int, int]] = {}
        for line in self._counters.read_text().splitlines()[2:]:
            name, _, columns = line.partition(":")
            values = columns.split()
            counted[name.strip()] = (int(values[0]), int(values[_SENT_COLUMN]))
        return counted

    def _look(self, addresses: set[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for table in self._net.glob("*/brforward"):
            ports: dict[int, str] | None = None
            entries = table.read_bytes()
            for at in range(0, len(entries) - _ENTRY + 1, _ENTRY):
                entry = entries[at : at + _ENTRY]
                address = entry[:6].hex(":")
                if address in addresses and not entry[7]:
                    ports = _ports(table.parent / "brif") if ports is None else ports
                    # The number of the port is in two bytes that do not stand together.
                    end = ports.get(entry[6] | entry[12] << 8)
                    if end is not None:
                        found[address] = end
        return found


def _ports(folder: Path) -> dict[int, str]:
    return {int((port / "port_no").read_text(), 16): port.name for port in folder.iterdir()}
