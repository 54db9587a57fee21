"""Decides which addresses the crawler may contact: whoever names a URL borrows our network.

All pure. Two questions are asked at two moments: `check_url` of every URL before anything is looked
up, and `check_addresses` of every address a name resolved to, just before connecting to exactly
those addresses. The lists say what is allowed for IPv6 (`ipaddress.is_global` passes NAT64, 6to4,
multicast and site-local forms that lead back inside) and what is forbidden for IPv4.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

PUBLIC_PORTS = frozenset({80, 443, 8080, 8443})
MAX_URL_CHARS = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}

_FORBIDDEN_V4 = tuple(
    (ipaddress.IPv4Network(net), why)
    for net, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local, cloud metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_ALLOWED_V6 = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN_V6 = tuple(
    (ipaddress.IPv6Network(net), why)
    for net, why in (
        ("2001::/23", "protocol assignments, Teredo"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
)
# An allow-listed name may lead to a private network, never to metadata or to everybody at once.
_PRIVATE_NETS: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
    ipaddress.IPv4Network("10.0.0.0/8"),
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv4Network("172.16.0.0/12"),
    ipaddress.IPv4Network("192.168.0.0/16"),
    ipaddress.IPv6Network("::1/128"),
    ipaddress.IPv6Network("fc00::/7"),
)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?")
_NUMBER_LIKE = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_URL_SAFE = "%/:@!$&'()*+,;=~-._?[]"
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


class BlockedError(Exception):
    """This URL or address is refused. `reason` is a code, `detail` a sentence for a person."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed: `host` is lower-case ASCII without brackets, `origin` is scheme://host:port."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    allowed_private: bool

    @property
    def key(self) -> str:
        """`host:port`, the unit of politeness and of the allow list."""
        return host_key(self.host, self.port)

    @property
    def netloc(self) -> str:
        """The Host header: the port is left out where it is the scheme's own."""
        return self.url.split("/", 3)[2]

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.key}"


def host_key(host: str, port: int) -> str:
    """`host:port`, an IPv6 literal in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_allow_list(text: str) -> frozenset[str]:
    """`"demo-site:8080, [::1]:9000"` → keys. Raises ValueError naming an entry with no port."""
    keys = set()
    for entry in filter(None, (part.strip().lower() for part in text.split(","))):
        host, colon, port = entry.rpartition(":")
        if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(
                f"HEAL7_CRAWL_ALLOW: {entry!r} is not host:port; write for example demo-site:8080"
            )
        keys.add(host_key(host.strip("[]"), int(port)))
    return frozenset(keys)


def check_url(url: str, allow: frozenset[str] = frozenset()) -> Target:
    """The parsed URL, its fragment dropped. Raises BlockedError; looks nothing up."""
    if len(url) > MAX_URL_CHARS:
        raise BlockedError("bad_url", f"the URL is longer than {MAX_URL_CHARS} characters")
    if _UNSAFE_IN_URL.search(url):
        raise BlockedError("bad_url", "the URL holds a space, a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BlockedError("bad_url", f"the URL can not be read: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise BlockedError("bad_scheme", f"only http and https are fetched, not {parts.scheme!r}")
    if "@" in parts.netloc:
        raise BlockedError("bad_url", "a URL with a user name or password is not fetched")
    host = _canonical_host(parts.hostname or "")
    port = port if port is not None else _DEFAULT_PORTS[parts.scheme]
    allowed = host_key(host, port) in allow
    if not allowed:
        if port not in PUBLIC_PORTS:
            listed = ", ".join(str(p) for p in sorted(PUBLIC_PORTS))
            raise BlockedError("blocked_port", f"port {port} is not fetched, only {listed}")
        literal = _literal(host)
        if literal is not None:
            check_addresses([literal], allowed_private=False)
    path = _request_path(parts)
    shown = host_key(host, port)
    if port == _DEFAULT_PORTS[parts.scheme]:
        shown = shown.rpartition(":")[0]
    return Target(f"{parts.scheme}://{shown}{path}", parts.scheme, host, port, path, allowed)


def follow(base: Target, reference: str, allow: frozenset[str]) -> Target:
    """The target that `reference` (a redirect) means on the page `base`. Raises BlockedError."""
    try:
        absolute = urljoin(base.url, reference)
    except ValueError as error:
        raise BlockedError("bad_url", f"the redirect can not be read: {error}") from None
    return check_url(absolute, allow)


def check_addresses(addresses: Sequence[IPAddress], *, allowed_private: bool) -> None:
    """Raises BlockedError if any address is refused: one bad among good ones is an attack."""
    if not addresses:
        raise BlockedError("dns_error", "the name has no address")
    for address in addresses:
        if allowed_private and any(address in net for net in _PRIVATE_NETS):
            continue
        why = forbidden(address)
        if why is not None:
            raise BlockedError("blocked_address", f"{address} is not a public address ({why})")


def forbidden(address: IPAddress) -> str | None:
    """Why this address may not be contacted, or None."""
    if isinstance(address, ipaddress.IPv4Address):
        return _first_net(address, _FORBIDDEN_V4)
    if address.scope_id is not None:
        return "scoped"
    if address not in _ALLOWED_V6:
        return "outside 2000::/3"
    return _first_net(address, _FORBIDDEN_V6)


def _first_net(
    address: IPAddress,
    nets: Iterable[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]],
) -> str | None:
    return next((why for net, why in nets if address in net), None)


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _canonical_host(host: str) -> str:
    """Lower-case ASCII; refuses every spelling of an address except the plain one."""
    if not host:
        raise BlockedError("bad_url", "the URL names no host")
    if ":" in host:
        if _literal(host) is None:
            raise BlockedError("bad_url", f"{host!r} is not an IPv6 address")
        return str(_literal(host))
    try:
        # nameprep folds full-width digits and ideographic dots, so the checks see what DNS would.
        ascii_host = host.encode("idna").decode("ascii").lower() if not host.isascii() else host
    except UnicodeError:
        raise BlockedError("bad_url", f"{host!r} is not a valid host name") from None
    ascii_host = ascii_host.rstrip(".") if ascii_host.strip(".") else ascii_host
    if len(ascii_host) > 253 or not _HOST.fullmatch(ascii_host):
        raise BlockedError("bad_url", f"{host!r} is not a valid host name")
    last_label = ascii_host.rpartition(".")[2]
    if _NUMBER_LIKE.fullmatch(last_label) and _literal(ascii_host) is None:
        raise BlockedError("blocked_address", f"{host!r} is a disguised IP address")
    return ascii_host


def _request_path(parts: SplitResult) -> str:
    """Path and query in ASCII, dot segments resolved: a server would, robots.txt would miss it."""
    segments: list[str] = []
    raw = parts.path.split("/")[1:]
    for segment in raw:
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del segments[-1:]
        elif plain != ".":
            segments.append(segment)
    if raw and raw[-1].lower().replace("%2e", ".") in {".", ".."}:
        segments.append("")
    path = "/" + quote("/".join(segments), safe=_URL_SAFE)
    return path + (f"?{quote(parts.query, safe=_URL_SAFE)}" if parts.query else "")
