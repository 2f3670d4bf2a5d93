"""The demonstration logs as a signed list of logs in Chrome's format v3."""

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.web.resource import Resource
from twisted.web.server import Request

from certstream_tx.ct.log_list import Log
from certstream_tx.demo.answers import FRESH, Answer, Call, nothing_below
from certstream_tx.demo.log import MMD, OPERATOR, ORIGIN, DemoLog

KEY_BITS: Final = 2048
"""half of the real list's key: it is made in 50 ms, when somebody first asks for a signature"""
EMAIL: Final = "demonstration@certstream-tx.invalid"


def listed(log: DemoLog, url: str) -> Log:
    """A log as a list of logs has it; ``url`` as it stands there, without trailing slash."""
    return Log(
        name=log.name,
        url=url,
        kind=log.kind,
        log_id=log.log_id,
        key=log.key,
        operator=OPERATOR,
        state="usable",
        origin=ORIGIN if log.kind == "tiled" else None,
        mmd=MMD[log.kind],
    )


def write_log_list(logs: Sequence[Log], now: float) -> bytes:
    """The JSON of a list of these logs, made ``now`` (Unix seconds)."""
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    operator: dict[str, object] = {"name": OPERATOR, "email": [EMAIL], "logs": [], "tiled_logs": []}
    operator["logs"] = [_item(log, time) for log in logs if log.kind == "rfc6962"]
    operator["tiled_logs"] = [_item(log, time) for log in logs if log.kind == "tiled"]
    document = {"version": "1.0", "log_list_timestamp": time, "operators": [operator]}
    return json.dumps(document, indent=2).encode()


def _item(log: Log, time: str) -> dict[str, object]:
    """One log, usable since ``time``."""
    places = (
        {"url": f"{log.url}/"}
        if log.kind == "rfc6962"
        else {"submission_url": f"https://{log.origin}/", "monitoring_url": f"{log.url}/"}
    )
    return {
        "description": log.name,
        "log_id": log.log_id_base64,
        "key": b64encode(log.key or b"").decode(),
        **places,
        "mmd": log.mmd,
        "log_type": "test",
        "state": {"usable": {"timestamp": time}},
    }


class SignedLogList:
    """A list of logs, its detached signature, and the key for that."""

    def __init__(self, logs: Sequence[Log], now: float) -> None:
        self.body = write_log_list(logs, now)

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, KEY_BITS)

    @cached_property
    def signature(self) -> bytes:
        """RSA PKCS #1 v1.5 with SHA-256 over the body, as Chrome's list has it."""
        return self._key.sign(self.body, padding.PKCS1v15(), SHA256())

    @cached_property
    def public_key(self) -> bytes:
        """PEM"""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def add_to(self, root: Resource) -> None:
        """Serve the three files, under the names that the real ones have."""

        def json_file(request: Request) -> Answer:
            nothing_below(request)
            return Answer(self.body, b"application/json", FRESH)

        def signature_file(request: Request) -> Answer:
            nothing_below(request)
            return Answer(self.signature, b"application/octet-stream", FRESH)

        def key_file(request: Request) -> Answer:
            nothing_below(request)
            return Answer(self.public_key, b"application/x-pem-file", FRESH)

        root.putChild(b"log_list.json", Call(json_file))
        root.putChild(b"log_list.sig", Call(signature_file))
        root.putChild(b"log_list_pubkey.pem", Call(key_file))
