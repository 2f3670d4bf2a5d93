"""What goes over the wire: one JSON document per entry and stream (message format v1).

``docs/wire-format.md`` says what each field means. A message is encoded when a stream asks for it,
once for each stream. ``leaf_cert`` is the last field of ``data`` and ``as_der`` and ``chain`` are
all that full has beyond lite, so full is lite with these appended.
"""

from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from certstream_tx.certificate import Certificate, read_certificate, unread_certificate
from certstream_tx.ct.entry import Entry, update_type
from certstream_tx.ct.structs import PRECERT_ENTRY
from certstream_tx.ct.tiles import TILE_WIDTH, tile_path
from certstream_tx.x509.cache import BoundedCache
from certstream_tx.x509.example import EXAMPLE_ISSUER, EXAMPLE_PRECERTIFICATE


@dataclass(frozen=True, slots=True)
class Source:
    """A log, as its messages name it.

    name: its description
    url: as listed or configured, without a slash at the end; of a tiled log the monitoring prefix
    operator: None where unknown
    log_id: base64; None where unknown
    kind: how it is read
    """

    name: str
    url: str
    operator: str | None
    log_id: str | None
    kind: Literal["rfc6962", "tiled"]

    def cert_link(self, index: int) -> str:
        """Where the entry can be had: the request for it alone, or the full data tile that holds
        it, or will."""
        if self.kind == "tiled":
            return f"{self.url}/{tile_path('data', index // TILE_WIDTH)}"
        return f"{self.url}/ct/v1/get-entries?start={index}&end={index}"


class SourceFields(msgspec.Struct, frozen=True, gc=False):
    """``data.source``."""

    name: str
    url: str
    timestamp: float
    type: Literal["rfc6962", "tiled"]
    operator: str | None
    log_id: str | None


class UpdateFields(msgspec.Struct, frozen=True, gc=False):
    """``data`` of a ``certificate_update``."""

    update_type: str
    cert_index: int
    cert_link: str
    seen: float
    submission_timestamp: float
    late: bool | UnsetType
    parse_error: str | UnsetType
    source: SourceFields
    leaf_cert: Certificate
    """The last field: see Message.full."""


class CertificateUpdate(
    msgspec.Struct, frozen=True, gc=False, tag_field="message_type", tag="certificate_update"
):
    """The message of lite."""

    data: UpdateFields


class DnsEntries(
    msgspec.Struct, frozen=True, gc=False, tag_field="message_type", tag="dns_entries"
):
    """The message of domains-only."""

    data: list[str]


class Heartbeat(msgspec.Struct, frozen=True, gc=False, tag_field="message_type", tag="heartbeat"):
    """Tells a client of a quiet stream that the server is there."""

    timestamp: float


_encode: Final = msgspec.json.Encoder().encode

# Intermediates and roots: a few hundred in all public logs, 5 KB of JSON each.
_chain_certificates: BoundedCache[bytes] = BoundedCache(max_entries=2048, max_bytes=8 << 20)


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
        """The document for the lite stream."""
        lite = self._lite
        if lite is None:
            lite = self._lite = self._encode_lite()
        return lite

    def full(self) -> bytes:
        """The document for the full stream: lite, with ``as_der`` and ``chain``."""
        chain = b",".join([_chain_certificate(der) for der in self.entry.chain])
        der = b2a_base64(self.entry.submitted, newline=False)
        return b"".join((self.lite()[:-3], b',"as_der":"', der, b'"},"chain":[', chain, b"]}}"))

    def domains_only(self) -> bytes | None:
        """The document for the domains-only stream; None without a DNS name."""
        domains = self.certificate.all_domains
        return _encode(DnsEntries(domains)) if domains else None

    def _encode_lite(self) -> bytes:
        entry = self.entry
        source = self.source
        certificate = self.certificate
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


def read_entry_certificate(entry: Entry) -> Certificate:
    """The certificate an entry holds, its ``error`` set where the entry has one. Never raises."""
    if entry.error is not None:
        return unread_certificate(entry.submitted, entry.error)
    return read_certificate(entry.submitted)


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


def _examples() -> dict[str, bytes]:
    moment = 1779302893.443
    entry = Entry(
        index=1111014090,
        timestamp=int(moment * 1000),
        entry_type=PRECERT_ENTRY,
        submitted=EXAMPLE_PRECERTIFICATE,
        chain=(EXAMPLE_ISSUER,),
        leaf_hash=b"",
    )
    source = Source("Example log", "https://log.example/2026", "Example Trust", None, "rfc6962")
    message = Message(entry, source, moment)
    return {
        "full": message.full(),
        "lite": message.lite(),
        "domains-only": message.domains_only() or b"",
    }


EXAMPLES: Final = _examples()
"""What a message of each stream looks like, to be shown until there is a real one."""
