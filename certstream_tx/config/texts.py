"""Texts with a shape: URLs, addresses, paths, keys, names."""

import base64
import binascii
import ipaddress
import re
from abc import abstractmethod
from urllib.parse import urlsplit

from certstream_tx.config.kind import MAX_TEXT, Kind

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
    r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*",
    re.ASCII,
)
_ENDPOINT = re.compile(r"[A-Za-z][A-Za-z0-9_]*:.+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 section 5.6.2, token
_CONTACT = re.compile(r"(?:https?://[!-'*-~]+|[!-'*-?A-~]+@[!-'*-~]+)")
_ORIGIN = re.compile(r"[!-~]+(?<!/)")
_SUBJECT_PUBLIC_KEY_INFO = 0x30
"""the tag of a DER SEQUENCE, which every SubjectPublicKeyInfo is"""
MAX_KEY = 2048
"""bytes of a SubjectPublicKeyInfo: an RSA key of 16384 bits still fits"""
_SHA256_BYTES = 32


class Text(Kind[str]):
    """Any text that prints: not empty, one line."""

    expected = "a text"

    def from_text(self, text: str) -> str:
        """The text itself, once it has the shape."""
        if not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
            raise self.wrong(text)
        if not self.fits(text):
            raise self.wrong(text)
        return text

    def fits(self, text: str) -> bool:
        """Whether a text that prints has the shape of this kind."""
        return True


class Name(Text):
    """A name of a log or an operator."""

    expected = "a name"

    def fits(self, text: str) -> bool:
        """Short enough to be a label of a metric."""
        return len(text) <= 200


class Path(Text):
    """A path of a file or folder."""

    expected = "a path"


class Url(Text):
    """An http or https URL without credentials, which would end up in logs and metrics."""

    expected = "an http:// or https:// URL without user and password"

    def fits(self, text: str) -> bool:
        """Scheme, host and port are sound, nothing would need quoting."""
        if not text.isascii() or " " in text or "#" in text:
            return False
        try:
            parts = urlsplit(text)
            port_is_sound = parts.port is None or parts.port > 0
        except ValueError:
            return False
        return (
            parts.scheme in ("http", "https")
            and port_is_sound
            and "@" not in parts.netloc
            and bool(parts.hostname)
            and (":" in parts.netloc or bool(_HOST_NAME.fullmatch(parts.netloc)))
        )


class LogUrl(Url):
    """The URL under which a log answers; a slash at its end makes no difference."""

    expected = "an http:// or https:// URL without user, password and query"

    def fits(self, text: str) -> bool:
        """As every URL, and paths can be appended to it."""
        return super().fits(text) and "?" not in text

    def from_text(self, text: str) -> str:
        """Without slashes at the end."""
        return super().from_text(text).rstrip("/")


class Host(Text):
    """What to listen on."""

    expected = 'an IP address or host name ("::" for IPv4 and IPv6)'

    def fits(self, text: str) -> bool:
        """An address (a zone allowed) or a name."""
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return bool(_HOST_NAME.fullmatch(text)) and not text.replace(".", "").isdigit()
        return True


class Endpoint(Text):
    """A Twisted server endpoint string; whether Twisted knows its type is seen when it listens."""

    expected = 'an endpoint string such as "tcp:8080"'

    def fits(self, text: str) -> bool:
        """Begins with a type and a colon."""
        return bool(_ENDPOINT.fullmatch(text))


def brings_tls(endpoint: str) -> bool:
    """Whether an endpoint string speaks TLS by itself, with files that it names."""
    return endpoint.removeprefix("haproxy:").startswith(("ssl:", "tls:"))


class HeaderName(Text):
    """The name of an HTTP header."""

    expected = "the name of an HTTP header"

    def fits(self, text: str) -> bool:
        """A token."""
        return bool(_HEADER_NAME.fullmatch(text))


class Contact(Text):
    """How log operators can reach whoever runs this."""

    expected = "an e-mail address or an http:// or https:// URL"

    def fits(self, text: str) -> bool:
        """Fits into the comment of a User-Agent as it is: no spaces, no parentheses."""
        return len(text) <= 200 and bool(_CONTACT.fullmatch(text))


class UserAgent(Text):
    """A whole User-Agent header."""

    expected = "a User-Agent of at most 256 printable ASCII characters"

    def fits(self, text: str) -> bool:
        """Can be sent as it is."""
        return text.isascii() and len(text) <= 256 and text == text.strip()


class Origin(Text):
    """The first line of a static log's checkpoint."""

    expected = "a checkpoint origin (host and path, no scheme, no slash at the end)"

    def fits(self, text: str) -> bool:
        """Visible ASCII, not a URL."""
        return "://" not in text and bool(_ORIGIN.fullmatch(text))


class _Base64(Kind[bytes]):
    """Bytes in standard base64."""

    def from_text(self, text: str) -> bytes:
        """The bytes."""
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise self.wrong(text) from None
        if not self.fits(data):
            raise self.wrong(text)
        return data

    @abstractmethod
    def fits(self, data: bytes) -> bool:
        """Whether these can be such bytes."""


class PublicKey(_Base64):
    """A log's key. That it loads is checked where logs are made, by what verifies with it."""

    expected = "the base64 of a DER SubjectPublicKeyInfo"

    def fits(self, data: bytes) -> bool:
        """Looks like DER and is of a size that keys have."""
        return 32 < len(data) <= MAX_KEY and data[0] == _SUBJECT_PUBLIC_KEY_INFO


class LogId(_Base64):
    """A log id: the SHA-256 of its key (RFC 6962 section 3.2)."""

    expected = "the base64 of a log id (32 bytes)"

    def fits(self, data: bytes) -> bool:
        """As long as a SHA-256."""
        return len(data) == _SHA256_BYTES


class Network(Kind[IPNetwork]):
    """An IP address, or a network in CIDR notation."""

    expected = "an IP address or network"

    def from_text(self, text: str) -> IPNetwork:
        """Bits set behind the prefix are a mistake, not a detail."""
        try:
            return ipaddress.ip_network(text)
        except ValueError:
            raise self.wrong(text) from None
