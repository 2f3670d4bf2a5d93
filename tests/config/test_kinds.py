"""Tests of :mod:`certstream_tx.config.kinds`, ``texts`` and ``tokens``: what a value may be."""

import base64
import ipaddress
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.keys import leaves
from certstream_tx.config.kind import Invalid, Kind, shown
from certstream_tx.config.kinds import Choice, Integer, ListOf, MapOf, Nullable, Number, Switch
from certstream_tx.config.texts import (
    Contact,
    Endpoint,
    HeaderName,
    Host,
    LogId,
    LogUrl,
    Name,
    Network,
    Origin,
    PublicKey,
    Url,
    UserAgent,
)
from certstream_tx.config.tokens import Token, TokenKind
from certstream_tx.config.tree import Config


class KindTestCase(SynchronousTestCase):
    """Reads values and tells which are refused."""

    def yaml(self, kind: Kind, value: object) -> object:
        return kind.from_yaml(value)

    def assert_refused(self, kind: Kind, *values: object) -> None:
        for value in values:
            with self.assertRaises(Invalid, msg=repr(value)):
                kind.from_yaml(value)

    def assert_text_refused(self, kind: Kind, *texts: str) -> None:
        for text in texts:
            with self.assertRaises(Invalid, msg=repr(text)):
                kind.from_text(text)

    def assert_taken(self, kind: Kind, *texts: str) -> None:
        """Unchanged, from YAML and from text."""
        for text in texts:
            self.assertEqual(kind.from_yaml(text), text)
            self.assertEqual(kind.from_text(text), text)


class NumberTests(KindTestCase):
    """Integers, numbers, switches."""

    def test_integer(self) -> None:
        """The bounds belong to it; booleans, fractions and texts do not."""
        kind = Integer(1, 4096)
        self.assertEqual([kind.from_yaml(1), kind.from_text("4096")], [1, 4096])
        self.assert_refused(kind, 0, 4097, True, 1.0, "1", None, [1], {"a": 1}, b"1")
        self.assert_text_refused(kind, "0", "08", "1_0", "1e3", "0x10", "٣", " 1", "1.0", "", "-")

    def test_integer_or_zero(self) -> None:
        """Zero switches off, what lies between does not count."""
        kind = Integer(300, 600, or_zero=True)
        self.assertEqual([kind.from_yaml(0), kind.from_text("300")], [0, 300])
        self.assert_refused(kind, 1, 299, -0.0)
        self.assertEqual(kind.expected, "0 or an integer from 300 to 600")

    def test_integer_error(self) -> None:
        """The message that the documentation promises."""
        with self.assertRaises(Invalid) as refused:
            Integer(1, 4096).from_yaml("many")
        self.assertEqual(
            refused.exception.problems, (("", 'expected an integer from 1 to 4096, got "many"'),)
        )

    def test_number(self) -> None:
        """Integers and fractions, within bounds and finite."""
        kind = Number(0.01, 1)
        self.assertEqual([kind.from_yaml(1), kind.from_text("5e-1")], [1.0, 0.5])
        self.assert_refused(kind, 0, 1.5, True, float("nan"), float("inf"), "0.5", None)
        self.assert_text_refused(kind, "nan", "inf", "1e999", "half", "")

    def test_switch(self) -> None:
        """True and false; as text the usual words; never a number in the file."""
        kind = Switch()
        self.assertEqual([kind.from_yaml(True), kind.from_yaml("off")], [True, False])
        self.assertEqual(
            [kind.from_text(t) for t in ("true", "FALSE", "1", "0", "Yes", "on")],
            [True, False, True, False, True, True],
        )
        self.assert_refused(kind, 1, 0, "true", "1", None, [])
        self.assert_text_refused(kind, "2", "truth", "y", "")


class ContainerTests(KindTestCase):
    """Null, lists, mappings."""

    def test_nullable(self) -> None:
        """Null in the file, an empty text outside of it."""
        kind = Nullable(Integer(1, 5))
        self.assertIsNone(kind.from_yaml(None))
        self.assertIsNone(kind.from_texts([""]))
        self.assertEqual(kind.from_texts(["5"]), 5)
        self.assert_refused(kind, 6, "")

    def test_empty_text_needs_a_meaning(self) -> None:
        """What can be neither null nor empty refuses an empty value."""
        with self.assertRaisesRegex(Invalid, "got an empty value"):
            Integer(1, 5).from_texts([""])

    def test_list(self) -> None:
        """Of a file, of commas, of repeated options."""
        kind = ListOf(Name(), "names")
        self.assertEqual(kind.from_yaml(["a", "b"]), ("a", "b"))
        self.assertEqual(kind.from_yaml(None), ())
        self.assertEqual(kind.from_texts(["a, b,,"]), ("a", "b"))
        self.assertEqual(kind.from_texts(["a,x", "b"]), ("a,x", "b"))
        self.assertEqual(kind.from_texts([""]), ())
        self.assert_refused(kind, "a", {"a": 1}, ["x"] * 10_001)

    def test_list_tells_every_item(self) -> None:
        """Each bad item with its place."""
        with self.assertRaises(Invalid) as refused:
            ListOf(Integer(1, 5), "numbers").from_yaml([1, "a", 9])
        self.assertEqual([where for where, _ in refused.exception.problems], ["[1]", "[2]"])

    def test_mapping(self) -> None:
        """Of a file and of text; a name once."""
        kind = MapOf(Integer(0, 9), "operators")
        self.assertEqual(dict(kind.from_yaml({"Let's Encrypt": 3})), {"Let's Encrypt": 3})
        self.assertEqual(dict(kind.from_yaml(None)), {})
        self.assertEqual(dict(kind.from_texts(["a=1, b=c=2"])), {"a": 1, "b=c": 2})
        self.assertEqual(dict(kind.from_texts([""])), {})
        self.assert_refused(kind, ["a"], {"a": 10}, {"": 1}, {"a": "1"})
        self.assert_text_refused(kind, "a", "=1", "a=1,a=2", "a=x")

    def test_choice(self) -> None:
        """In any case, synonyms replaced."""
        kind = Choice("warn", "error", synonyms={"warning": "warn"})
        self.assertEqual([kind.from_text("WARNING"), kind.from_yaml("error")], ["warn", "error"])
        self.assert_refused(kind, "info", True, None)

    def test_shown(self) -> None:
        """Large and odd values are told in one short line."""
        self.assertEqual(shown([1] * 10**6), "a list")
        self.assertEqual(shown({}), "a mapping")
        self.assertEqual(shown(None), "null")
        self.assertEqual(shown(True), "true")
        self.assertEqual(shown(""), "an empty text")
        self.assertEqual(shown("a\nb"), '"a\\nb"')
        self.assertLess(len(shown("x" * 10**6)), 70)
        self.assertLess(len(shown(10**300)), 70)


class TextTests(KindTestCase):
    """Shapes of texts."""

    def test_url(self) -> None:
        """http and https, without credentials or what would need quoting."""
        self.assert_taken(
            Url(), "http://127.0.0.1:8/l.json?a=b", "https://[::1]:80/x", "https://a_b"
        )
        bad = (
            "ftp://x",
            "x",
            "http://",
            "http:///a",
            "https://u:p@h/",
            "https://h:0/",
            "http://a b",
        )
        self.assert_text_refused(
            Url(), *bad, "http://h:x/", "http://h:99999/", "http://ü/", "http://[/"
        )
        self.assert_text_refused(
            Url(), "http://h/#f", "http://-h/", "http://h..i/", "http://h" + "x" * 5000
        )

    def test_log_url(self) -> None:
        """Without the slash at the end; paths must be appendable."""
        self.assertEqual(
            LogUrl().from_yaml("https://log.example/2026/"), "https://log.example/2026"
        )
        self.assert_text_refused(LogUrl(), "https://log.example/?x=1")

    def test_host(self) -> None:
        """Addresses of both families and names."""
        self.assert_taken(Host(), "0.0.0.0", "::", "::1", "fe80::1%eth0", "localhost", "a.example")
        self.assert_text_refused(
            Host(), "[::]", "1.2.3", "256.1.1.1", "a b", "a:80", "http://a", ""
        )

    def test_endpoint(self) -> None:
        """A type, a colon, the rest."""
        self.assert_taken(Endpoint(), "tcp:8080", "unix:/run/a.sock", "haproxy:tcp:8080")
        self.assert_text_refused(Endpoint(), "8080", ":8080", "tcp:", "tcp 8080")

    def test_texts_for_headers(self) -> None:
        """Nothing that could end a header line or a comment."""
        self.assert_taken(Contact(), "ops@example.org", "https://example.org/ct?x=1")
        self.assert_text_refused(Contact(), "ops", "a b@c", "ftp://x", "a@b) x", "a@b\r\nX: y", "")
        self.assert_taken(UserAgent(), "my monitor/1.0 (me@example.org)")
        self.assert_text_refused(UserAgent(), "a\nb", "ü", "x" * 257, " a")
        self.assert_taken(HeaderName(), "Authorization", "x-api-key")
        self.assert_text_refused(HeaderName(), "a b", "a:", "ü", "")

    def test_origin(self) -> None:
        """As it stands in a checkpoint."""
        self.assert_taken(Origin(), "log.example/2026h1")
        self.assert_text_refused(Origin(), "https://log.example/", "log.example/", "a b")

    def test_key_and_log_id(self) -> None:
        """Base64 of bytes that can be such."""
        key = b"\x30" + bytes(90)
        self.assertEqual(PublicKey().from_yaml(base64.b64encode(key).decode()), key)
        digest = sha256(key).digest()
        self.assertEqual(LogId().from_yaml(base64.b64encode(digest).decode()), digest)
        self.assert_text_refused(
            PublicKey(), "abc", "????", "MIIB", base64.b64encode(bytes(90)).decode()
        )
        self.assert_text_refused(LogId(), base64.b64encode(key).decode(), "AAAA", digest.hex())

    def test_network(self) -> None:
        """Addresses and networks; bits behind the prefix are a mistake."""
        self.assertEqual(Network().from_yaml("10.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))
        self.assertEqual(Network().from_yaml("::1"), ipaddress.ip_network("::1/128"))
        self.assert_text_refused(Network(), "10.0.0.1/8", "proxy", "10.0.0.0/33")

    def test_token(self) -> None:
        """A text, or its digest with a name."""
        digest = "AB" * 32
        self.assertEqual(TokenKind().from_yaml("s3cret"), Token(text="s3cret"))
        self.assertEqual(
            TokenKind().from_yaml({"sha256": digest, "name": "ci"}),
            Token(sha256=digest.lower(), name="ci"),
        )
        bad = ({"sha256": "ab"}, {"name": "ci"}, {"sha256": digest, "x": 1}, 123456, "", "a b", "ü")
        self.assert_refused(
            TokenKind(), *bad, {"sha256": digest, "name": 7}, None, ["x"], "x" * 513
        )

    def test_errors_of_tokens_show_none(self) -> None:
        """Neither in an error nor in the representation."""
        for value in (["hunter2 "], "hunter2 ü", {"sha256": "hunter2"}, {"hunter2x": 1}, 70007):
            with self.assertRaises(Invalid) as refused:
                TokenKind().from_yaml(value)
            shown_to_all = str(refused.exception).replace("hunter2x: unknown", "")
            self.assertNotIn("hunter2", shown_to_all)
            self.assertNotIn("70007", shown_to_all)
        self.assertNotIn("hunter2", repr(Token(text="hunter2")))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "url", "key"]) | st.text(max_size=8), inner, max_size=3
        )
    ),
    max_leaves=6,
)


class RobustnessTests(KindTestCase):
    """Whatever is written there, the only error is Invalid."""

    @settings(deadline=None, max_examples=60)
    @given(JUNK)
    def test_any_value(self, value: object) -> None:
        """Every key of the table is given every kind of value, alone and as an item."""
        for leaf in leaves(Config):
            for one in (value, [value]):
                try:
                    leaf.key.kind.from_yaml(one)
                except Invalid as error:
                    for where, what in error.problems:
                        self.assertNotIn("\n", where + what)

    @settings(deadline=None, max_examples=60)
    @given(st.text(max_size=60))
    def test_any_text(self, text: str) -> None:
        """Every key of the table is given every text."""
        for leaf in leaves(Config):
            try:
                leaf.key.kind.from_texts([text])
            except Invalid as error:
                for where, what in error.problems:
                    self.assertNotIn("\n", where + what)
