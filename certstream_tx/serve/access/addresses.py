"""Whose connection it is: addresses, the networks they are counted by, and proxies. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from certstream_tx.config.texts import IPNetwork

Address = IPv4Address | IPv6Address

_SITE_BYTES = 8
"""of an IPv6 address: the smallest network that somebody is given is a /64 (RFC 6177), and every
address in it is theirs to use"""
_LONGEST = 64
"""characters that an address may have, its port and zone included"""


def network_of(address: Address | None) -> bytes:
    """What a client is counted by: its IPv4 address, its IPv6 /64, or, without an address, the
    one network of all that have none."""
    if address is None:
        return b""
    return address.packed[:_SITE_BYTES]


def read_address(text: str) -> Address | None:
    """The address that a text is; of one that wraps an IPv4 address, that one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Networks:
    """A set of networks."""

    __slots__ = ("_by_length",)

    def __init__(self, networks: Iterable[IPNetwork] = ()) -> None:
        self._by_length: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            prefixes = self._by_length.setdefault((network.version, shift), set())
            prefixes.add(int(network.network_address) >> shift)

    def __contains__(self, address: Address) -> bool:
        number, own = int(address), address.version
        return any(
            version == own and number >> shift in prefixes
            for (version, shift), prefixes in self._by_length.items()
        )

    def __bool__(self) -> bool:
        return bool(self._by_length)


def client_address(
    peer: Address | None, forwarded: Sequence[bytes], trusted: Networks
) -> Address | None:
    """Who is at the other end, behind proxies that are trusted.

    Every proxy appends the address that it was called from, so that the list is believed from its
    right end on, as long as it was a trusted proxy that said so; whatever stands further left
    anybody may have written. What is no address ends the walk at the proxy that said it. A peer
    without an address came through a Unix socket: only a proxy on this machine can.

    :param forwarded: the values of all X-Forwarded-For headers, in their order
    """
    if peer is not None and peer not in trusted:
        return peer
    client = peer
    entries = b",".join(forwarded)
    while entries:
        entries, _, last = entries.rpartition(b",")
        named = _entry(last)
        if named is None:
            return client
        client = named
        if client not in trusted:
            return client
    return client


def _entry(entry: bytes) -> Address | None:
    """An address in X-Forwarded-For; some proxies write the port behind it, and brackets."""
    text = entry.strip(b" \t").decode("latin-1")
    if len(text) > _LONGEST:
        return None
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or not (port == "" or port.startswith(":")):
            return None
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return read_address(text)
