"""The short syntax of published ports: `[ip:][published:]target[/protocol]`, with ranges."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
PROTOCOLS = ("tcp", "udp", "sctp")
_FORM = "write [ip:][published:]target[/tcp|udp|sctp]"


@dataclass(frozen=True, slots=True)
class PortText:
    """One target port; `published` is '' where the engine chooses, or a range `8000-8009`."""

    target: int
    published: str
    protocol: str
    host_ip: str


def split_port(text: str) -> list[PortText]:
    """One entry per target port. Raises ValueError saying what is wrong."""
    body, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise ValueError(f"the protocol is one of {', '.join(PROTOCOLS)}")
    host, published, target = _parts(body)
    first, last = parse_range(target)
    if not first:
        raise ValueError("0 is no target port")
    if not published:
        return [PortText(port, "", protocol, host) for port in range(first, last + 1)]
    low, high = parse_range(published)
    if high - low == last - first:
        return [
            PortText(first + step, str(low + step), protocol, host)
            for step in range(last - first + 1)
        ]
    if first != last:
        raise ValueError("the published range and the target range differ in length")
    return [PortText(first, f"{low}-{high}", protocol, host)]


def _parts(body: str) -> tuple[str, str, str]:
    front, _, target = body.rpartition(":")
    if not target:
        raise ValueError(f"no target port; {_FORM}")
    host, _, published = front.rpartition(":")
    if host:
        host = check_ip(host.removeprefix("[").removesuffix("]"))
    return host, published, target


def check_ip(host: str) -> str:
    """The address itself. Raises ValueError where it is not an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise ValueError(f"{host!r} is not an IP address") from error
    return host


def parse_range(text: str) -> tuple[int, int]:
    """First and last port of `80` or `8000-8010`. Raises ValueError."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a port or a range of ports; {_FORM}")
    first = int(found.group(1))
    last = int(found.group(2) or first)
    if last > 65535 or first > last:
        raise ValueError(f"{text!r}: ports go from 0 to 65535, the lower one first")
    return first, last
