"""Which proxy stands between this server and a host, by the variables that all programs share."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

DEFAULT_PORT: Final = {"http": 80, "https": 443}

_OTHER_KINDS: Final = ("socks", "socks4", "socks4a", "socks5", "socks5h")

_NETLOC: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")
"""a name or an address"""

_LEFT_OUT_PORT: Final = re.compile(r"(?:\[(.*)\]|([^:]*))(?::([0-9]+))?")
"""an entry of NO_PROXY with brackets or a port; others are names or addresses as they stand"""


class ProxySettingError(ValueError):
    """A variable that names a proxy names none that can be used; told without its value, which may
    hold a password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and where it was found."""

    scheme: str
    """http, or https for TLS on the way to it"""
    host: str
    port: int
    variable: str
    """that names it"""
    authorization: bytes | None = field(default=None, repr=False)
    """what it is told about who asks (Proxy-Authorization); never to be shown"""

    @property
    def name(self) -> str:
        """For the operator: where it is, and who says so."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} ({self.variable})"


class Proxies:
    """The proxies of one environment, one for each scheme, and the hosts that need none."""

    def __init__(self, by_scheme: Mapping[str, Proxy], left_out: str = "") -> None:
        """``left_out`` as NO_PROXY has it."""
        self.by_scheme: Final = dict(by_scheme)
        self._left_out = [each for each in re.split(r"[\s,]+", left_out.lower()) if each]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Proxies":
        """``HTTPS_PROXY`` for https, ``HTTP_PROXY`` for http, else ``ALL_PROXY``; ``NO_PROXY``.

        In small letters they count more, as everywhere; an empty one means no proxy.

        :raises ProxySettingError: one that would be used cannot be
        """
        found = {}
        for scheme in ("https", "http"):
            names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
            variable = next((name for name in names if name in environment), None)
            if variable is not None and (value := environment[variable].strip()):
                found[scheme] = _read(variable, value)
        return cls(found, environment.get("no_proxy", environment.get("NO_PROXY", "")))

    def for_host(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy by which a host is to be reached; None: it is reached directly.

        This machine never needs one.
        """
        proxy = self.by_scheme.get(scheme)
        if proxy is None:
            return None
        host = host.lower().rstrip(".")
        if host == "localhost" or _is_loopback(host):
            return None
        if any(_matches(entry, host, port) for entry in self._left_out):
            return None
        return proxy


def _read(variable: str, value: str) -> Proxy:
    expected = f"{variable}: expected http://[user:password@]host[:port]"
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ProxySettingError(f"{expected}, got something else") from None
    if parts.scheme in _OTHER_KINDS:
        raise ProxySettingError(f"{expected}, got a proxy of another kind ({parts.scheme})")
    # A "/", "?" or "#" in a password ends the host before it begins.
    rest = parts.path.removeprefix("/") + parts.query + parts.fragment
    if parts.scheme not in DEFAULT_PORT or rest or not _NETLOC.fullmatch(host) or port == 0:
        raise ProxySettingError(f"{expected}, got something else")
    authorization = None
    if parts.username is not None:
        login = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        authorization = b"Basic " + b64encode(login)
    return Proxy(parts.scheme, host, port or DEFAULT_PORT[parts.scheme], variable, authorization)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY means the host: itself, a domain above it, or its network."""
    if entry == "*":
        return True
    if found := _LEFT_OUT_PORT.fullmatch(entry):
        entry = found[1] or found[2]
        if found[3] is not None and found[3].lstrip("0") != str(port):
            return False
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        domain = entry.removeprefix("*").removeprefix(".").rstrip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
