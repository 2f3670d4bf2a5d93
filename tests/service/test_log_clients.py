"""Tests of :mod:`certstream_tx.service.log_clients`: which client reads which log."""

from dataclasses import replace

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, ConfigError
from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.clients.hybrid import HybridClient
from certstream_tx.ingest.clients.rfc6962 import RFC6962Client
from certstream_tx.ingest.clients.static import StaticClient
from certstream_tx.service.log_clients import LogClients, stats_of
from tests.events import collected_events


class LogClientsTests(SynchronousTestCase):
    """A log of each protocol, and of both."""

    def test_protocols(self) -> None:
        """By its kind, and by where its head is read."""
        clients = LogClients(Config(), MemoryReactorClock())
        calls = Log("a log", "https://a.example", "rfc6962")
        tiles = replace(calls, kind="tiled")
        for log, kind in (
            (calls, RFC6962Client),
            (tiles, StaticClient),
            (replace(tiles, get_sth=True), HybridClient),
        ):
            self.assertIs(type(clients.client(log, stats_of(log), 0.0)), kind)

    def test_marks(self) -> None:
        """What vouches for a log is counted with it."""
        log = Log("a log", "https://a.example", "rfc6962")
        self.assertEqual((stats_of(log).keyless, stats_of(log).unsigned_list), (True, False))
        self.assertTrue(stats_of(replace(log, unsigned=True)).unsigned_list)

    def test_proxy(self) -> None:
        """One that the environment names is told, without its password; one that is none refuses
        to start."""
        with collected_events() as events:
            proxy = "http://me:hunter2@proxy.example:3128"
            LogClients(Config(), MemoryReactorClock(), {"HTTPS_PROXY": proxy})
            LogClients(Config(), MemoryReactorClock())
        told = [formatEvent(event) for event in events]
        self.assertEqual(told, ["Logs are read through the proxy proxy.example:3128 (HTTPS_PROXY)"])
        with self.assertRaises(ConfigError) as caught:
            LogClients(Config(), MemoryReactorClock(), {"HTTPS_PROXY": "socks5://a:hunter2@b"})
        (problem,) = caught.exception.problems
        self.assertEqual(
            problem,
            "HTTPS_PROXY: expected http://[user:password@]host[:port], got a proxy of another kind"
            " (socks5)",
        )
