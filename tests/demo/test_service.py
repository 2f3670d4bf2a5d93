"""The demonstration logs as a service, on a reactor of memory and on a real one."""

import json
from typing import Any

import treq
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool

from certstream_tx.ct.checkpoint import read_checkpoint, signed_head
from certstream_tx.ct.log_list import read_log_list, verify_log_list
from certstream_tx.ct.signatures import LogKey
from certstream_tx.demo.service import RATE, SIZE, DemoLogs


def memory_reactor() -> Any:
    clock = MemoryReactorClock()
    clock.advance(1_700_000_000)
    return clock


class MemoryTests(SynchronousTestCase):
    """Listening and growing."""

    def test_listens_on_loopback(self) -> None:
        """One port of the loopback interface, closed again at the end."""
        clock = memory_reactor()
        service = DemoLogs(clock)
        self.assertEqual(service.logs, ())
        service.startService()
        ((port, _, _, interface),) = clock.tcpServers
        self.assertEqual((port, interface), (0, "127.0.0.1"))
        self.assertEqual([log.kind for log in service.logs], ["rfc6962", "tiled"])
        for log in service.logs:
            self.assertTrue(log.url.startswith("http://127.0.0.1:"))
            self.assertFalse(log.url.endswith("/"))
        service.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_grows_at_the_rate(self) -> None:
        """Both logs together grow by the rate, for as long as the service runs."""
        clock = memory_reactor()
        service = DemoLogs(clock)
        service.startService()
        for _ in range(80):
            clock.advance(0.125)
        sizes = [log.tree.size for log in service.demo_logs]
        self.assertEqual(sum(sizes) - 2 * SIZE, 10 * RATE)
        self.assertLessEqual(abs(sizes[0] - sizes[1]), 1)
        service.stopService()
        clock.advance(10)
        self.assertEqual([log.tree.size for log in service.demo_logs], sizes)

    def test_growth_interval(self) -> None:
        """Smaller steps are closer together, and grow to the same."""
        clock = memory_reactor()
        service = DemoLogs(clock, rate=200, growth_interval=0.01)
        service.startService()
        (log, _) = service.demo_logs
        sizes = []
        for _ in range(10):
            clock.advance(0.01)
            sizes.append(log.tree.size - SIZE)
        self.assertEqual(sizes, list(range(1, 11)))
        service.stopService()

    def test_one_log(self) -> None:
        """A single log takes the whole rate, and need not be followed by the other."""
        clock = memory_reactor()
        service = DemoLogs(clock, kinds=("tiled",), rate=50, size=7)
        service.startService()
        clock.pump([0.5] * 4)
        (log,) = service.demo_logs
        self.assertIn(log.tree.size, (107, 108))
        self.assertEqual([listed.kind for listed in service.logs], ["tiled"])
        service.stopService()

    def test_other_logs_at_each_start(self) -> None:
        """Keys are made at the start: two services never are the same log."""
        clock = memory_reactor()
        keys = {log.key for _ in range(3) for log in DemoLogs(clock, size=0).demo_logs}
        self.assertEqual(len(keys), 6)

    def test_stop_before_start(self) -> None:
        """A service that never ran can be stopped."""
        self.assertIsNone(DemoLogs(memory_reactor(), size=0).stopService())


class RealTests(TestCase):
    """Over a real socket."""

    def setUp(self) -> None:
        pool = HTTPConnectionPool(reactor, persistent=False)
        self.client = HTTPClient(Agent(reactor, pool=pool))

    async def get(self, url: str) -> bytes:
        response = await self.client.get(url)
        self.assertEqual(response.code, 200)
        body: bytes = await treq.content(response)
        return body

    async def test_followed_by_its_list(self) -> None:
        """From nothing but the URL of the list both logs are found, and their heads verify."""
        service = DemoLogs(reactor, size=300)
        service.startService()
        self.addCleanup(service.stopService)
        url = service.log_list_url
        body = await self.get(url)
        signature = await self.get(url.replace(".json", ".sig"))
        key = await self.get(url.replace(".json", "_pubkey.pem"))
        verify_log_list(body, signature, key)
        rfc6962, tiled = read_log_list(body, allow_http=True).logs
        self.assertEqual((rfc6962, tiled), service.logs)
        sth = json.loads(await self.get(f"{rfc6962.url}/ct/v1/get-sth"))
        self.assertGreaterEqual(sth["tree_size"], 300)
        page = json.loads(await self.get(f"{rfc6962.url}/ct/v1/get-entries?start=0&end=255"))
        self.assertEqual(len(page["entries"]), 256)
        checkpoint = read_checkpoint(await self.get(f"{tiled.url}/checkpoint"))
        assert tiled.key is not None
        head = signed_head(checkpoint, tiled.origin, LogKey(tiled.key))
        self.assertGreaterEqual(head.size, 300)

    def test_port_taken(self) -> None:
        """A port that cannot be had raises where the service is started."""
        first = DemoLogs(reactor, size=0)
        first.startService()
        self.addCleanup(first.stopService)
        port = int(first.log_list_url.split(":")[2].split("/")[0])
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        second = DemoLogs(reactor, size=0, endpoint=endpoint)
        self.assertRaises(CannotListenError, second.startService)
        self.assertFalse(second.running)

    def test_stop(self) -> Deferred[None]:
        """After the stop the port is free again."""
        service = DemoLogs(reactor, size=0)
        service.startService()
        port = int(service.log_list_url.split(":")[2].split("/")[0])

        async def stop() -> None:
            await service.stopService()
            endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
            again = DemoLogs(reactor, size=0, endpoint=endpoint)
            again.startService()
            await again.stopService()

        return Deferred.fromCoroutine(stop())
