"""Where an outgoing request may go: the form of the URL, and every address its host has."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.errors import Kind, declare

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

EGRESS_REFUSED = declare(
    "EGRESS_REFUSED",
    Kind.FAILED_PRECONDITION,
    "不允许访问该外部地址：{cause}",
    "This outside address may not be asked: {cause}",
)
EGRESS_FAILED = declare(
    "EGRESS_FAILED", Kind.UNAVAILABLE, "外部系统暂时不可用", "The outside system is unavailable"
)

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
"""A last label of this form makes a host a number to some resolvers: 127.1, 0x7f000001, 2130706433."""
_CLOSED = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
"""Beyond what `ipaddress` calls not global: translations to IPv4, tunnels, benchmarks, documentation."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A host that the operator names in a setting although it lies inside; a caller never makes one."""

    host: str
    port: int = 443
    networks: tuple[Network, ...] = ()
    """Where it may lie; nowhere else, loopback and link-local never unless they are named here."""
    plain: bool = False
    """Take plain http; for a test sender on one's own machine."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What may be asked and how much of it; times in seconds, sizes in bytes."""

    ports: frozenset[int] = frozenset({443})
    inside: tuple[Inside, ...] = ()
    hosts: frozenset[str] | None = None
    """Only these hosts, in lower case; None: any public one."""
    timeout_seconds: float = 10.0
    """For the whole exchange, resolving included."""
    connect_seconds: float = 5.0
    max_answer_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address to connect to, and the name that TLS and ``Host`` must say."""

    host: str
    port: int
    address: str
    tls: bool


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return every address of a host as the system's resolver says now. Raises EGRESS_FAILED."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise EGRESS_FAILED() from problem
    return [str(each[4][0]) for each in found]


async def check_url(url: str, policy: EgressPolicy, resolve: Resolve = resolve_host) -> Target:
    """Return where a request for the URL goes. Raises EGRESS_REFUSED, EGRESS_FAILED."""
    scheme, host, port = parts_of(url)
    inside = next((each for each in policy.inside if (each.host, each.port) == (host, port)), None)
    if scheme != "https" and not (scheme == "http" and inside is not None and inside.plain):
        raise EGRESS_REFUSED(cause="scheme")
    if inside is None and port not in policy.ports:
        raise EGRESS_REFUSED(cause="port")
    if inside is None and policy.hosts is not None and host not in policy.hosts:
        raise EGRESS_REFUSED(cause="host")
    literal = _literal(host)
    addresses = [literal] if literal else [_address(each) for each in await resolve(host, port)]
    if not addresses:
        raise EGRESS_FAILED()
    for each in addresses:  # one bad address among good ones is an attempt, not an accident
        _require_allowed(each, inside)
    return Target(host, port, str(addresses[0]), tls=scheme == "https")


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public internet: unicast, global, no way back to IPv4 inside."""
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.scope_id):
        return False
    if any(address.version == each.version and address in each for each in _CLOSED):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or address.is_unspecified
    )


def parts_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port, read strictly: what two parsers could read differently is refused."""
    if not url.isascii() or any(ord(each) <= 0x20 or each in '\\"<>^`{|}\x7f' for each in url):
        raise EGRESS_REFUSED(cause="characters")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise EGRESS_REFUSED(cause="form") from None
    authority = split.netloc
    if split.scheme not in {"https", "http"} or not authority:
        raise EGRESS_REFUSED(cause="scheme")
    if "@" in authority or "%" in authority or authority.endswith(":"):
        raise EGRESS_REFUSED(cause="form")
    host = (split.hostname or "").lower()
    if not _is_host(host):
        raise EGRESS_REFUSED(cause="host")
    return split.scheme, host, (443 if split.scheme == "https" else 80) if port is None else port


def _is_host(host: str) -> bool:
    """Say whether it is a plain name or a plain address: no trailing dot, no number in disguise."""
    if _literal(host) is not None:
        return True
    labels = host.split(".")
    return (
        0 < len(host) <= 253
        and len(labels) > 1
        and all(_LABEL.fullmatch(each) for each in labels)
        and not _NUMERIC.fullmatch(labels[-1])
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise EGRESS_REFUSED(cause="address") from None


def _require_allowed(address: Address, inside: Inside | None) -> None:
    if inside is not None and any(address.version == n.version and address in n for n in inside.networks):
        return
    if not is_public(address):
        raise EGRESS_REFUSED(cause="address")
