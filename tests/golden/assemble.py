"""Log entries around the made certificates, byte by byte after RFC 6962 3.1 and 3.4."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.checkout import FIXTURES
from tests.golden.certificate_writer import PUBLIC_KEY

HERE = Path(__file__).parent
CERTIFICATES = HERE / "certificates.json"
# The made log's entries stand at this index on, one for each made certificate, in file order.
FIRST_INDEX = 5_000_000_000
# Milliseconds; every made entry is one second and one millisecond after the one before.
FIRST_TIMESTAMP = 1_750_000_000_007
# All made certificates have one key, so every issuer has it.
KEY_HASH = hashlib.sha256(PUBLIC_KEY).digest()


def made_entries() -> list[dict[str, Any]]:
    """The records of certificates.json with `index`, `leaf_input` and `extra_data` (bytes) added.

    A record has `name`, `for` and `kind`: `certificate` and `precertificate` have `der` and the
    names of their `chain`; `leaf` has a ready `leaf_input` and `extra_data`.
    """
    records: list[dict[str, Any]] = json.loads(CERTIFICATES.read_text())
    ders = {r["name"]: base64.b64decode(r["der"]) for r in records if "der" in r}
    for position, record in enumerate(records):
        record["index"] = FIRST_INDEX + position
        timestamp = FIRST_TIMESTAMP + 1001 * position
        if record["kind"] == "leaf":
            record["leaf_input"] = base64.b64decode(record["leaf_input"])
            record["extra_data"] = base64.b64decode(record["extra_data"])
            continue
        der = ders[record["name"]]
        chain = [ders[name] for name in record.get("chain", [])]
        if record["kind"] == "precertificate":
            tbs = base64.b64decode(record["tbs"])
            record["leaf_input"] = precert_leaf(timestamp, KEY_HASH, tbs)
            record["extra_data"] = uint24(der) + certificate_list(chain)
        else:
            record["leaf_input"] = x509_leaf(timestamp, der)
            record["extra_data"] = certificate_list(chain)
    return records


def uint24(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def certificate_list(chain: list[bytes]) -> bytes:
    return uint24(b"".join(uint24(certificate) for certificate in chain))


def x509_leaf(timestamp: int, der: bytes, extensions: bytes = b"") -> bytes:
    return leaf(timestamp, 0, uint24(der) + len(extensions).to_bytes(2, "big") + extensions)


def precert_leaf(timestamp: int, key_hash: bytes, tbs: bytes, extensions: bytes = b"") -> bytes:
    signed = key_hash + uint24(tbs)
    return leaf(timestamp, 1, signed + len(extensions).to_bytes(2, "big") + extensions)


def leaf(timestamp: int, entry_type: int, rest: bytes) -> bytes:
    return b"\x00\x00" + timestamp.to_bytes(8, "big") + entry_type.to_bytes(2, "big") + rest


class LogSource(NamedTuple):
    """What a message says of the log, as an argument list for the server's Source."""

    name: str
    url: str
    operator: str | None
    log_id: str | None
    kind: str


# Every message is built at this moment (Unix seconds), which `seen` shows to the millisecond.
NOW = 1_700_000_000.123456
SEEN = 1_700_000_000.123
# Stands for `parse_error` in the expected messages: every reader words its reasons in its own way.
ANY_REASON = "<any reason>"
# By `log_name` of live_entries.json; operators and ids are those of Chrome's log list.
LIVE_SOURCES = {
    "Google 'Argon2026h2'": LogSource(
        "Google 'Argon2026h2'",
        "https://ct.googleapis.com/logs/us1/argon2026h2",
        "Google",
        "1219ENGn9XfCx+lf1wC/+YLJM1pl4dCzAXMXwMjFaXc=",
        "rfc6962",
    ),
    "Cloudflare 'Nimbus2026'": LogSource(
        "Cloudflare 'Nimbus2026'",
        "https://ct.cloudflare.com/logs/nimbus2026",
        "Cloudflare",
        "yzj3FYl8hKFEX1vB3fvJbvKaWc1HCmkFhbDLFMMUWOc=",
        "rfc6962",
    ),
}
# Made logs: one without what only the log list knows, and two tiled ones.
MADE_SOURCE = LogSource("Made log", "https://made.example.test/log", None, None, "rfc6962")
NAVIGLI_SOURCE = LogSource(
    "Made 'Navigli2025h2'", "https://navigli.example.test/2025h2", "Made Operator", None, "tiled"
)
TILED_SOURCE = LogSource(
    "Made tiles",
    "https://tiles.example.test/mon",
    "Made Operator",
    base64.b64encode(bytes(range(32))).decode(),
    "tiled",
)

NAVIGLI_TILE = FIXTURES / "static" / "navigli2025h2" / "tile" / "data" / "000"
# The made tile is partial and far from the start of its log, so that its path has three parts.
MADE_TILE_NUMBER = 1_234_067
MADE_TILE_WIDTH = 9
MADE_LOG = HERE / "tiled_log"
MADE_TILE = MADE_LOG / "tile" / "data" / "x001" / "x234" / f"067.p/{MADE_TILE_WIDTH}"
