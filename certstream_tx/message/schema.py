"""JSON Schema of every message, printed by name.

``python -m certstream_tx.message.schema lite > docs/schema/lite.json``

Types and names are those of the structs that messages are encoded from; what a struct cannot say
(what a field means, what values it has) stands here. A message may gain fields, so none is
forbidden.
"""

import json
import sys
from copy import deepcopy
from typing import Any, Final

import msgspec

from certstream_tx.certificate import Certificate
from certstream_tx.message.fields import (
    CertificateUpdate,
    DnsEntries,
    Heartbeat,
    Notice,
    UpdateFields,
)
from certstream_tx.x509.extensions import Extensions

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_SHA1: Final = "^([0-9A-F]{2}:){19}[0-9A-F]{2}$"
_SHA256: Final = "^([0-9A-F]{2}:){31}[0-9A-F]{2}$"

MEANINGS: Final[dict[str, str]] = {
    "CertificateUpdate": "a certificate that a log has taken in",
    "DnsEntries": "the DNS names of a certificate that a log has taken in",
    "Heartbeat": "tells a client of a quiet stream that the server is there",
    "Notice": "stands, for a client that asked for it, where messages are missing",
    "UpdateFields": "one entry of one log",
    "SourceFields": "the log",
    "Certificate": "the certificate, or the precertificate as it was submitted",
    "ChainCertificate": "a certificate above it: as leaf_cert, without all_domains",
    "Name": "a distinguished name; a repeated attribute has all its values, joined by ', '",
    "Extensions": "the extensions that are there and could be read",
}
"""of each part"""

FIELDS: Final[dict[str, dict[str, Schema]]] = {
    "DnsEntries": {"data": {"description": "each once, the common name first", "minItems": 1}},
    "Heartbeat": {"timestamp": {"description": "the server's clock, seconds since 1970"}},
    "Notice": {
        "kind": {"description": "what there is to say", "enum": ["lost"]},
        "count": {"description": "messages that are missing", "minimum": 1},
        "from": {"description": "id of the first of them, as in server-sent events"},
        "to": {"description": "id of the last"},
    },
    "UpdateFields": {
        "update_type": {
            "description": "a final certificate, or a precertificate",
            "enum": ["X509LogEntry", "PrecertLogEntry"],
        },
        "cert_index": {"description": "index of the entry in its log", "minimum": 0},
        "cert_link": {"description": "where the entry can be read"},
        "seen": {"description": "when the server had read the certificate, seconds since 1970"},
        "submission_timestamp": {"description": "the log's own time of the entry, likewise"},
        "late": {"description": "the entry comes after its neighbours", "const": True},
        "parse_error": {"description": "why not everything could be read or sent"},
        "chain": {"description": "what it was submitted with, its issuer first"},
    },
    "SourceFields": {
        "name": {"description": "its description"},
        "url": {"description": "as listed; of a static log, its monitoring prefix"},
        "timestamp": {"description": "as submission_timestamp"},
        "type": {"description": "how it is read"},
        "operator": {"description": "null where unknown"},
        "log_id": {"description": "base64; null where unknown", "contentEncoding": "base64"},
    },
    "Certificate": {
        "all_domains": {"description": "its DNS names, each once, the common name first"},
        "fingerprint": {"description": "as sha1", "pattern": _SHA1},
        "sha1": {"description": "of the DER", "pattern": _SHA1},
        "sha256": {"description": "of the DER", "pattern": _SHA256},
        "serial_number": {
            "description": "hexadecimal; empty where it cannot be read",
            "pattern": "^(-?([0-9A-F]{2})+)?$",
        },
        "signature_algorithm": {"description": "such as 'ecdsa, sha384'; else 'unknown'"},
        "not_before": {"description": "seconds since 1970; 0 where it cannot be read"},
        "not_after": {"description": "likewise"},
        "as_der": {
            "description": "empty where there is no room for it",
            "contentEncoding": "base64",
            "contentMediaType": "application/pkix-cert",
        },
    },
    "Name": {"aggregated": {"description": "/C=../CN=../L=../O=../OU=../ST=../emailAddress=.."}},
    "Extensions": {
        "ctlPoisonByte": {"description": "there on a precertificate"},
        "ctlSignedCertificateTimestamp": {
            "description": "the extension's value",
            "contentEncoding": "base64url",
        },
        "extra": {"description": "the OIDs of all other extensions, dotted"},
    },
}
"""what is said of single fields, by part"""


def schemas() -> dict[str, Schema]:
    """The schema of each message, by the name of its stream or its own."""
    (lite, names, heartbeat, notice), parts = msgspec.json.schema_components(
        (CertificateUpdate, DnsEntries, Heartbeat, Notice), ref_template="#/$defs/{name}"
    )
    _correct(parts)
    full = deepcopy(parts)
    _extend(full)
    return {
        "lite": _document("certstream lite message", lite, _described(parts)),
        "full": _document("certstream full message", lite, _described(full)),
        "domains-only": _document("certstream domains-only message", names, _described(parts)),
        "heartbeat": _document("certstream heartbeat", heartbeat, _described(parts)),
        "notice": _document("certstream notice", notice, _described(parts)),
    }


def _correct(parts: dict[str, Schema]) -> None:
    """Say what msgspec does not: which fields are left out, and when."""
    # A default is left out where it says so, and stands there like any value where it does not.
    for name, field in (("Certificate", Certificate), ("Extensions", Extensions)):
        assert field.__struct_config__.omit_defaults
        for value in parts[name]["properties"].values():
            _leave_default_out(value)
    # It is not in messages: what it says is in parse_error.
    del parts["Certificate"]["properties"]["error"]
    for value in parts["Name"]["properties"].values():
        del value["default"]
    parts["Name"]["required"] = list(parts["Name"]["properties"])
    unset = [
        field.encode_name
        for field in msgspec.structs.fields(UpdateFields)
        if msgspec.UnsetType in getattr(field.type, "__args__", ())
    ]
    for field_name in unset:
        parts["UpdateFields"]["required"].remove(field_name)


def _leave_default_out(value: Schema) -> None:
    if "default" not in value:
        return
    default = value.pop("default")
    if default is None:
        (kind,) = (each for each in value.pop("anyOf") if each != {"type": "null"})
        value.update(kind)
    else:
        del value["type"]
        value["const"] = not default


def _extend(parts: dict[str, Schema]) -> None:
    """Make lite's parts full's."""
    leaf = parts["Certificate"]
    leaf["properties"]["as_der"] = {"type": "string"}
    leaf["required"].append("as_der")
    above = parts["ChainCertificate"] = deepcopy(leaf)
    above["title"] = "ChainCertificate"
    del above["properties"]["all_domains"]
    above["required"].remove("all_domains")
    update = parts["UpdateFields"]
    update["properties"]["chain"] = {
        "type": "array",
        "items": {"$ref": "#/$defs/ChainCertificate"},
    }
    update["required"].append("chain")


def _described(parts: dict[str, Schema]) -> dict[str, Schema]:
    described = deepcopy(parts)
    for name, part in described.items():
        part["description"] = MEANINGS[name]
        meanings = FIELDS.get("Certificate" if name == "ChainCertificate" else name, {})
        for field, value in part["properties"].items():
            value.update(meanings.get(field, {}))
    return described


def _document(title: str, root: Schema, parts: dict[str, Schema]) -> Schema:
    """One schema, with those parts alone that it needs."""
    needed: dict[str, Schema] = {}
    names = [_name(root)]
    while names:
        name = names.pop()
        if name not in needed:
            needed[name] = parts[name]
            names += _references(parts[name])
    definitions = {name: part for name, part in parts.items() if name in needed}
    return {"$schema": DIALECT, "title": title, **root, "$defs": definitions}


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            return [_name(value)]
        return [name for each in value.values() for name in _references(each)]
    return []


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


if __name__ == "__main__":
    print(json.dumps(schemas()[sys.argv[1]], indent=2))
