"""The fields of every message, by the names that the wire format has for them.

``docs/wire-format.md`` says what each means; ``docs/schema`` is made from what stands here.
"""

from dataclasses import dataclass
from typing import Literal, Self

import msgspec
from msgspec import UnsetType

from certstream_tx.certificate import Certificate
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.tiles import TILE_WIDTH, tile_path


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

    @classmethod
    def of(cls, log: Log) -> Self:
        """A log of a list, or of the configuration."""
        return cls(log.name, log.url, log.operator, log.log_id_base64, log.kind)

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


class Notice(msgspec.Struct, frozen=True, gc=False, tag_field="message_type", tag="notice"):
    """The document of a notice."""

    kind: str
    count: int
    first: str = msgspec.field(name="from")
    last: str = msgspec.field(name="to")
