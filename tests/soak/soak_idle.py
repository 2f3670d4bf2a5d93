"""15,000 WebSocket clients on a server that has nothing to say, for two rounds of pings."""

from tests.integration import test_many_clients

HEARTBEAT_SECONDS = 10.0
LATE_SECONDS = 1.0


class IdleTests(test_many_clients.IdleTests):
    """As many as 20,000 open files allow."""

    clients = 15_000
    seconds = 75.0
    settle = 5.0

    def test_idle(self) -> None:
        """None is refused or lost, and heartbeats come in time."""
        counted = self.check_idle()
        print(
            f"\n{self.clients} clients in {counted['connect_seconds']:.1f} s"
            f" (handshake p50 {counted['connect_ms_p50']:.1f} ms,"
            f" p99 {counted['connect_ms_p99']:.1f} ms): {counted['kb']:.2f} kB each;"
            f" longest silence {counted['silence_s_max']:.2f} s;"
            f" scrape {counted['scrape_ms']:.1f} ms"
        )
        self.assertLess(counted["connect_seconds"], self.clients / self.arrivals * 1.05)
        self.assertGreater(counted["pings"], 2 * self.clients)
        self.assertLess(counted["silence_s_max"], HEARTBEAT_SECONDS + LATE_SECONDS)
