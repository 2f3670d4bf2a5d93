"""Who gets its events compressed, and how that is said."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.site import Surface
from certstream_tx.serve.wires.content_coding import accepts_gzip
from tests.serve.visitor import House


class AcceptTests(SynchronousTestCase):
    """What a field says."""

    def test_fields(self) -> None:
        """gzip by name, unless its quality is nothing."""
        accepted = {
            (b"gzip",): True,
            (b"gzip, deflate, br",): True,
            (b"br;q=1.0, gzip;q=0.8, *;q=0.1",): True,
            (b"GZip",): True,
            (b"x-gzip",): True,
            (b"deflate", b"gzip"): True,
            (b" br ,\tgzip ; q=0.001",): True,
            (b"gzip;q=0",): False,
            (b"gzip; q=0.000, br",): False,
            (b"gzip;q=",): False,
            (b"gzip;q=-1",): False,
            (b"gzip;q=nan",): False,
            (b"identity",): False,
            (b"*",): False,
            (b"",): False,
            (b",;,;=,",): False,
            (b"notgzip, gzipped",): False,
            (): False,
        }
        for values, expected in accepted.items():
            self.assertIs(accepts_gzip(values), expected, values)


class HeadTests(SynchronousTestCase):
    """What an answer's head says."""

    def setUp(self) -> None:
        self.house = House(surface=Surface(sse=True))
        self.addCleanup(self.house.close)

    def test_head(self) -> None:
        """The coding where there is one; always that it depends on the request."""
        for method in (b"GET", b"HEAD"):
            for accepted, coding in ((b"gzip", b"gzip"), (b"br", None), (b"gzip;q=0", None)):
                visitor = self.house.visitor()
                visitor.request(b"/sse", method, b"Accept-Encoding: " + accepted)
                headers = visitor.answer(b"HEAD").headers
                self.assertEqual(headers.get(b"content-encoding"), coding, accepted)
                self.assertIn(b"Accept-Encoding", headers[b"vary"])
                visitor.hang_up()
