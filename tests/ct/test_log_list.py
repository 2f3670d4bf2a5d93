"""Log lists: the real one with its signature, and lists with something wrong in them."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.json_values import MAX_TEXT, MAX_URL
from certstream_tx.ct.log_list import (
    MAX_LIST_BYTES,
    MAX_LOGS,
    Log,
    LogListError,
    read_log_list,
    verify_log_list,
)
from certstream_tx.ct.signatures import LogKey
from tests.ct.samples import PROPERTY, fixture, fixture_json

REAL = fixture("loglist/google_v3_log_list.json")
REAL_SIGNATURE = fixture("loglist/google_v3_log_list.sig")
REAL_KEY = fixture("loglist/log_list_pubkey.pem")

GOOD_KEY = fixture_json("static/log.v3.json")["key"]
OTHER_KEY = fixture_json("loglist/google_v3_log_list.json")["operators"][0]["logs"][0]["key"]


def log_item(**changes: Any) -> dict[str, Any]:
    """An RFC 6962 log of a list; a change to None takes the key out."""
    item = {
        "description": "A log",
        "log_id": b64encode(sha256(b64decode(GOOD_KEY)).digest()).decode(),
        "key": GOOD_KEY,
        "url": "https://log.example/2026/",
        "mmd": 86400,
        "state": {"usable": {"timestamp": "2025-01-01T00:00:00Z"}},
        "temporal_interval": {
            "start_inclusive": "2026-01-01T00:00:00Z",
            "end_exclusive": "2026-07-01T00:00:00Z",
        },
    }
    item.update(changes)
    return {key: value for key, value in item.items() if value is not None}


def tiled_item(**changes: Any) -> dict[str, Any]:
    """A tiled log of a list."""
    urls: dict[str, Any] = {
        "url": None,
        "submission_url": "https://submit.example/2026h1/",
        "monitoring_url": "https://read.example/2026h1/",
    }
    return log_item(**(urls | changes))


def other_item() -> dict[str, Any]:
    """A good log that must not be lost because of another one."""
    other_id = b64encode(sha256(b64decode(OTHER_KEY)).digest()).decode()
    return log_item(description="Other", key=OTHER_KEY, log_id=other_id)


def listed(*logs: Any, tiled: Any = (), operator: str = "Operator", **top: Any) -> bytes:
    """A list of one operator."""
    operators = [{"name": operator, "email": [], "logs": list(logs), "tiled_logs": list(tiled)}]
    document = {
        "version": "1.0",
        "log_list_timestamp": "2026-01-02T03:04:05Z",
        "operators": operators,
    }
    return json.dumps(document | top).encode()


class RealListTests(SynchronousTestCase):
    """Chrome's list of 2026-05-29."""

    def test_signature(self) -> None:
        """The signature is good over the exact bytes."""
        verify_log_list(REAL, REAL_SIGNATURE, REAL_KEY)

    def test_any_change_is_refused(self) -> None:
        """One byte changed, added or taken away, in the list or in the signature."""
        place = REAL.index(b"usable")
        for data, signature in (
            (REAL[:place] + b"U" + REAL[place + 1 :], REAL_SIGNATURE),
            (REAL + b"\n", REAL_SIGNATURE),
            (REAL[:-1], REAL_SIGNATURE),
            (REAL, bytes([REAL_SIGNATURE[0] ^ 1]) + REAL_SIGNATURE[1:]),
            (REAL, REAL_SIGNATURE[:-1]),
            (REAL, b""),
        ):
            self.assertRaises(LogListError, verify_log_list, data, signature, REAL_KEY)

    def test_read(self) -> None:
        """35 RFC 6962 logs and 21 tiled ones, none with a problem."""
        real = read_log_list(REAL)
        self.assertEqual(real.version, "85.92")
        self.assertEqual(real.timestamp, 1780062168.0)
        self.assertEqual(real.problems, ())
        kinds = [log.kind for log in real.logs]
        self.assertEqual((kinds.count("rfc6962"), kinds.count("tiled")), (35, 21))
        self.assertEqual(len({log.state_key for log in real.logs}), 56)
        for log in real.logs:
            assert log.key is not None
            self.assertEqual(LogKey(log.key).log_id, log.log_id)
            self.assertEqual(log.state_key, log.log_id_base64)

    def test_one_log_of_each_kind(self) -> None:
        """All that is said of one RFC 6962 log, one tiled log and one readonly log."""
        logs = {log.name: log for log in read_log_list(REAL).logs}
        argon = logs["Google 'Argon2026h2' log"]
        key = argon.key
        assert key is not None
        self.assertEqual(
            argon,
            Log(
                name="Google 'Argon2026h2' log",
                url="https://ct.googleapis.com/logs/us1/argon2026h2",
                kind="rfc6962",
                log_id=b64decode("1219ENGn9XfCx+lf1wC/+YLJM1pl4dCzAXMXwMjFaXc="),
                key=key,
                operator="Google",
                state="usable",
                interval=(1782864000, 1798761600),
                mmd=86400,
            ),
        )
        gouda = logs["IPng Networks 'Gouda2027h2'"]
        self.assertEqual(gouda.url, "https://gouda2027h2.mon.ct.ipng.ch")
        self.assertEqual(gouda.origin, "gouda2027h2.log.ct.ipng.ch")
        self.assertEqual((gouda.kind, gouda.mmd), ("tiled", 60))
        final = next(log for log in logs.values() if "Mammoth2026h1" in log.name)
        self.assertEqual((final.state, final.final_size), ("readonly", 65240567))
        assert final.final_root is not None
        self.assertTrue(b64encode(final.final_root).startswith(b"N7bqzTXnPktV"))


class SignatureTests(SynchronousTestCase):
    """Signatures of lists by keys that are not the real one."""

    def test_own_key(self) -> None:
        """A list of one's own, signed with a key of one's own."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signature = key.sign(b"{}", padding.PKCS1v15(), SHA256())
        verify_log_list(b"{}", signature, pem)
        self.assertRaises(LogListError, verify_log_list, b"{}", signature, REAL_KEY)

    def test_keys_that_are_none(self) -> None:
        """A key that cannot be loaded, or that is not RSA, is refused as such."""
        curve = ec.generate_private_key(ec.SECP256R1()).public_key()
        pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in (b"", b"no key", REAL_KEY[:100], pem):
            failure = self.assertRaises(LogListError, verify_log_list, REAL, REAL_SIGNATURE, key)
            self.assertIn("public key", str(failure))

    @PROPERTY
    @given(st.binary(max_size=60), st.binary(max_size=600))
    def test_any_signature(self, data: bytes, signature: bytes) -> None:
        """Nothing but the real signature passes, and nothing but LogListError is raised."""
        self.assertRaises(LogListError, verify_log_list, data, signature, REAL_KEY)


class LogTests(SynchronousTestCase):
    """What one log of a list may look like."""

    def only(self, *logs: Any, tiled: Any = ()) -> Log:
        """The one log of a list without problems."""
        read = read_log_list(listed(*logs, tiled=tiled))
        self.assertEqual(read.problems, ())
        (log,) = read.logs
        return log

    def test_without_what_may_be_missing(self) -> None:
        """State, interval, delay, name and log id may be missing."""
        bare = self.only(
            log_item(state=None, temporal_interval=None, mmd=None, description=None, log_id=None)
        )
        self.assertEqual(bare.name, "https://log.example/2026")
        self.assertEqual(bare.log_id, sha256(b64decode(GOOD_KEY)).digest())
        self.assertEqual((bare.state, bare.interval, bare.mmd), (None, None, None))

    def test_states(self) -> None:
        """Each state of the format is told by its name."""
        for state in ("pending", "qualified", "usable", "readonly", "retired", "rejected"):
            log = self.only(log_item(state={state: {"timestamp": "2025-01-01T00:00:00Z"}}))
            self.assertEqual((log.state, log.final_size, log.final_root), (state, None, None))

    def test_final_tree_head(self) -> None:
        """A readonly log says where it ends."""
        root = sha256(b"end").digest()
        final = {"sha256_root_hash": b64encode(root).decode(), "tree_size": 7}
        log = self.only(log_item(state={"readonly": {"final_tree_head": final}}))
        self.assertEqual((log.state, log.final_size, log.final_root), ("readonly", 7, root))

    def test_numbers_at_their_bounds(self) -> None:
        """A log may end empty or at the largest size, and its delay may be nothing."""
        for size in (0, 2**64 - 1):
            final = {"sha256_root_hash": b64encode(bytes(32)).decode(), "tree_size": size}
            log = self.only(log_item(mmd=0, state={"readonly": {"final_tree_head": final}}))
            self.assertEqual((log.final_size, log.mmd), (size, 0))

    def test_longest_texts(self) -> None:
        """Names and URLs may be as long as their bounds."""
        name, url = "n" * MAX_TEXT, "https://log.example/".ljust(MAX_URL, "a")
        log = self.only(log_item(description=name, url=url))
        self.assertEqual((log.name, log.url), (name, url))

    def test_tiled(self) -> None:
        """A tiled log is read at one URL and named after the other."""
        log = self.only(tiled=[tiled_item()])
        self.assertEqual(log.kind, "tiled")
        self.assertEqual(log.url, "https://read.example/2026h1")
        self.assertEqual(log.origin, "submit.example/2026h1")

    def test_operator_and_both_kinds(self) -> None:
        """Logs of both kinds in one list, in its order, with their operator."""
        read = read_log_list(listed(other_item(), tiled=[tiled_item()], operator="Someone"))
        self.assertEqual([log.kind for log in read.logs], ["rfc6962", "tiled"])
        self.assertEqual({log.operator for log in read.logs}, {"Someone"})
        self.assertEqual(read.timestamp, 1767323045.0)

    def test_rsa_key(self) -> None:
        """A log with an RSA key is listed like any other."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        log = self.only(log_item(key=b64encode(der).decode(), log_id=None))
        self.assertEqual(log.key, der)

    def test_http_only_where_allowed(self) -> None:
        """A log without TLS is a problem, unless its list may hold such logs."""
        data = listed(log_item(url="http://127.0.0.1:8000/log/"))
        self.assertEqual(read_log_list(data).logs, ())
        (log,) = read_log_list(data, allow_http=True).logs
        self.assertEqual(log.url, "http://127.0.0.1:8000/log")

    def test_unprintable_names(self) -> None:
        """A name cannot break a line, hide text, or be impossible to encode."""
        log = self.only(log_item(description="a\nb\x1b[2J\u202e\ud800c"))
        self.assertEqual(log.name, "a\ufffdb\ufffd[2J\ufffd\ufffdc")
        log.name.encode()

    def test_without_a_key(self) -> None:
        """A configured log without a key goes by its URL in the state file."""
        log = Log("Custom", "http://127.0.0.1:6962/log", "rfc6962")
        self.assertIsNone(log.log_id_base64)
        self.assertEqual(log.state_key, "url:http://127.0.0.1:6962/log")


class ProblemTests(SynchronousTestCase):
    """One bad log does not cost the others."""

    def problem(self, bad: Any, tiled: bool = False) -> str:
        """The one problem of a list with this log and a good one, which is read."""
        data = listed(other_item(), tiled=[bad]) if tiled else listed(bad, other_item())
        read = read_log_list(data)
        self.assertEqual([log.name for log in read.logs], ["Other"], bad)
        (problem,) = read.problems
        self.assertTrue(problem.isprintable())
        return problem

    def test_keys(self) -> None:
        """A key that is missing, no base64, not loadable, of a wrong kind, or of another log."""
        curve = ec.generate_private_key(ec.SECP384R1()).public_key()
        der = curve.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        unloadable = b64encode(b"Racketeer").decode()
        for changes, reason in (
            ({"key": None}, "key is missing"),
            ({"key": 5}, "key is missing"),
            ({"key": "***"}, "key is not base64"),
            ({"key": "\u00e9" * 8}, "key is not base64"),
            ({"key": "A" * 5000}, "too long"),
            ({"key": unloadable, "log_id": None}, "cannot be loaded"),
            ({"key": b64encode(der).decode(), "log_id": None}, "secp384r1"),
            ({"key": OTHER_KEY}, "log_id is not the hash of key"),
            ({"log_id": "AAAA"}, "log_id is not the hash of key"),
            ({"log_id": 7}, "log_id is missing"),
        ):
            problem = self.problem(log_item(**changes))
            self.assertIn(reason, problem)
            self.assertIn("A log (Operator, logs 1)", problem)

    def test_urls(self) -> None:
        """A URL that is missing, none, not https, or more than a prefix."""
        for url in (
            None,
            "",
            5,
            "log.example/2026/",
            "http://log.example/",
            "ftp://log.example/",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "https://log.example/?a=b",
            "https://log.example/#a",
            "https://user@log.example/",
            "https://log.example:0/",
            "https://log.example:99999/",
            "https://log.example:x/",
            "https://[::1/",
            "https://log.example/a b",
            "https://log.example/\r\nX: y",
            "https://log.example\\@other.example/",
            "https://l\u00f6g.example/",
            "https://log.example/".ljust(MAX_URL + 1, "a"),
        ):
            self.assertIn("url ", self.problem(log_item(url=url)))
        for key in ("monitoring_url", "submission_url"):
            self.assertIn(key, self.problem(tiled_item(**{key: None}), tiled=True))

    def test_states(self) -> None:
        """No state of the format, several at once, or an end that is none."""
        root = b64encode(bytes(32)).decode()
        states: tuple[Any, ...] = (
            "usable",
            [],
            {},
            {"usable": {}, "retired": {}},
            {"frozen": {}},
            {"readonly": {"final_tree_head": 5}},
            {"readonly": {"final_tree_head": {"tree_size": 5}}},
            {"readonly": {"final_tree_head": {"sha256_root_hash": root}}},
            {"readonly": {"final_tree_head": {"sha256_root_hash": "AAAA", "tree_size": 5}}},
            {"readonly": {"final_tree_head": {"sha256_root_hash": root, "tree_size": -1}}},
            {"readonly": {"final_tree_head": {"sha256_root_hash": root, "tree_size": True}}},
            {"readonly": {"final_tree_head": {"sha256_root_hash": root, "tree_size": 2**64}}},
            {"readonly": {"final_tree_head": {"sha256_root_hash": root, "tree_size": 1.5}}},
        )
        for state in states:
            self.problem(log_item(state=state))

    def test_other_fields(self) -> None:
        """Intervals, delays and names that are none."""
        good = "2026-01-01T00:00:00Z"
        for changes in (
            {"temporal_interval": "2026"},
            {"temporal_interval": {"start_inclusive": good}},
            {"temporal_interval": {"start_inclusive": good, "end_exclusive": 5}},
            {"temporal_interval": {"start_inclusive": good, "end_exclusive": "never"}},
            {"temporal_interval": {"start_inclusive": good, "end_exclusive": good[:-1]}},
            {"mmd": "60"},
            {"mmd": -1},
            {"mmd": True},
            {"description": ""},
            {"description": 5},
            {"description": "x" * (MAX_TEXT + 1)},
        ):
            self.problem(log_item(**changes))

    def test_items_that_are_no_logs(self) -> None:
        """A null, a number, a text or a list where a log stands."""
        items: tuple[Any, ...] = (None, 5, "log", [], {})
        for item in items:
            self.assertIn("Operator, logs 1", self.problem(item))

    def test_listed_twice(self) -> None:
        """Of two logs with one key the first is kept, whatever their kinds."""
        read = read_log_list(listed(log_item(), tiled=[tiled_item()]))
        self.assertEqual([log.kind for log in read.logs], ["rfc6962"])
        self.assertIn("twice", read.problems[0])

    def test_operators(self) -> None:
        """An operator that is none costs only its own logs."""
        operators = [
            5,
            {"logs": [log_item()]},
            {"name": "No list", "logs": 5, "tiled_logs": None},
            {"name": "Good", "logs": [other_item()]},
        ]
        read = read_log_list(listed(operators=operators))
        self.assertEqual([log.operator for log in read.logs], ["Good"])
        self.assertEqual(len(read.problems), 3)


class ListTests(SynchronousTestCase):
    """Documents that are no list at all."""

    def test_refused(self) -> None:
        """No JSON, no object, no operators, or a time that is none."""
        for data in (
            b"",
            b"{",
            b"\xff\xfe\x00",
            b"null",
            b"[]",
            b"{}",
            b'{"operators": {}}',
            b'{"operators": [], "log_list_timestamp": "soon"}',
            b'{"operators": [], "log_list_timestamp": 5}',
            b"[" * 100000,
            b'{"operators":' + b"[" * 100000 + b"]" * 100000 + b"}",
            b'{"operators": [], "version": ' + b"9" * 10000 + b"}",
        ):
            self.assertRaises(LogListError, read_log_list, data)

    def test_without_time_or_version(self) -> None:
        """A list that does not say when it was made counts as old."""
        for top in ({}, {"version": 3}, {"version": None}):
            read = read_log_list(json.dumps({"operators": [], **top}).encode())
            self.assertEqual((read.version, read.timestamp, read.logs), ("", 0.0, ()))

    def test_bounds(self) -> None:
        """At most four megabytes, a thousand operators and a thousand logs."""
        longest = listed().ljust(MAX_LIST_BYTES)
        self.assertEqual(read_log_list(longest).version, "1.0")
        self.assertRaises(LogListError, read_log_list, longest + b" ")
        operators = [{"name": "x"}] * MAX_LOGS
        self.assertEqual(read_log_list(listed(operators=operators)).problems, ())
        too_many: list[dict[str, Any]] = [{"name": "x"}] * (MAX_LOGS + 1)
        self.assertRaises(LogListError, read_log_list, listed(operators=too_many))
        self.assertEqual(len(read_log_list(listed(*[5] * MAX_LOGS)).problems), MAX_LOGS)
        self.assertRaises(LogListError, read_log_list, listed(*[5] * (MAX_LOGS + 1)))

    @PROPERTY
    @given(st.binary(max_size=100))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes of any kind raise nothing but LogListError."""
        try:
            read_log_list(data)
        except LogListError:
            return
        self.assertIn(b"operators", data)

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from(
                [*log_item(), "submission_url", "monitoring_url", "final_tree_head", "readonly"]
            ),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats()
                | st.text(max_size=20)
                | st.sampled_from(["https://log.example/", GOOD_KEY, "9999-12-31T23:59:59Z"]),
                lambda inner: (
                    st.lists(inner, max_size=2)
                    | st.dictionaries(
                        st.sampled_from(
                            ["usable", "readonly", "final_tree_head", "tree_size", "x"]
                        ),
                        inner,
                        max_size=2,
                    )
                ),
                max_leaves=4,
            ),
            max_size=4,
        ),
        st.booleans(),
    )
    def test_any_log(self, changes: dict[str, Any], tiled: bool) -> None:
        """A log with anything in any place is read or is one problem, and its text encodes."""
        item = (tiled_item() if tiled else log_item()) | changes
        data = listed(tiled=[item]) if tiled else listed(item)
        read = read_log_list(data)
        self.assertEqual(len(read.logs) + len(read.problems), 1)
        for log in read.logs:
            "".join((log.name, log.url, log.operator or "", log.origin or "")).encode()
        "".join(read.problems).encode()
