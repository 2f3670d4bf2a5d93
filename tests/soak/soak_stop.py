"""Stopping beside a thousand clients, of which a hundred do not read, on every wire."""

from tests.integration import test_stopping


class StopTests(test_stopping.StoppingTests):
    """The tests of stopping with more clients, and on the other wires."""

    clients = 1000
    stalled = 100

    def tearDown(self) -> None:
        print(f"\ngone after {self.took:.2f} s")

    def test_events(self) -> None:
        """Server-sent events end with the connection."""
        self.check_stop("sse")

    def test_lines(self) -> None:
        """So do lines over TCP."""
        self.check_stop("tcp")
