"""Log lists made for tests, signed with a key that is made once."""

import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certstream_tx.ingest.lists.list_source import Packaged
from tests.checkout import FIXTURES

LISTS = FIXTURES / "loglist"
REAL_LIST = (LISTS / "google_v3_log_list.json").read_bytes()
REAL_SIGNATURE = (LISTS / "google_v3_log_list.sig").read_bytes()
DAY = 86_400.0


@cache
def signing_key() -> rsa.RSAPrivateKey:
    """Of everybody's own list."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> bytes:
    return signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@cache
def log_key(number: int) -> bytes:
    """The DER SubjectPublicKeyInfo of the log with this number; always the same."""
    key = ec.derive_private_key(number + 1, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def listed(number: int, state: str | None = "usable", **changes: Any) -> dict[str, Any]:
    """An RFC 6962 log as lists describe it."""
    described: dict[str, Any] = {
        "description": f"log {number}",
        "log_id": b64encode(sha256(log_key(number)).digest()).decode(),
        "key": b64encode(log_key(number)).decode(),
        "url": f"https://log{number}.example/ct/",
        "mmd": 86400,
    }
    if state is not None:
        described["state"] = {state: {"timestamp": "2026-01-01T00:00:00Z"}}
    return described | changes


def tiled(number: int, state: str = "usable", **changes: Any) -> dict[str, Any]:
    """A static-ct-api log as lists describe it."""
    described = listed(number, state)
    del described["url"]
    described["submission_url"] = f"https://log{number}.example/ct/"
    described["monitoring_url"] = f"https://mon{number}.example/ct/"
    return described | changes


def made_list(
    logs: Iterable[dict[str, Any]],
    timestamp: float,
    *,
    tiled_logs: Iterable[dict[str, Any]] = (),
    operator: str = "Test Operator",
    version: str = "1.0",
) -> tuple[bytes, bytes]:
    """A list made at ``timestamp`` (Unix seconds), and its signature."""
    data = json.dumps(
        {
            "version": version,
            "log_list_timestamp": datetime.fromtimestamp(timestamp, UTC).isoformat(),
            "operators": [{"name": operator, "logs": list(logs), "tiled_logs": list(tiled_logs)}],
        }
    ).encode()
    return data, sign(data)


def sign(data: bytes) -> bytes:
    return signing_key().sign(data, padding.PKCS1v15(), SHA256())


def made_package(numbers: Iterable[int], timestamp: float) -> Packaged:
    """A program that comes with a list of these logs."""
    return Packaged(*made_list(map(listed, numbers), timestamp, version="packaged"), public_pem())
