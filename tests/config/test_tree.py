"""Tests of :mod:`certstream_tx.config.tree`: the table itself, and what is derived from it."""

from collections import Counter
from dataclasses import MISSING, FrozenInstanceError, replace

from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx import __version__
from certstream_tx.config import Config, CustomLog, StaticLog
from certstream_tx.config.foreign import IGNORED, MAPPED
from certstream_tx.config.kind import Invalid
from certstream_tx.config.logs import Beside, CtLog
from certstream_tx.config.reading import LEAVES
from certstream_tx.config.serving import Protocols
from certstream_tx.events import LEVELS


class TableTests(SynchronousTestCase):
    """Every key is sound."""

    def test_defaults_are_valid(self) -> None:
        """What is the default could also be said."""
        for leaf in LEAVES.values():
            if leaf.default in (MISSING, Beside.STATE_FILE):
                continue
            value = list(leaf.default) if isinstance(leaf.default, tuple) else leaf.default
            value = dict(value) if hasattr(value, "items") else value
            try:
                self.assertEqual(leaf.key.kind.from_yaml(value), leaf.default, leaf.path)
            except Invalid as error:
                self.fail(f"{leaf.path}: {error}")

    def test_environment_names_are_unique(self) -> None:
        """No variable means two keys."""
        names = Counter(name for leaf in LEAVES.values() for name in leaf.env_names)
        self.assertEqual([name for name, count in names.items() if count > 1], [])

    def test_every_key_has_a_meaning(self) -> None:
        """In words that continue a table row."""
        for leaf in LEAVES.values():
            self.assertTrue(leaf.key.meaning, leaf.path)
            self.assertFalse(leaf.key.meaning.endswith("."), leaf.path)

    def test_foreign_keys_are_foreign(self) -> None:
        """None of them is one of ours, and what they map to is."""
        self.assertEqual([path for path in (*IGNORED, *MAPPED) if path in LEAVES], [])
        self.assertEqual([m.target for m in MAPPED.values() if m.target not in LEAVES], [])

    def test_frozen(self) -> None:
        """A configuration does not change under those who hold it."""
        with self.assertRaises(FrozenInstanceError):
            Config().port = 1  # type: ignore[misc]
        with self.assertRaises(TypeError):
            Config().ct_log.operator_rate_limits["x"] = 1  # type: ignore[index]

    def test_log_levels(self) -> None:
        """Those that events can have."""
        kind = LEAVES["log_level"].key.kind
        for level in LEVELS:
            self.assertEqual(kind.from_text(level), level)
        self.assertEqual([kind.from_text("trace"), kind.from_text("Warning")], ["debug", "warn"])


class DerivedTests(SynchronousTestCase):
    """What follows from other keys."""

    def test_endpoints(self) -> None:
        """The short form is an endpoint string that Twisted listens on as it was meant."""
        for host in ("0.0.0.0", "::", "127.0.0.1", "fe80::1%eth0"):
            reactor = MemoryReactor()
            (text,) = Config(host=host, port=8123).http_endpoints
            serverFromString(reactor, text).listen(object())
            port, _, backlog, interface = reactor.tcpServers[0]
            self.assertEqual((port, interface), (8123, host))
            self.assertGreater(backlog, 50)

    def test_endpoint_strings_replace_the_short_form(self) -> None:
        """Each of its own port only."""
        config = Config(listen=("unix:a",), port=80)
        self.assertEqual(config.http_endpoints, ("unix:a",))
        self.assertEqual(config.tcp_endpoints, ("tcp:81:interface=0.0.0.0:backlog=1024",))
        self.assertEqual(replace(config, listen_tcp=("tcp:9",)).tcp_endpoints, ("tcp:9",))

    def test_tcp_port(self) -> None:
        """The next one, the given one, or any free one beside any free one."""
        self.assertEqual(Config(port=80).tcp_port, 81)
        self.assertEqual(Config(port=0).tcp_port, 0)
        self.assertEqual(Config(port=80, protocols=Protocols(tcp_port=9)).tcp_port, 9)

    def test_list_cache(self) -> None:
        """Beside the state file, unless said otherwise; without a state nothing is kept."""
        for ct_log, folder in (
            (CtLog(), "log_lists"),
            (CtLog(state_file="/data/state.json"), "/data/log_lists"),
            (CtLog(state_file=None), None),
            (CtLog(state_file=None, list_cache="/x"), "/x"),
            (CtLog(list_cache=None), None),
        ):
            self.assertEqual(Config(ct_log=ct_log).list_cache, folder)

    def test_user_agent(self) -> None:
        """Never anonymous: operators serve those they can reach."""
        project = f"certstream-tx/{__version__} (https://github.com/certstream-tx/certstream-tx)"
        self.assertEqual(Config().user_agent, project)
        mine = Config(ct_log=CtLog(contact="me@example.org"))
        self.assertEqual(mine.user_agent, f"certstream-tx/{__version__} (me@example.org)")
        whole = Config(ct_log=CtLog(contact="me@example.org", user_agent="mine/2"))
        self.assertEqual(whole.user_agent, "mine/2")

    def test_settings_of_single_logs(self) -> None:
        """Their own where they have some."""
        config = Config(
            custom_logs=(
                CustomLog(name="a", url="http://a", batch_size=7, poll_interval_ms=50),
                CustomLog(name="b", url="http://b"),
            ),
            static_logs=(StaticLog(name="c", url="http://c", poll_interval_ms=60, batch_size=9),),
        )
        for url, batch, poll in (
            ("http://a", 7, 50),
            ("http://b", 1024, 1000),
            ("http://c", 1024, 60),
            ("https://listed", 1024, 1000),
        ):
            self.assertEqual(
                (config.batch_size_of(url), config.poll_interval_ms_of(url)), (batch, poll)
            )
