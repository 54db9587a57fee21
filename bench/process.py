"""What a process costs, as the kernel tells it: the benches' one way to ask."""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.it_hub import HubProcess


def hub_pid(hub: HubProcess) -> int:
    """The hub's process number. Raises RuntimeError where it does not run."""
    process = hub._process
    if process is None:
        raise RuntimeError("the hub does not run")
    return process.pid


def cpu_s(pid: int) -> float:
    """Seconds of one core that it has used so far, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """MiB of memory that it holds now."""
    return int(_status(pid)["VmRSS"].split()[0]) / 1024


def threads(pid: int) -> int:
    return int(_status(pid)["Threads"])


def descriptors(pid: int) -> int:
    """Files, sockets and the like that it holds open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
