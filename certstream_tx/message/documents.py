"""What goes over the wire: one JSON document per entry and stream (message format v1).

``docs/wire-format.md`` says what each field means. A message is encoded when a stream asks for it,
once for each stream. ``leaf_cert`` is the last field of ``data`` and ``as_der`` and ``chain`` are
all that full has beyond lite, so full is lite with these appended.
"""

from binascii import b2a_base64
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from certstream_tx.certificate import Certificate, read_certificate, unread_certificate
from certstream_tx.ct.entry import Entry, update_type
from certstream_tx.message.fields import (
    CertificateUpdate,
    DnsEntries,
    Heartbeat,
    Source,
    SourceFields,
    UpdateFields,
)
from certstream_tx.x509.cache import BoundedCache

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "KeptMessage",
    "Message",
    "Source",
    "build_message",
    "heartbeat",
    "read_entry_certificate",
]


MAX_DOCUMENT_BYTES: Final = 1 << 20
"""Client libraries close the connection over more than this (``websockets`` does by default): one
entry could drop a server's clients, and others' messages out of what is kept for those that are
behind. Real messages are below 200 KB."""
_FRAME_BYTES: Final = 512
"""room for what stands around a lite document in a full one"""

_encode: Final = msgspec.json.Encoder().encode

# Intermediates and roots: a few hundred in all public logs, 5 KB of JSON each.
_chain_certificates: BoundedCache[bytes] = BoundedCache(max_entries=2048, max_bytes=8 << 20)
# The same as DER, by itself.
_chain_ders: BoundedCache[bytes] = BoundedCache(max_entries=2048, max_bytes=8 << 20)


class Message:
    """One entry of one log as a message, its certificate read."""

    __slots__ = ("_lite", "certificate", "entry", "late", "seen", "source")

    def __init__(
        self,
        entry: Entry,
        source: Source,
        seen: float,
        *,
        certificate: Certificate | None = None,
        late: bool = False,
    ) -> None:
        """``seen``: Unix seconds; ``certificate``: of the entry, if it has been read already;
        ``late``: whether the entry comes after its neighbours, from a gap that was filled."""
        self.entry = entry
        self.source = source
        self.certificate = read_entry_certificate(entry) if certificate is None else certificate
        self.seen = seen
        self.late = late
        self._lite: bytes | None = None

    @property
    def parse_error(self) -> str | None:
        """Why the certificate could not be read; None when it could."""
        return self.certificate.error

    def lite(self) -> bytes:
        """The document for the lite stream; of what is too large for one, the hashes."""
        lite = self._lite
        if lite is None:
            lite = self._lite = self._fitting(self.certificate)
        return lite

    def full(self) -> bytes:
        """The document for the full stream: lite, with ``as_der`` and ``chain`` as far as there is
        room for them. What could be read comes first: nothing hides behind its own size."""
        der, chain = self.entry.submitted, self.entry.chain
        return (
            _full(self.lite(), der, chain)
            or _full(self._lite_without("chain"), der, ())
            or _with_der_and_chain(self._lite_without("as_der and chain"), b"", b"")
        )

    def domains_only(self) -> bytes | None:
        """The document for the domains-only stream; None without a DNS name, or with too many."""
        domains = self.certificate.all_domains
        document = _encode(DnsEntries(domains)) if domains else None
        return document if document is None or len(document) <= MAX_DOCUMENT_BYTES else None

    @property
    def size(self) -> int:
        """Bytes of the certificate and its chain."""
        return len(self.entry.submitted) + sum(map(len, self.entry.chain))

    def hashes(self) -> tuple[bytes, bytes]:
        """SHA-256 and SHA-1 of the certificate."""
        certificate = self.certificate
        return _digest(certificate.sha256), _digest(certificate.sha1)

    def kept(self) -> "KeptMessage":
        """The same in a quarter of the memory."""
        chain = tuple(map(_shared, self.entry.chain))
        entry = self.entry._replace(chain=chain)
        return KeptMessage(entry, self.source, self.seen, self.late)

    def _lite_without(self, what: str) -> bytes:
        error = self.certificate.error
        reason = _left_out(what) if error is None else f"{error}; {_left_out(what)}"
        return self._fitting(msgspec.structs.replace(self.certificate, error=reason))

    def _fitting(self, certificate: Certificate) -> bytes:
        lite = self._encode_lite(certificate)
        if len(lite) <= MAX_DOCUMENT_BYTES - _FRAME_BYTES:
            return lite
        reason = _left_out("all but the hashes")
        return self._encode_lite(unread_certificate(self.entry.submitted, reason))

    def _encode_lite(self, certificate: Certificate) -> bytes:
        entry = self.entry
        source = self.source
        submission = entry.timestamp / 1000
        error = certificate.error
        if error is not None:
            certificate = msgspec.structs.replace(certificate, error=None)
        return _encode(
            CertificateUpdate(
                UpdateFields(
                    update_type(entry.entry_type),
                    entry.index,
                    source.cert_link(entry.index),
                    round(float(self.seen), 3),
                    submission,
                    True if self.late else UNSET,
                    UNSET if error is None else error,
                    SourceFields(
                        source.name,
                        source.url,
                        submission,
                        source.kind,
                        source.operator,
                        source.log_id,
                    ),
                    certificate,
                )
            )
        )


class KeptMessage(NamedTuple):
    """A message without anything that was read or encoded: that is done for each who asks."""

    entry: Entry
    source: Source
    seen: float
    late: bool

    def lite(self) -> bytes:
        """See Message."""
        return self._read().lite()

    def full(self) -> bytes:
        """See Message."""
        return self._read().full()

    def domains_only(self) -> bytes | None:
        """See Message."""
        return self._read().domains_only()

    def _read(self) -> Message:
        return Message(self.entry, self.source, self.seen, late=self.late)


def _left_out(what: str) -> str:
    return f"{what} left out, for the message would be larger than {MAX_DOCUMENT_BYTES} bytes"


def _full(lite: bytes, der: bytes, chain: tuple[bytes, ...]) -> bytes | None:
    """The document of full; None when it is too large."""
    if (len(der) + sum(map(len, chain))) * 4 // 3 > MAX_DOCUMENT_BYTES:
        return None
    document = _with_der_and_chain(
        lite,
        b2a_base64(der, newline=False),
        b",".join([_chain_certificate(each) for each in chain]),
    )
    return document if len(document) <= MAX_DOCUMENT_BYTES else None


def _with_der_and_chain(lite: bytes, der: bytes, chain: bytes) -> bytes:
    """``der`` is base64, ``chain`` the elements of the array."""
    return b"".join((lite[:-3], b',"as_der":"', der, b'"},"chain":[', chain, b"]}}"))


def read_entry_certificate(entry: Entry) -> Certificate:
    """The certificate an entry holds, its ``error`` set where the entry has one. Never raises.

    Where that is wrong which came with an entry, it is what the tree covers that is read; hashes
    are those of ``submitted`` all the same.
    """
    if entry.error is None:
        return read_certificate(entry.submitted)
    unread = unread_certificate(entry.submitted, entry.error)
    if entry.proven is None:
        return unread
    proven = read_certificate(entry.proven)
    if proven.error is not None:
        return unread
    return msgspec.structs.replace(
        proven,
        fingerprint=unread.fingerprint,
        sha1=unread.sha1,
        sha256=unread.sha256,
        error=entry.error,
    )


def build_message(
    entry: Entry, source: Source, now: Callable[[], float], *, late: bool = False
) -> Message:
    """Read an entry's certificate and make its message; ``seen`` is what ``now`` (Unix seconds)
    says after the reading. Never raises."""
    certificate = read_entry_certificate(entry)
    return Message(entry, source, now(), certificate=certificate, late=late)


def heartbeat(now: float) -> bytes:
    """The document that keeps a quiet stream alive; ``now`` in Unix seconds."""
    return _encode(Heartbeat(round(float(now), 3)))


def _chain_certificate(der: bytes) -> bytes:
    """A certificate as an element of ``chain``: as ``leaf_cert``, without ``all_domains``."""
    encoded = _chain_certificates.get(der)
    if encoded is None:
        fields = msgspec.structs.asdict(read_certificate(der))
        del fields["all_domains"], fields["error"]
        fields["as_der"] = b2a_base64(der, newline=False).decode()
        encoded = _encode(fields)
        _chain_certificates.put(der, encoded)
    return encoded


def _shared(der: bytes) -> bytes:
    """The same bytes, as one object for all whose chains have them."""
    known = _chain_ders.get(der)
    if known is None:
        _chain_ders.put(der, der)
        return der
    return known


def _digest(fingerprint: str) -> bytes:
    return bytes.fromhex(fingerprint.replace(":", ""))
