"""Authentication on the surface: what it guards, and that nothing gets by it or out of it."""

import io
from base64 import urlsafe_b64encode
from hashlib import sha256
from random import Random
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from certstream_tx.config.tokens import Token
from certstream_tx.events import set_level
from certstream_tx.hub import Stream
from certstream_tx.serve.access.policy import Policy
from certstream_tx.serve.access.tokens import Tokens
from certstream_tx.serve.answers import JSON, Document, Node, Page
from certstream_tx.serve.metrics.exposition import Exposition
from certstream_tx.serve.metrics.sources import Sources
from tests.serve.visitor import Answer, House

TOKEN = b"s3cret-Token~with.punctuation"
OTHER = b"another-0ne"
GOOD = b"Authorization: Bearer " + TOKEN
STREAMS = (b"/", b"/full-stream", b"/domains-only")


def policy(header: bytes = b"Authorization") -> Policy:
    digest = sha256(OTHER).hexdigest()
    tokens = Tokens([Token(text=TOKEN.decode()), Token(sha256=digest, name="grafana")])
    return Policy(tokens=tokens, header_name=header)


def subprotocol(token: bytes) -> bytes:
    return b"bearer." + urlsafe_b64encode(token).rstrip(b"=")


class AuthTestCase(SynchronousTestCase):
    """A site that asks for tokens."""

    def setUp(self) -> None:
        self.house = House(policy=policy())
        self.addCleanup(self.house.close)
        self.house.site.resource.putChild(b"stats", Page(lambda: Document(JSON, b"{}"), cors=True))

    def upgrade(self, path: bytes, *headers: bytes) -> Answer:
        """The answer to a WebSocket client."""
        visitor = self.house.visitor()
        visitor.upgrade(path, *headers)
        answer = visitor.answer()
        visitor.hang_up()
        return answer


class SurfaceTests(AuthTestCase):
    """What is guarded."""

    def test_streams(self) -> None:
        """Every stream needs a token, in any of the three places."""
        for path in STREAMS:
            self.assertEqual(self.upgrade(path).status, 401, path)
            self.assertEqual(self.upgrade(path, GOOD).status, 101, path)
            self.assertEqual(self.upgrade(path, b"Authorization: " + OTHER).status, 101, path)
            self.assertEqual(self.upgrade(path + b"?token=" + TOKEN).status, 101, path)
            offer = b"Sec-WebSocket-Protocol: certstream, " + subprotocol(TOKEN)
            self.assertEqual(self.upgrade(path, offer).status, 101, path)

    def test_refusal(self) -> None:
        """401, a challenge, JSON, nothing to be cached; and the connection can be used again."""
        visitor = self.house.visitor()
        visitor.upgrade(b"/")
        answer = visitor.answer()
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers[b"www-authenticate"], b"Bearer")
        self.assertEqual(answer.headers[b"content-type"], JSON)
        self.assertEqual(answer.headers[b"cache-control"], b"no-store")
        self.assertEqual(answer.body, b'{"error":"Unauthorized"}')
        self.assertNotIn(b"access-control-allow-origin", answer.headers)
        visitor.upgrade(b"/", GOOD)
        self.assertEqual(visitor.answer().status, 101)

    def test_open(self) -> None:
        """Health, metrics, examples and the page need none, with a token or without."""
        self.house.ready = True
        for path in (
            b"/health",
            b"/ready",
            b"/metrics",
            b"/example.json",
            b"/full-stream/example.json",
            b"/domains-only/example.json",
            b"/",
        ):
            self.assertEqual(self.house.get(path).status, 200, path)
            self.assertEqual(self.house.get(path + b"?token=wrong").status, 200, path)
            self.assertEqual(self.house.get(path, b"GET", b"Authorization: x").status, 200, path)
        self.assertEqual(self.house.get(b"/nothing").status, 404)

    def test_documents(self) -> None:
        """A page of the data surface needs one whatever the method; pages elsewhere can read the
        refusal, and ask beforehand whether they may send a token."""
        for method in (b"GET", b"HEAD", b"POST", b"DELETE"):
            answer = self.house.get(b"/stats", method)
            self.assertEqual(answer.status, 401, method)
            self.assertEqual(answer.headers[b"access-control-allow-origin"], b"*")
        self.assertEqual(self.house.get(b"/stats", b"GET", GOOD).body, b"{}")
        self.assertEqual(self.house.get(b"/stats?token=" + TOKEN).body, b"{}")
        preflight = self.house.get(b"/stats", b"OPTIONS")
        self.assertEqual(preflight.status, 204)
        self.assertEqual(preflight.headers[b"access-control-allow-headers"], b"Authorization, *")

    def test_new_resources_are_guarded(self) -> None:
        """Whatever is added to the site is guarded until somebody says that it is not."""
        self.house.site.resource.putChild(b"ours", Node())
        self.house.site.resource.putChild(b"theirs", Resource())
        for path in (b"/ours", b"/theirs"):
            for method in (b"GET", b"POST"):
                self.assertEqual(self.house.get(path, method).status, 401, path)
        self.assertEqual(self.house.get(b"/theirs", b"OPTIONS").status, 401)

    def test_configured_header(self) -> None:
        """Only the configured header counts."""
        self.house.gate.replace_policy(policy(b"X-API-Key"))
        self.assertEqual(self.upgrade(b"/", b"x-api-key: " + TOKEN).status, 101)
        self.assertEqual(self.upgrade(b"/", b"X-Api-Key: bearer " + TOKEN).status, 101)
        self.assertEqual(self.upgrade(b"/", GOOD).status, 401)

    def test_off(self) -> None:
        """Without a policy nobody is asked, and a browser that offers a token still gets in."""
        self.house.gate.replace_policy(Policy())
        offer = b"Sec-WebSocket-Protocol: certstream, " + subprotocol(b"whatever")
        for headers in ([], [GOOD], [offer]):
            self.assertEqual(self.upgrade(b"/", *headers).status, 101)

    def test_replaced(self) -> None:
        """A new policy holds for the next request; who is in stays in."""
        client = self.house.open(b"/", GOOD)
        self.house.gate.replace_policy(Policy(tokens=Tokens([Token(text="new")])))
        self.assertEqual(self.upgrade(b"/", GOOD).status, 401)
        self.assertEqual(self.upgrade(b"/?token=new").status, 101)
        self.house.seconds(20, pong=[client])
        self.assertIsNone(client.closed)


class SilenceTests(AuthTestCase):
    """Tokens do not come back out."""

    def test_not_echoed(self) -> None:
        """The server chooses certstream, and the token is nowhere in its answer."""
        offer = b"Sec-WebSocket-Protocol: "
        for value, chosen in [
            (b"certstream, " + subprotocol(TOKEN), b"certstream"),
            (subprotocol(TOKEN) + b", other, certstream", b"certstream"),
            (subprotocol(TOKEN), None),
        ]:
            visitor = self.house.visitor()
            visitor.upgrade(b"/", offer + value)
            head, _, _ = visitor.received().partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
            self.assertEqual(b"Sec-WebSocket-Protocol: certstream" in head, chosen is not None)
            self.assertNotIn(b"bearer", head.lower())
            self.assertNotIn(subprotocol(TOKEN).split(b".")[1], head)

    def test_not_echoed_by_errors(self) -> None:
        """Nor is it in what autobahn says of a handshake that fails."""
        for headers in (
            [b"Sec-WebSocket-Protocol: a, a, " + subprotocol(TOKEN)],
            [GOOD, b"Sec-WebSocket-Version: 99"],
            [GOOD, b"Origin: http://a:b:c"],
        ):
            visitor = self.house.visitor()
            visitor.upgrade(b"/?token=" + TOKEN, *headers)
            received = visitor.received()
            self.assertIn(b"HTTP/1.1 4", received, headers)
            self.assertNotIn(TOKEN, received)
            self.assertNotIn(subprotocol(TOKEN), received)

    def test_taken_out_of_the_request(self) -> None:
        """No resource gets to see it; other parameters and subprotocols arrive."""
        seen: list[tuple[bytes, dict[bytes, list[bytes]], list[tuple[bytes, list[bytes]]]]] = []

        class Spy(Node):
            def get(self, request: object) -> bytes:
                headers = list(request.requestHeaders.getAllRawHeaders())  # type: ignore[attr-defined]
                seen.append((request.uri, request.args, headers))  # type: ignore[attr-defined]
                return b""

        self.house.site.resource.putChild(b"spy", Spy())
        self.house.get(
            b"/spy?stream=full&token=" + TOKEN + b"&x=1",
            b"GET",
            GOOD,
            b"Sec-WebSocket-Protocol: certstream, " + subprotocol(TOKEN),
        )
        self.house.get(b"/spy?token=" + TOKEN)
        (uri, args, headers), (bare, _, _) = seen
        self.assertEqual(uri, b"/spy?stream=full&x=1")
        self.assertEqual(args, {b"stream": [b"full"], b"x": [b"1"]})
        names = {name.lower(): values for name, values in headers}
        self.assertNotIn(b"authorization", names)
        self.assertEqual(names[b"sec-websocket-protocol"], [b"certstream"])
        self.assertEqual(bare, b"/spy")

    def test_metrics(self) -> None:
        """Refusals are counted; tokens are by their names, which go when they are replaced."""
        exposition = Exposition(
            Sources(
                hub=self.house.hub,
                clients=self.house.clients,
                logs=list,
                now=self.house.clock.seconds,
                gate=self.house.gate,
            )
        )
        self.upgrade(b"/")
        self.upgrade(b"/?token=wrong")
        self.upgrade(b"/", GOOD)
        self.upgrade(b"/?token=" + OTHER)
        self.house.get(b"/health")
        text = exposition.text().decode()
        self.assertIn("\ncertstream_auth_rejected 2.0\n", text)
        self.assertIn('\ncertstream_token_requests_total{token="grafana"} 1.0\n', text)
        self.assertIn('\ncertstream_token_requests_total{token="unnamed"} 1.0\n', text)
        self.assertNotIn(TOKEN.decode(), text)
        self.house.gate.replace_policy(Policy(tokens=Tokens([Token(text="new", name="new")])))
        self.assertNotIn("grafana", exposition.text().decode())


class Everything:
    """Every event of the program and of Twisted, as text, also what a level would leave out."""

    def __init__(self) -> None:
        self.text = io.StringIO()

    def __call__(self, event: LogEvent) -> None:
        self.text.write(formatEvent(event) + "\n" + repr(event) + "\n")
        if "log_failure" in event:
            self.text.write(event["log_failure"].getTraceback(detail="verbose"))


def _mutations(rng: Random) -> list[bytes]:
    """What is close to a token and is none."""
    return [
        b"",
        b" ",
        TOKEN[:-1],
        TOKEN[1:],
        TOKEN[: rng.randrange(1, len(TOKEN))],
        TOKEN + b"x",
        TOKEN + b"\xc2\xa0",
        TOKEN.upper(),
        TOKEN.lower(),
        TOKEN.swapcase(),
        TOKEN + b"," + TOKEN,
        TOKEN + b" " + TOKEN,
        b"Bearer Bearer " + TOKEN,
        b"Basic " + TOKEN,
        b"Bearer,",
        b'"' + TOKEN + b'"',
        quote(quote("~" + TOKEN.decode()), safe="").encode(),
        TOKEN.replace(b"-", b"%2D"),
        TOKEN.replace(b"-", "\u2010".encode()),
        TOKEN.replace(b"e", "\u0435".encode()),
        "\uff33".encode() + TOKEN[1:],
        sha256(TOKEN).hexdigest().encode(),
        sha256(OTHER).hexdigest().encode(),
        b"sha256:" + sha256(OTHER).hexdigest().encode(),
        b"*",
        b"null",
        b"undefined",
        b"\xff\xfe\xfd",
        b"x" * 600,
        b"x" * 9000,
    ]


class FuzzTests(SynchronousTestCase):
    """Never in, never a traceback, never in a log."""

    def setUp(self) -> None:
        self.house = House(policy=policy())
        self.addCleanup(self.house.close)
        self.log = Everything()
        set_level("debug")
        self.addCleanup(set_level, "info")
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def assert_not_in(self, path: bytes, *headers: bytes) -> None:
        visitor = self.house.visitor()
        visitor.upgrade(path, *headers)
        received = visitor.received()
        visitor.hang_up()
        self.assertIn(received[9:12], (b"401", b"400", b""), (path, headers[:1]))
        self.assertNotIn(b"Traceback", received)

    def test_near_misses(self) -> None:
        """Everything close to a token, in every place, on every stream."""
        for wrong in _mutations(Random(7)):
            in_url = quote(wrong, safe="%").encode()
            for path in STREAMS:
                self.assert_not_in(path, b"Authorization: " + wrong)
                self.assert_not_in(path, b"Authorization: Bearer " + wrong)
                self.assert_not_in(path + b"?token=" + quote(wrong, safe="").encode())
                if b"%2D" not in wrong:
                    self.assert_not_in(path + b"?token=" + in_url)
                offer = b"Sec-WebSocket-Protocol: certstream, "
                self.assert_not_in(path, offer + subprotocol(wrong))
                self.assert_not_in(path, offer + b"bearer." + wrong)
        self.assert_silent(TOKEN, TOKEN[1:], TOKEN.upper())

    def test_other_places(self) -> None:
        """A good token where none is looked for, or twice in one place."""
        double = b"&token=" + TOKEN
        for path, headers in [
            (b"/", []),
            (b"/", [b"X-Authorization: " + TOKEN]),
            (b"/", [b"Proxy-Authorization: Bearer " + TOKEN]),
            (b"/", [b"Cookie: token=" + TOKEN]),
            (b"/", [b"Referer: http://a/?token=" + TOKEN]),
            (b"/", [GOOD, GOOD]),
            (b"/", [GOOD, b"Authorization: Bearer wrong"]),
            (b"/", [b"Authorization: Bearer wrong", GOOD]),
            (b"/", [b"authorization: " + TOKEN, b"AUTHORIZATION: " + TOKEN]),
            (b"/", [b"Authorization: Bearer\r\n " + TOKEN + b"x"]),
            (b"/?token=" + TOKEN + double, []),
            (b"/?token=wrong" + double, []),
            (b"/?TOKEN=" + TOKEN, []),
            (b"/?token[]=" + TOKEN, []),
            (b"/#token=" + TOKEN, []),
            (b"/;token=" + TOKEN, []),
            (b"/", [b"Sec-WebSocket-Protocol: " + subprotocol(TOKEN)] * 2),
            (b"/", [b"Sec-WebSocket-Protocol: certstream, " + TOKEN]),
        ]:
            visitor = self.house.visitor()
            visitor.upgrade(path, *headers)
            self.assertNotEqual(visitor.answer().status, 101, (path, headers))
            visitor.hang_up()
        self.assert_silent(TOKEN)

    def test_huge(self) -> None:
        """A header larger than all may be is refused before anybody compares it."""
        self.assert_not_in(b"/", b"Authorization: " + b"x" * 100_000)
        self.assert_not_in(b"/", *[b"Authorization: " + TOKEN] * 200)
        self.assert_not_in(b"/?token=" + b"x" * 15_000)
        self.assertEqual(self.house.gate.counts.let_in.total(), 0)
        self.assert_silent(TOKEN, b"x" * 600)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b"Authorization: ", b"Authorization: Bearer ", b"X: "]),
                st.one_of(
                    st.binary(max_size=60),
                    st.sampled_from([TOKEN[:-1], TOKEN + b"\x00", b"\x00" + TOKEN]),
                ),
            ),
            max_size=3,
        ),
        st.binary(max_size=40),
    )
    @settings(deadline=None, max_examples=150)
    def test_anything(self, headers: list[tuple[bytes, bytes]], query: bytes) -> None:
        """Any bytes in the header and in the query."""
        visitor = self.house.visitor()
        lines = [name + value.replace(b"\r", b"").replace(b"\n", b"") for name, value in headers]
        visitor.upgrade(b"/?token=" + query.replace(b" ", b"").replace(b"\n", b""), *lines)
        received = visitor.received()
        visitor.hang_up()
        self.assertNotIn(b"HTTP/1.1 101", received)
        self.assertEqual(len(self.house.clients), 0)
        self.assert_silent(TOKEN)

    def test_good_one_is_not_logged_either(self) -> None:
        """Nor anywhere in what a client with a good token leaves behind, failures included."""

        def fail() -> Document:
            raise RuntimeError("broken")

        self.house.site.resource.putChild(b"broken", Page(fail))
        for path in (b"/broken?token=" + TOKEN, b"/broken?x=1&token=" + TOKEN):
            self.assertEqual(self.house.get(path, b"GET").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertIn("/broken", self.log.text.getvalue())
        client = self.house.open(b"/?token=" + TOKEN, GOOD)
        self.house.hub.flush()
        client.send(b"\xff\xff\xff")
        self.house.seconds(70)
        self.house.close()
        text = self.log.text.getvalue()
        self.assertNotIn(TOKEN.decode(), text)
        self.assertNotIn(subprotocol(TOKEN).decode(), text)

    def assert_silent(self, *secrets: bytes) -> None:
        text = self.log.text.getvalue()
        self.assertNotIn("Traceback", text)
        for secret in secrets:
            self.assertNotIn(secret.decode("latin-1"), text)
            self.assertNotIn(subprotocol(secret).decode(), text)
        self.assertEqual(self.flushLoggedErrors(), [])


class StreamTests(AuthTestCase):
    """What comes in with a token is the stream that was asked for."""

    def test_each_stream(self) -> None:
        """The path says which, as without authentication."""
        for path, stream in zip(
            STREAMS, (Stream.LITE, Stream.FULL, Stream.DOMAINS_ONLY), strict=True
        ):
            self.house.open(path + b"?token=" + TOKEN)
            self.assertTrue(self.house.hub.in_use(stream))
