"""Tokens: where they may stand, and which are let in."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.tokens import MAX_TOKEN, Token
from certstream_tx.serve.access import tokens as module
from certstream_tx.serve.access.tokens import (
    MAX_NAMES,
    Tokens,
    in_header,
    in_line,
    in_query,
    in_subprotocols,
)

VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def hashed(text: str, name: str | None = None) -> Token:
    return Token(sha256=sha256(text.encode()).hexdigest(), name=name)


class MatchTests(SynchronousTestCase):
    """Which candidates are tokens."""

    def test_text_and_hash(self) -> None:
        """A token is the same whether its text or its SHA-256 is configured."""
        for token in (Token(text="secret"), hashed("secret")):
            self.assertEqual(Tokens([token]).label_of([b"secret"]), "unnamed")
            for wrong in (b"", b"secre", b"secret ", b"SECRET", b"secrets", b"\xffsecret"):
                self.assertIsNone(Tokens([token]).label_of([wrong]), wrong)

    def test_hash_itself_is_no_token(self) -> None:
        """Who reads the file cannot get in with what stands there."""
        token = hashed("secret")
        assert token.sha256 is not None
        for seen in (token.sha256.encode(), bytes.fromhex(token.sha256)):
            self.assertIsNone(Tokens([token]).label_of([seen]))

    def test_any_candidate(self) -> None:
        """One good one among the candidates is enough, wherever it stands; none is not."""
        tokens = Tokens([hashed("a", "A"), hashed("b", "B")])
        self.assertEqual(tokens.label_of([b"x", b"b"]), "B")
        self.assertEqual(tokens.label_of([b"a", b"x"]), "A")
        self.assertIsNone(tokens.label_of([b"x", b"y"]))
        self.assertIsNone(tokens.label_of([]))
        self.assertIsNone(Tokens([]).label_of([b"a"]))

    def test_constant_time(self) -> None:
        """Every candidate is compared with every token, whichever fits, over the whole hash."""
        tokens = Tokens([hashed(text) for text in "abcde"])
        for candidates in ([b"a"], [b"e"], [b"x"], [b"a", b"x"], [b"x", b"a"]):
            compared: list[tuple[bytes, bytes]] = []

            def compare(one: bytes, other: bytes, into: list[tuple[bytes, bytes]]) -> bool:
                into.append((one, other))
                return one == other

            with patch.object(
                module, "compare_digest", lambda a, b, into=compared: compare(a, b, into)
            ):
                tokens.label_of(candidates)
            self.assertEqual(len(compared), 5 * len(candidates))
            self.assertEqual({len(part) for pair in compared for part in pair}, {32})

    def test_text_is_not_kept(self) -> None:
        """Of a token given as text only the hash stays."""
        tokens = Tokens([Token(text="very-secret")])
        held = [getattr(tokens, name) for name in Tokens.__slots__]
        self.assertNotIn("very-secret", repr(held))

    def test_labels_are_bounded(self) -> None:
        """The first names are counted one by one, the others together: metrics stay small."""
        many = [hashed(str(i), f"name {i}") for i in range(MAX_NAMES + 50)]
        tokens = Tokens([*many, hashed("bare"), hashed("again", "name 0")])
        self.assertEqual(tokens.label_of([b"0"]), "name 0")
        self.assertEqual(tokens.label_of([b"again"]), "name 0")
        self.assertEqual(tokens.label_of([b"%d" % (MAX_NAMES - 1)]), f"name {MAX_NAMES - 1}")
        self.assertEqual(tokens.label_of([b"%d" % MAX_NAMES]), "others")
        self.assertEqual(tokens.label_of([b"bare"]), "unnamed")
        self.assertEqual(len(tokens.labels), MAX_NAMES + 2)

    @given(VISIBLE, st.binary(max_size=60))
    @settings(deadline=None, max_examples=200)
    def test_only_the_token(self, text: str, candidate: bytes) -> None:
        """Nothing but the token's own bytes is the token."""
        found = Tokens([Token(text=text)]).label_of([candidate])
        self.assertEqual(found is not None, candidate == text.encode())


class HeaderTests(SynchronousTestCase):
    """In the configured header."""

    def assert_read(self, values: Iterable[bytes], expected: bytes | None) -> None:
        for value in values:
            self.assertEqual(in_header([value]), expected, value)

    def test_bare_and_bearer(self) -> None:
        """As it is, or behind the scheme, which has no case; blanks around do not count."""
        self.assert_read(
            [b"abc", b" abc\t", b"Bearer abc", b"bearer abc", b"BEARER \t abc "], b"abc"
        )
        self.assert_read([b"bearer"], b"bearer")
        self.assert_read([b"Bearerabc"], b"Bearerabc")

    def test_nothing(self) -> None:
        """No header, an empty one, a scheme without a token, one that is too long."""
        self.assertIsNone(in_header([]))
        self.assert_read([b"", b" ", b"x" * (MAX_TOKEN + 1), b"Bearer " + b"x" * 10_000], None)
        self.assert_read([b"Bearer " + b"x" * MAX_TOKEN], b"x" * MAX_TOKEN)

    def test_doubled(self) -> None:
        """Two headers are none: servers differ about which of them counts."""
        self.assertIsNone(in_header([b"abc", b"abc"]))
        self.assertIsNone(in_header([b"abc", b""]))


class QueryTests(SynchronousTestCase):
    """In a URL's query."""

    def test_taken_out(self) -> None:
        """The token is decoded once, and the rest stays as it was."""
        for query, token, rest in [
            (b"token=abc", b"abc", b""),
            (b"stream=full&token=abc&x=%26", b"abc", b"stream=full&x=%26"),
            (b"token=a%2Bb%26c%3d", b"a+b&c=", b""),
            (b"token=a+b", b"a+b", b""),
            (b"token=a=b", b"a=b", b""),
            (b"%74oken=abc", b"abc", b""),
            (b"token=%2561bc", b"%61bc", b""),
            (b"Token=abc", None, b"Token=abc"),
            (b"tokens=abc&a", None, b"tokens=abc&a"),
            (b"token", None, b""),
            (b"token=", None, b""),
            (b"token=" + b"x" * (MAX_TOKEN + 1), None, b""),
            (b"token=abc&token=abc", None, b""),
            (b"token=abc&x&%74oken=def", None, b"x"),
            (b"", None, b""),
        ]:
            self.assertEqual(tuple(in_query(query)), (token, rest), query)


class SubprotocolTests(SynchronousTestCase):
    """Among the WebSocket subprotocols."""

    def test_taken_out(self) -> None:
        """The token is decoded, and what else is offered stays in its order."""
        offer = b"a, certstream ,bearer." + urlsafe_b64encode(b"secret?").rstrip(b"=")
        self.assertEqual(tuple(in_subprotocols([offer])), (b"secret?", (b"a", b"certstream")))
        parts = offer.split(b",")
        self.assertEqual(tuple(in_subprotocols(parts)), (b"secret?", (b"a", b"certstream")))

    def test_one_spelling(self) -> None:
        """Padding, another alphabet, stray bits or bytes, another case: no token; nor is it left
        where somebody could repeat it."""
        good = urlsafe_b64encode(b"a??>>\xff").decode()
        self.assertIn("_", good)
        for wrong in (
            good + "=",
            good.replace("_", "/"),
            good[:-1],
            good + "!",
            good[0] + "\n" + good[1:],
            "YQ"[:1],
            "YR",
            "",
            "A" * 5000,
        ):
            for scheme in ("bearer.", "Bearer.", "BEARER."):
                offer = f"certstream, {scheme}{wrong}".encode()
                self.assertEqual(tuple(in_subprotocols([offer])), (None, (b"certstream",)), wrong)
        right = urlsafe_b64encode(b"abc")
        self.assertIsNone(in_subprotocols([b"Bearer." + right]).token)
        self.assertEqual(in_subprotocols([b"bearer." + right]).token, b"abc")

    def test_doubled(self) -> None:
        """Two tokens are none."""
        both = [b"bearer.YWJj", b"bearer.YWJj"]
        self.assertEqual(tuple(in_subprotocols([b",".join(both)])), (None, ()))
        self.assertEqual(tuple(in_subprotocols(both)), (None, ()))

    @given(st.lists(st.binary(max_size=40), max_size=4))
    @settings(deadline=None, max_examples=200)
    def test_anything(self, values: list[bytes]) -> None:
        """Whatever is offered, nothing is raised and no token is left."""
        rest = in_subprotocols(values).rest
        self.assertEqual([one for one in rest if one.lower().startswith(b"bearer.")], [])

    @given(VISIBLE)
    @settings(deadline=None, max_examples=100)
    def test_every_token_can_be_said(self, text: str) -> None:
        """Each token can be carried in each place."""
        raw = text.encode()
        encoded = b"bearer." + urlsafe_b64encode(raw).rstrip(b"=")
        self.assertEqual(in_subprotocols([encoded]).token, raw)
        self.assertEqual(in_header([b"Bearer " + raw]), raw)
        percent = b"".join(b"%%%02X" % byte for byte in raw)
        self.assertEqual(in_query(b"token=" + percent).token, raw)
        line = in_line(b"token " + raw)
        assert line is not None
        self.assertEqual(line.token, raw)


class LineTests(SynchronousTestCase):
    """On the first line of a client without headers."""

    def test_line(self) -> None:
        """The word, the token, and perhaps a stream; one space between them."""
        for line, expected in [
            (b"token abc", (b"abc", b"")),
            (b"token abc\r", (b"abc", b"")),
            (b"token abc full", (b"abc", b"full")),
            (b"token abc ", (b"abc", b"")),
            (b"Token abc", None),
            (b"token", None),
            (b"token ", None),
            (b"token  abc", None),
            (b"token abc full now", None),
            (b"abc", None),
            (b"f", None),
            (b"", None),
            (b"token " + b"x" * (MAX_TOKEN + 1), None),
        ]:
            read = in_line(line)
            self.assertEqual(None if read is None else tuple(read), expected, line)
