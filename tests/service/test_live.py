"""What can change while the server runs: each part takes a new configuration."""

import json
import re
from pathlib import Path
from random import Random

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, ConfigError, load
from certstream_tx.config.reading import LEAVES
from certstream_tx.ct.log_list import Log
from certstream_tx.events import logger, set_level
from certstream_tx.hub.lag import LagBounds
from certstream_tx.ingest.lists.followed_logs import FollowedLogs
from certstream_tx.ingest.lists.log_lists import LogLists
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.policy import ConnectionLimit, RateLimit
from certstream_tx.serve.ports.tls_files import TLSFiles
from certstream_tx.serve.wires.slow_readers import SlowReaders
from certstream_tx.service.live import (
    ACCESS_KEYS,
    LAG_KEYS,
    LOG_KEYS,
    PACE_KEYS,
    TLS_KEYS,
    ChosenLogs,
    live_parts,
)
from certstream_tx.service.log_clients import LogClients
from certstream_tx.service.reload import OWN_KEYS, LivePart, Reloading
from certstream_tx.stats import ReloadStats
from tests.checkout import DOCS
from tests.events import collected_events
from tests.serve.certificates import make_pair
from tests.serve.visitor import House

STAYS_BY_DESIGN = {"host", "port", "listen", "listen_tcp", "ct_log.state_file"}
"""keys of which everybody knows that a running server cannot change them"""
KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + "A" * 86 + "=="


def read(yaml: str) -> Config:
    return load({}, {}, read_file=lambda path: yaml.encode()).config


def parts_of(
    gate: Gate | None = None, tls: TLSFiles | None = None, chosen: ChosenLogs | None = None
) -> list[LivePart]:
    """Those of a server with these."""
    house = House()
    slow = SlowReaders(house.clock, house.hub, LagBounds())
    return live_parts(
        gate or house.gate, slow, LogClients(Config(), MemoryReactorClock()), tls, chosen
    )


def part_of(parts: list[LivePart], key: str) -> LivePart:
    (part,) = (part for part in parts if key in part.keys)
    return part


class KeysTests(SynchronousTestCase):
    """Which keys are live."""

    def test_keys(self) -> None:
        """They exist, each belongs to one part, and none of them is one that cannot change."""
        keys = ["log_level", *ACCESS_KEYS, *LOG_KEYS, *TLS_KEYS, *OWN_KEYS, *LAG_KEYS, *PACE_KEYS]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(set(keys) - set(LEAVES), set())
        self.assertEqual(set(keys) & STAYS_BY_DESIGN, set())
        for section in ("auth", "rate_limit", "connection_limit", "hot_reload", "lag"):
            inside = {path for path in LEAVES if path.startswith(f"{section}.")}
            self.assertEqual(inside - set(keys), set(), section)

    def test_without_logs_and_tls(self) -> None:
        """Of what is not there the keys wait for a restart."""
        keys = {key for part in parts_of() for key in part.keys}
        self.assertEqual(keys, {"log_level", *ACCESS_KEYS, *LAG_KEYS, *PACE_KEYS})

    def test_handbook_names_them(self) -> None:
        """All of them, alone or with their section, and nothing else."""
        page = (DOCS / "operations.md").read_text()
        (text,) = re.findall(r"(?s)Without a restart it takes over (.*?)\.\n", page)
        named: set[str] = set()
        for name in re.findall(r"`([a-z0-9_.]+)`", text):
            found = {path for path in LEAVES if path == name or path.startswith(f"{name}.")}
            self.assertTrue(found, name)
            named |= found
        keys = {"log_level", *ACCESS_KEYS, *LOG_KEYS, *TLS_KEYS, *OWN_KEYS, *LAG_KEYS, *PACE_KEYS}
        self.assertEqual(named, keys)


class LevelTests(SynchronousTestCase):
    """The log level."""

    def test_level(self) -> None:
        """It holds from the next event on."""
        self.addCleanup(set_level, "info")
        part = part_of(parts_of(), "log_level")
        log = logger("certstream_tx.test")
        with collected_events() as events:
            for level in ("debug", "error"):
                part.prepare(read(f"log_level: {level}"))()
                log.debug("quiet")
                log.warn("loud")
        self.assertEqual([e["log_level"] for e in events], [LogLevel.debug, LogLevel.warn])


class AccessTests(SynchronousTestCase):
    """Tokens, limits and proxies, on a site with a client."""

    YAML = """
auth: {enabled: true, tokens: [new], header_name: X-Key}
rate_limit: {enabled: true, per_second: 2, burst_size: 3}
connection_limit: {enabled: true, max_connections: 2, per_ip_limit: 1}
trusted_proxies: [192.0.2.1]
"""

    def test_all_at_once(self) -> None:
        """Nothing changes while it is prepared, and all of it at one stroke then."""
        house = House()
        self.addCleanup(house.close)
        client = house.open()
        before = house.gate.policy
        apply = part_of(parts_of(house.gate), "auth.tokens").prepare(read(self.YAML))
        self.assertIs(house.gate.policy, before)
        apply()
        policy = house.gate.policy
        assert policy.tokens is not None
        self.assertEqual(policy.tokens.label_of([b"new"]), "unnamed")
        self.assertEqual(policy.header_name, b"X-Key")
        self.assertEqual(policy.rate, RateLimit(2, 3))
        self.assertEqual(policy.connections, ConnectionLimit(2, 1))
        self.assertTrue(policy.proxies)
        with self.assertRaises(AttributeError):
            policy.rate = None  # type: ignore[misc]

        def upgrade(address: bytes) -> int:
            visitor = house.visitor()
            visitor.upgrade(b"/", b"X-Key: new", b"X-Forwarded-For: " + address)
            return visitor.answer().status

        self.assertEqual(house.get(b"/full-stream").status, 401)
        self.assertEqual([upgrade(b"198.51.100.1"), upgrade(b"198.51.100.2")], [101, 429])
        house.seconds(20, pong=[client])
        self.assertIsNone(client.closed)


class LagTests(SynchronousTestCase):
    """When a slow client is dropped."""

    def test_bounds(self) -> None:
        """Those that are configured are in force once they are put so, and not before."""
        house, used = House(), list[LagBounds]()
        slow = SlowReaders(house.clock, house.hub, LagBounds())
        self.patch(slow, "use", used.append)
        clients = LogClients(Config(), MemoryReactorClock())
        part = part_of(live_parts(house.gate, slow, clients, None, None), "lag.stall_secs")
        apply = part.prepare(read("lag: {max_lost_share: 0.7, window_secs: 7, stall_secs: 3}"))
        self.assertEqual(used, [])
        apply()
        self.assertEqual(used, [LagBounds(max_lost_share=0.7, window=7, stall=3)])


class PaceTests(SynchronousTestCase):
    """How fast operators are asked."""

    def test_paces(self) -> None:
        """Those of operators that are read already change too."""
        clients = LogClients(Config(), MemoryReactorClock())
        slow = SlowReaders(Clock(), House().hub, LagBounds())
        part = part_of(live_parts(Gate(), slow, clients, None, None), "ct_log.operator_rate_limits")
        names = ("Google", "Let's Encrypt", "My Own")

        def intervals() -> list[float]:
            return [
                round(
                    clients._pace_of(
                        Log(name, "https://a.example", "rfc6962", operator=name)
                    ).interval,
                    3,
                )
                for name in names
            ]

        self.assertEqual(intervals(), [0.04, 0.1, 0.025])
        part.prepare(
            read("ct_log: {default_operator_rate_limit_ms: 50, operator_rate_limits: {my own: 9}}")
        )()
        self.assertEqual(intervals(), [0.05, 0.1, 0.009])


class Poller(Service):
    """Follows nothing, but remembers what it was made with."""

    def __init__(self, log: Log, interval: int) -> None:
        self.log = log
        self.interval = interval


class LogsTests(SynchronousTestCase):
    """Logs of one's own, and what is chosen."""

    def setUp(self) -> None:
        self.pollers: list[Poller] = []
        self.config = self.read("")
        self.followed = FollowedLogs(self.make)
        self.followed.startService()
        self.lists = LogLists(
            self.config,
            self,
            Clock(),
            lambda f: succeed(f()),
            lambda found: None,
            Random(1),
        )
        self.chosen = ChosenLogs(self.lists, self.followed, self.use)
        self.part = part_of(parts_of(chosen=self.chosen), "custom_logs")
        self.chosen.follow()

    async def get(self, url: str, *, max_bytes: int) -> bytes:
        """Nothing is fetched here."""
        raise AssertionError(url)

    def read(self, yaml: str) -> Config:
        base = "ct_logs_url: null\nct_log: {state_file: null}\n"
        first = "custom_logs:\n- {name: first, url: 'http://first'}\n"
        return read(base + (yaml or first))

    def use(self, config: Config) -> None:
        self.config = config

    def make(self, log: Log) -> IService:
        self.pollers.append(Poller(log, self.config.poll_interval_ms_of(log.url)))
        return self.pollers[-1]

    def running(self) -> list[str]:
        return sorted(poller.log.name for poller in self.pollers if poller.running)

    def take(self, yaml: str) -> None:
        self.part.prepare(self.read(yaml))()

    def test_added_and_removed(self) -> None:
        """New ones are followed, those that are gone no longer, others are left alone."""
        self.take(
            "custom_logs:\n- {name: first, url: 'http://first'}\n"
            "static_logs:\n- {name: second, url: 'http://second'}\n"
        )
        self.assertEqual(self.running(), ["first", "second"])
        self.assertEqual(len(self.pollers), 2)
        self.take("static_logs:\n- {name: second, url: 'http://second'}\n")
        self.assertEqual(self.running(), ["second"])
        self.assertEqual(len(self.pollers), 2)

    def test_settings_of_one_log(self) -> None:
        """A log whose own settings changed is begun anew with them, from its position."""
        self.take(
            "custom_logs:\n- {name: first, url: 'http://first', poll_interval_ms: 77}\n"
            "- {name: other, url: 'http://other'}\n"
        )
        self.assertEqual(self.running(), ["first", "other"])
        intervals = {poller.log.name: poller.interval for poller in self.pollers if poller.running}
        self.assertEqual(intervals, {"first": 77, "other": 1000})
        self.assertFalse(self.pollers[0].running)

    def test_bad_key(self) -> None:
        """A key that no library can read is found before anything is changed."""
        with self.assertRaises(ConfigError) as caught:
            self.take(f"custom_logs:\n- {{name: x, url: 'http://x', key: {KEY}}}\n")
        self.assertIn("custom_logs, x: key: ", str(caught.exception))
        self.assertEqual(self.running(), ["first"])

    def test_excluded(self) -> None:
        """Exclusions choose from the list that is in force, at once."""
        self.lists = LogLists(
            read("ct_log: {list_cache: null}"),
            self,
            Clock(),
            lambda f: succeed(f()),
            lambda found: None,
            Random(1),
        )
        self.lists.load()
        self.chosen = ChosenLogs(self.lists, self.followed, self.use)
        self.chosen.follow()
        before = self.running()
        self.assertGreater(len(before), 10)
        config = read(
            f"ct_log: {{list_cache: null, excluded_logs: [{json.dumps(before[0])}, nobody]}}"
        )
        with collected_events() as events:
            self.chosen.prepare(config)()
        self.assertEqual(self.running(), before[1:])
        texts = [event["log_format"] for event in events if event.get("name") == "nobody"]
        self.assertEqual(texts, ["{key}: nothing in the log list is called {name}"])


class TLSTests(SynchronousTestCase):
    """Other files."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        for name in ("old", "new"):
            pair = make_pair(name)
            (self.folder / f"{name}.crt").write_bytes(pair.pem)
            (self.folder / f"{name}.key").write_bytes(pair.key_pem())
        self.tls = TLSFiles(self.path("old.crt"), self.path("old.key"), Clock())
        self.part = part_of(parts_of(tls=self.tls), "tls_cert")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def config(self, certificate: str, key: str) -> Config:
        return read(f"tls_cert: {self.path(certificate)}\ntls_key: {self.path(key)}")

    def test_taken_over(self) -> None:
        """Read when it is prepared, used when it is put in force, and watched from then on."""
        before = self.tls._options
        apply = self.part.prepare(self.config("new.crt", "new.key"))
        self.assertIs(self.tls._options, before)
        apply()
        self.assertIsNot(self.tls._options, before)
        self.assertIn("new", str(self.tls._options.certificate.get_subject().CN))
        (self.folder / "old.crt").unlink()
        self.tls.look()
        self.tls.look()
        self.assertIn("new", str(self.tls._options.certificate.get_subject().CN))

    def test_wrong(self) -> None:
        """A pair that is none is a problem of the whole configuration."""
        before = self.tls._options
        for certificate, key, text in (
            ("new.crt", "old.key", "not the key of the first certificate"),
            ("nowhere", "new.key", "No such file"),
        ):
            with self.assertRaises(ConfigError) as caught:
                self.part.prepare(self.config(certificate, key))
            self.assertIn(text, str(caught.exception))
        self.assertIs(self.tls._options, before)

    def test_off(self) -> None:
        """A port that speaks TLS goes on to do so until the restart."""
        self.assertTrue(self.part.can_become(self.config("new.crt", "new.key")))
        self.assertFalse(self.part.can_become(Config()))


class WholeTests(SynchronousTestCase):
    """The parts together."""

    def test_nothing_half_applied(self) -> None:
        """One part's objection keeps every other from its change."""
        gate = Gate()
        before = gate.policy
        tls = TLSTests("test_wrong")
        tls.setUp()
        yaml = (
            "auth: {enabled: true, tokens: [a]}\n"
            f"tls_cert: {tls.path('new.crt')}\ntls_key: {tls.path('old.key')}\n"
        )
        loaded = load({}, {}, read_file=lambda path: yaml.encode())
        reloading = Reloading(
            Clock(),
            lambda: loaded,
            tls.config("old.crt", "old.key"),
            parts_of(gate, tls.tls),
            ReloadStats(),
            path=None,
        )
        with collected_events() as events:
            self.assertFalse(reloading.reload())
        self.assertIs(gate.policy, before)
        self.assertEqual(len(events), 2)
        self.assertIsInstance(reloading.config, Config)


class DeferredTests(SynchronousTestCase):
    """Logs that take their time to stop."""

    def test_two_reloads_at_once(self) -> None:
        """A log that comes back while its poller is stopping is followed again, once."""
        stopping: Deferred[None] = Deferred()
        made: list[Poller] = []

        class Slow(Poller):
            def stopService(self) -> Deferred[None]:
                Service.stopService(self)
                return stopping

        def make(log: Log) -> IService:
            made.append(Slow(log, 0))
            return made[-1]

        followed = FollowedLogs(make)
        followed.startService()
        with_it = read("ct_logs_url: null\ncustom_logs: [{name: a, url: 'http://a'}]")
        without = read("ct_logs_url: null\ncustom_logs: [{name: b, url: 'http://b'}]")
        lists = LogLists(
            with_it,
            LogsTests("test_excluded"),
            Clock(),
            lambda f: succeed(f()),
            lambda found: None,
            Random(1),
        )
        chosen = ChosenLogs(lists, followed, lambda config: None)
        chosen.follow()
        chosen.prepare(without)()
        chosen.prepare(with_it)()
        stopping.callback(None)
        self.assertEqual([poller.log.name for poller in made], ["a", "b", "a"])
        self.assertEqual([poller.running for poller in made], [0, 0, 1])
