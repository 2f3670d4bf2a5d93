"""The HTTP surface: every path, every method."""

import json

from certstream_tx.hub import Stream
from certstream_tx.serve.site import Surface
from tests.hub.messages import Numbered
from tests.serve.visitor import House
from tests.serve.wires.test_websocket import HouseTestCase

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html; charset=utf-8"
METRICS = b"text/plain; version=0.0.4; charset=utf-8"

NOT_FOUND = b'{"error":"Not Found"}'


class PathTests(HouseTestCase):
    """What is where."""

    def test_paths(self) -> None:
        """Status, type and CORS of every path."""
        paths = {
            b"/": (200, HTML, False),
            b"/?x=1": (200, HTML, False),
            b"/health": (200, TEXT, False),
            b"/ready": (503, TEXT, False),
            b"/metrics": (200, METRICS, False),
            b"/example.json": (200, JSON, True),
            b"/full-stream/example.json": (200, JSON, True),
            b"/domains-only/example.json": (200, JSON, True),
            b"/full-stream": (426, JSON, False),
            b"/domains-only/": (426, JSON, False),
            b"/nothing": (404, JSON, False),
            b"/health/nothing": (404, JSON, False),
            b"/example.json/": (404, JSON, False),
            b"/full-stream/nothing": (404, JSON, False),
            b"/domains-only//": (404, JSON, False),
            b"//": (404, JSON, False),
            b"/favicon.ico": (404, JSON, False),
            b"/..%2f..%2fetc/passwd": (404, JSON, False),
            b"/%00": (404, JSON, False),
        }
        for path, (status, content_type, cors) in paths.items():
            answer = self.house.get(path)
            self.assertEqual(answer.status, status, path)
            self.assertEqual(answer.headers[b"content-type"], content_type, path)
            self.assertEqual(
                answer.headers.get(b"access-control-allow-origin"), b"*" if cors else None
            )
            self.assertEqual(answer.headers[b"x-content-type-options"], b"nosniff", path)
            self.assertIn(b"certstream-tx", answer.headers[b"server"], path)
            if content_type == JSON:
                json.loads(answer.body)
            if status == 404:
                self.assertEqual(answer.body, NOT_FOUND, path)

    def test_head(self) -> None:
        """HEAD has the status and headers of GET and no body, and the connection goes on."""
        for path in (b"/", b"/health", b"/metrics", b"/example.json", b"/full-stream", b"/nothing"):
            visitor = self.house.visitor()
            visitor.request(path)
            got = visitor.answer()
            for method in (b"HEAD", b"HEAD"):
                visitor.request(path, method)
                head = visitor.answer(method)
                self.assertEqual(head.status, got.status, path)
                self.assertEqual(head.headers, got.headers, path)
                self.assertEqual(visitor.received(), b"", path)

    def test_other_methods(self) -> None:
        """Paths are read: other methods are not allowed, and the answer names those that are."""
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"BREW"):
            for path in (b"/", b"/health", b"/example.json", b"/domains-only"):
                answer = self.house.get(path, method)
                self.assertEqual(answer.status, 405, (method, path))
                self.assertEqual(answer.headers[b"allow"], b"GET, HEAD, OPTIONS")
                self.assertEqual(answer.body, b'{"error":"Method Not Allowed"}')
        self.assertEqual(self.house.get(b"/nothing", b"POST").status, 404)

    def test_options(self) -> None:
        """OPTIONS tells the methods; of what other origins may read, also that they may."""
        for path, cors in ((b"/example.json", True), (b"/metrics", False)):
            answer = self.house.get(path, b"OPTIONS", b"Origin: https://elsewhere.example")
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertEqual(answer.headers[b"allow"], b"GET, HEAD, OPTIONS")
            self.assertEqual(b"access-control-allow-methods" in answer.headers, cors)

    def test_upgrade_of_head_is_no_upgrade(self) -> None:
        """Only GET opens a WebSocket."""
        visitor = self.house.visitor()
        visitor.request(b"/", b"HEAD", b"Upgrade: websocket", b"Connection: Upgrade")
        self.assertEqual(visitor.answer(b"HEAD").status, 200)

    def test_other_upgrades_are_ignored(self) -> None:
        """Who asks for another protocol gets the page (RFC 9110 section 7.8)."""
        answer = self.house.get(
            b"/", b"GET", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"
        )
        self.assertEqual(answer.status, 200)

    def test_whole_url(self) -> None:
        """A request may name the whole URL."""
        for url in (b"http://server.example/health", b"HTTPS://x:1/health?y"):
            self.assertEqual(self.house.get(url).body, b"OK")
        self.assertEqual(self.house.get(b"http://server.example").status, 200)

    def test_readiness(self) -> None:
        """``/ready`` is what it is told; ``/health`` says that the process turns."""
        self.house.ready = True
        self.assertEqual(self.house.get(b"/ready")[0::2], (200, b"OK"))
        self.assertEqual(self.house.get(b"/health")[0::2], (200, b"OK"))

    def test_switches(self) -> None:
        """What is switched off is not found; the page stays."""
        house = House(
            surface=Surface(websocket=False, metrics=False, health=False, example_json=False)
        )
        self.addCleanup(house.close)
        for path in (
            b"/metrics",
            b"/health",
            b"/ready",
            b"/example.json",
            b"/full-stream",
            b"/full-stream/example.json",
        ):
            self.assertEqual(house.get(path)[0::2], (404, NOT_FOUND), path)
        self.assertEqual(house.get(b"/").status, 200)
        visitor = house.visitor()
        visitor.upgrade(b"/")
        self.assertEqual(visitor.answer().status, 404)

    def test_disabled_stream(self) -> None:
        """A stream that is not served has neither its path nor its example."""
        house = House(streams=[Stream.LITE])
        self.addCleanup(house.close)
        for path in (b"/full-stream", b"/full-stream/example.json", b"/domains-only"):
            self.assertEqual(house.get(path).status, 404, path)
        self.assertEqual(house.get(b"/example.json").status, 200)

    def test_our_mistake(self) -> None:
        """An error inside is a 500 in JSON without a traceback; the log has it."""
        self.house.metrics = lambda: 1 // 0 and b""
        answer = self.house.get(b"/metrics")
        self.assertEqual(answer.status, 500)
        self.assertEqual(answer.body, b'{"error":"Internal Server Error"}')
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_access_log(self) -> None:
        """Requests leave no lines in the program's log."""
        from twisted.logger import globalLogPublisher

        events: list[object] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.house.site.doStart()
        self.house.get(b"/health")
        self.house.get(b"/nothing", b"HEAD")
        self.house.open().hang_up()
        self.house.site.doStop()
        self.assertEqual(events, [])
        self.assertEqual(len(self.house.clock.getDelayedCalls()), 1)


class ExampleTests(HouseTestCase):
    """``example.json``."""

    def test_built_in_before_the_first_message(self) -> None:
        """Without a real message there is a built-in one of the stream."""
        self.assertEqual(
            self.house.get(b"/domains-only/example.json").body, b'{"example":"domains-only"}'
        )

    def test_newest_message(self) -> None:
        """The newest message of that stream, encoded only when asked for."""
        messages = [Numbered(1), Numbered(2, names=False)]
        for message in messages:
            self.house.hub.publish(message)
        self.assertEqual([m.encoded for m in messages], [[], []])
        self.assertEqual(self.house.get(b"/example.json").body, b"lite 2 ")
        self.assertEqual(self.house.get(b"/full-stream/example.json").body, b"full 2 ")
        self.assertEqual(self.house.get(b"/domains-only/example.json").body, b"domains 1 ")

    def test_newest_message_has_no_names(self) -> None:
        """When no recent message is on domains-only, the built-in one is shown."""
        self.house.hub.publish(Numbered(1, names=False))
        answer = self.house.get(b"/domains-only/example.json")
        self.assertEqual(answer.body, b'{"example":"domains-only"}')
