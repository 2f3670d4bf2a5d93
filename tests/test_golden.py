"""Messages as JSON against expected documents, which other readers derived (see golden/README.md).

Each test takes every entry of its set and names each entry and field that differs.
"""

import base64
import gzip
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry, entry_of, read_entry
from certstream_tx.ct.tiles import read_data_tile
from certstream_tx.message.documents import Message, Source, build_message
from tests.checkout import FIXTURES
from tests.golden.assemble import (
    ANY_REASON,
    HERE,
    LIVE_SOURCES,
    MADE_LOG,
    MADE_SOURCE,
    MADE_TILE,
    MADE_TILE_NUMBER,
    MADE_TILE_WIDTH,
    NAVIGLI_SOURCE,
    NAVIGLI_TILE,
    NOW,
    TILED_SOURCE,
    LogSource,
    made_entries,
)

# A failure lists at most this many differences: more would not be read.
MAX_SHOWN = 40


def expected(name: str) -> dict[str, dict[str, Any]]:
    """The expected documents of a set of entries, by the entry's name."""
    lines = gzip.decompress((HERE / "expected" / f"{name}.jsonl.gz").read_bytes()).splitlines()
    return {entry["name"]: entry for entry in map(json.loads, lines)}


def built(entry: Entry, source: LogSource) -> Message:
    return build_message(entry, Source(*source), lambda: NOW)  # type: ignore[arg-type]


def live_messages() -> Iterator[tuple[str, Message]]:
    for record in json.loads((FIXTURES / "live_entries.json").read_text()):
        source, index = LIVE_SOURCES[record["log_name"]], int(record["cert_index"])
        leaf_input = base64.b64decode(record["leaf_input"])
        entry = read_entry(index, leaf_input, base64.b64decode(record["extra_data"]))
        yield f"{source.name} {index}", built(entry, source)


def made_messages() -> Iterator[tuple[str, Message]]:
    for record in made_entries():
        entry = read_entry(record["index"], record["leaf_input"], record["extra_data"])
        yield record["name"], built(entry, MADE_SOURCE)


def navigli_messages() -> Iterator[tuple[str, Message]]:
    for index, leaf in enumerate(read_data_tile(NAVIGLI_TILE.read_bytes(), 0, 256)):
        yield f"navigli {index}", built(entry_of(leaf, index, ()), NAVIGLI_SOURCE)


def made_tile_messages() -> Iterator[tuple[str, Message]]:
    issuers = {bytes.fromhex(path.name): path.read_bytes() for path in MADE_LOG.glob("issuer/*")}
    first = MADE_TILE_NUMBER * 256
    leaves = read_data_tile(MADE_TILE.read_bytes(), first, MADE_TILE_WIDTH)
    for index, leaf in enumerate(leaves, first):
        chain = tuple(issuers[fingerprint] for fingerprint in leaf.fingerprints)
        yield f"tile {index}", built(entry_of(leaf, index, chain), TILED_SOURCE)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError(f"a key twice in {[key for key, _ in pairs]}")
    return dict(pairs)


def parsed(payload: bytes | None) -> Any:
    return None if payload is None else json.loads(payload, object_pairs_hook=unique_keys)


def differences(want: Any, got: Any, path: str) -> Iterator[str]:
    """Where two JSON documents differ, types included: 1 is not 1.0 to a typed client."""
    if want == ANY_REASON:
        if not isinstance(got, str) or not got:
            yield f"{path}: expected a reason, got {got!r}"
    elif isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            if key not in got:
                yield f"{path}.{key}: missing, expected {want[key]!r:.300}"
            elif key not in want:
                yield f"{path}.{key}: not expected, got {got[key]!r:.300}"
            else:
                yield from differences(want[key], got[key], f"{path}.{key}")
    elif isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            yield f"{path}: expected {len(want)} items, got {len(got)}"
        for position, pair in enumerate(zip(want, got, strict=False)):
            yield from differences(*pair, f"{path}[{position}]")
    elif type(want) is not type(got) or want != got:
        yield f"{path}: expected {want!r:.300}, got {got!r:.300}"


class GoldenCase(SynchronousTestCase):
    """Comparing one stream of one set of entries."""

    def compare(self, name: str, messages: Iterator[tuple[str, Message]], stream: str) -> None:
        documents = expected(name)
        names, found = [], []
        for entry_name, message in messages:
            names.append(entry_name)
            got = parsed(getattr(message, stream)())
            found += differences(documents[entry_name][stream], got, f"{entry_name} {stream}:")
        self.assertEqual(names, list(documents), "not every entry was compared")
        if found:
            rest = [f"and {len(found) - MAX_SHOWN} more"] if len(found) > MAX_SHOWN else []
            self.fail("\n".join([f"{len(found)} differences", *found[:MAX_SHOWN], *rest]))


class LiveEntryTests(GoldenCase):
    """The 40 real entries of RFC 6962 logs."""

    def test_full(self) -> None:
        """Full messages of real entries are as expected."""
        self.compare("live", live_messages(), "full")

    def test_lite(self) -> None:
        """Lite messages of real entries are as expected."""
        self.compare("live", live_messages(), "lite")

    def test_domains_only(self) -> None:
        """Domains-only messages of real entries are as expected."""
        self.compare("live", live_messages(), "domains_only")


class RealTileTests(GoldenCase):
    """The 256 real entries of a static log's data tile, whose issuers are not known here."""

    def test_lite(self) -> None:
        """Lite messages of a real tile are as expected."""
        self.compare("navigli", navigli_messages(), "lite")

    def test_domains_only(self) -> None:
        """Domains-only messages of a real tile are as expected."""
        self.compare("navigli", navigli_messages(), "domains_only")


class MadeCertificateTests(GoldenCase):
    """The certificates made for the rules that no real one exercises."""

    def test_full(self) -> None:
        """Full messages of made certificates are as expected."""
        self.compare("made", made_messages(), "full")

    def test_lite(self) -> None:
        """Lite messages of made certificates are as expected."""
        self.compare("made", made_messages(), "lite")

    def test_domains_only(self) -> None:
        """Domains-only messages of made certificates are as expected, or there is none."""
        self.compare("made", made_messages(), "domains_only")


class MadeTileTests(GoldenCase):
    """A partial data tile with known issuers."""

    def test_full(self) -> None:
        """Full messages of a tile are as expected, chains found by fingerprint."""
        self.compare("made_tile", made_tile_messages(), "full")

    def test_lite(self) -> None:
        """Lite messages of a tile are as expected."""
        self.compare("made_tile", made_tile_messages(), "lite")

    def test_domains_only(self) -> None:
        """Domains-only messages of a tile are as expected."""
        self.compare("made_tile", made_tile_messages(), "domains_only")


class LateEntryTests(SynchronousTestCase):
    """An entry that comes after its neighbours."""

    def test_late(self) -> None:
        """A late entry's messages say so on full and lite, and are otherwise as expected."""
        record = made_entries()[0]
        entry = read_entry(record["index"], record["leaf_input"], record["extra_data"])
        source = Source(*MADE_SOURCE)  # type: ignore[arg-type]
        message = build_message(entry, source, lambda: NOW, late=True)
        want = expected("made")[record["name"]]
        for stream in ("full", "lite"):
            want[stream]["data"]["late"] = True
            got = parsed(getattr(message, stream)())
            self.assertEqual(list(differences(want[stream], got, stream)), [])
        self.assertEqual(parsed(message.domains_only()), want["domains_only"])


class ExpectedDocumentTests(SynchronousTestCase):
    """The expected documents themselves: complete, and of the rules they are for."""

    def test_sizes(self) -> None:
        """Each set holds the entries it is said to hold."""
        sets = {"live": 40, "navigli": 256, "made": len(made_entries()), "made_tile": 9}
        self.assertEqual({name: len(expected(name)) for name in sets}, sets)
        self.assertGreater(sets["made"], 200)

    def test_sources(self) -> None:
        """The real logs' names, operators and ids are those of the log list."""
        path = FIXTURES / "loglist" / "google_v3_log_list.json"
        listed = {
            log["url"].rstrip("/"): (operator["name"], log["log_id"], log["key"])
            for operator in json.loads(path.read_text())["operators"]
            for log in operator["logs"]
        }
        for source in LIVE_SOURCES.values():
            operator, log_id, key = listed[source.url]
            self.assertEqual((source.operator, source.log_id), (operator, log_id))
            digest = sha256(base64.b64decode(key)).digest()
            self.assertEqual(base64.b64encode(digest).decode(), log_id)

    def test_every_extension(self) -> None:
        """Every key of the table of extensions is in an expected document."""
        keys = [
            "authorityInfoAccess",
            "authorityKeyIdentifier",
            "subjectKeyIdentifier",
            "basicConstraints",
            "certificatePolicies",
            "crlDistributionPoints",
            "extendedKeyUsage",
            "keyUsage",
            "subjectAltName",
            "issuerAltName",
            "ctlSignedCertificateTimestamp",
            "ctlPoisonByte",
            "extra",
        ]
        seen = {key for leaf in self.leaves() for key in leaf["extensions"]}
        self.assertEqual(seen, set(keys))

    def test_every_algorithm(self) -> None:
        """Every signature algorithm of the table is in an expected document."""
        algorithms = [
            "sha256, rsa",
            "sha1, rsa",
            "sha384, rsa",
            "sha512, rsa",
            "sha1, rsa-pss",
            "sha256, rsa-pss",
            "sha384, rsa-pss",
            "sha512, rsa-pss",
            "ecdsa, sha256",
            "ecdsa, sha384",
            "ecdsa, sha512",
            "dsa, sha1",
            "dsa, sha256",
            "ed25519",
            "unknown",
        ]
        self.assertEqual({leaf["signature_algorithm"] for leaf in self.leaves()}, set(algorithms))

    def leaves(self) -> Iterator[dict[str, Any]]:
        for entry in (expected("live") | expected("made")).values():
            data = entry["full"]["data"]
            yield from (data["leaf_cert"], *data["chain"])


class DifferenceTests(SynchronousTestCase):
    """The comparison sees what it must see."""

    def test_differences(self) -> None:
        """A wrong value, type, key, order or length is a difference; an equal document is none."""
        want = {"a": [1, 2.0, None], "b": {"c": "x"}, "r": ANY_REASON}
        self.assertEqual(list(differences(want, {**want, "r": "why"}, "")), [])
        for wrong, count in (
            ({**want, "r": ""}, 1),
            ({**want, "a": [1, 2, None], "r": "w"}, 1),
            ({**want, "a": [2.0, 1, None], "r": "w"}, 2),
            ({**want, "a": [1, 2.0], "r": "w"}, 1),
            ({**want, "b": {"c": None, "d": 1}, "r": "w"}, 2),
            ({"a": want["a"], "r": "w"}, 1),
        ):
            self.assertEqual(len(list(differences(want, wrong, ""))), count, wrong)
