"""Reloading: whole or not at all, and every change told."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, ConfigError
from certstream_tx.config.changes import value_of
from certstream_tx.service.options import Options
from certstream_tx.service.reload import LOOK_SECONDS, Apply, LivePart, Reloading
from certstream_tx.stats import ReloadStats
from tests.events import collected_events


class ThreadClock(Clock):
    """A clock that calls from other threads can be put on."""

    def callFromThread(self, f: Callable[..., object], *args: Any) -> None:
        self.callLater(0, f, *args)


class Recorder:
    """A part of the server that keeps what it was told to put in force."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.in_force: list[tuple[Any, ...]] = []
        self.objection: str | None = None
        self.possible = True

    def part(self) -> LivePart:
        return LivePart(self.keys, self.prepare, lambda config: self.possible)

    def prepare(self, config: Config) -> Apply:
        if self.objection is not None:
            raise ConfigError([self.objection])
        values = tuple(value_of(config, key) for key in self.keys)
        return lambda: self.in_force.append(values)


class ReloadTestCase(SynchronousTestCase):
    """A file, and a server that has read it."""

    environment: dict[str, str] = {}
    arguments: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.file = self.folder / "config.yaml"
        self.clock = ThreadClock()
        self.level = Recorder("log_level")
        self.access = Recorder("auth.enabled", "auth.tokens", "rate_limit.enabled")
        self.stats = ReloadStats()
        self.hangups = 0

    def start(self, yaml: str, **environment: str) -> Reloading:
        self.file.write_text(yaml)
        self.options = Options({f"CERTSTREAM_{k}": v for k, v in environment.items()})
        self.options.parseOptions(["--config", str(self.file), *self.arguments])
        self.reloading = Reloading(
            self.clock,
            self.options.load_again,
            self.options.config,
            [self.level.part(), self.access.part()],
            self.stats,
            path=self.options.config_path,
            always=[self.hung_up],
        )
        self.reloading.startService()
        self.addCleanup(lambda: self.reloading.running and self.reloading.stopService())
        return self.reloading

    def hung_up(self) -> None:
        self.hangups += 1

    def told(self) -> AbstractContextManager[list[LogEvent]]:
        return collected_events()

    def reload(self, yaml: str) -> list[str]:
        """Write it, reload, and return what the operator is told."""
        self.file.write_text(yaml)
        with self.told() as events:
            self.reloading.reload()
        return [formatEvent(event) for event in events]


class TakeOverTests(ReloadTestCase):
    """What changes."""

    def test_changes(self) -> None:
        """Each part gets what concerns it, once; each change is one line."""
        self.start("log_level: info\nrate_limit: {enabled: false}")
        told = self.reload("log_level: debug\nrate_limit: {enabled: true}")
        self.assertEqual(
            told,
            [
                'Reload 1: log_level: "info" -> "debug"',
                "Reload 1: rate_limit.enabled: false -> true",
            ],
        )
        self.assertEqual(self.level.in_force, [("debug",)])
        self.assertEqual(self.access.in_force, [(False, (), True)])
        self.assertEqual((self.stats.applied, self.stats.failed), (1, 0))
        self.assertEqual(self.reloading.config.log_level, "debug")

    def test_nothing_changed(self) -> None:
        """Nobody is disturbed."""
        self.start("log_level: debug")
        told = self.reload("log_level: debug  # with a comment")
        self.assertEqual(told, ["Reload 1: nothing that can change now has changed"])
        self.assertEqual((self.level.in_force, self.access.in_force), ([], []))
        self.assertEqual(self.stats.applied, 1)

    def test_tokens_are_masked(self) -> None:
        """That tokens changed is told, not which they are."""
        self.start("auth: {enabled: true, tokens: [hunter2]}")
        told = self.reload("auth: {enabled: true, tokens: [hunter3]}")
        self.assertEqual(told, ['Reload 1: auth.tokens: ["***"] -> ["***"] (1 added, 1 removed)'])

    def test_level_hides_nothing(self) -> None:
        """The change of the level is told whichever way it goes."""
        self.start("log_level: info")
        self.assertIn('Reload 1: log_level: "info" -> "warn"', self.reload("log_level: warn"))
        told = self.reload("log_level: debug")
        self.assertEqual(told, ['Reload 2: log_level: "warn" -> "debug"'])

    def test_restart(self) -> None:
        """What needs one is named, once, with old and new; also when it is taken back."""
        self.start("port: 8080")
        line = "port: 8080 -> 9090: in force after a restart"
        self.assertIn(line, self.reload("port: 9090"))
        self.assertNotIn(line, self.reload("port: 9090\nlog_level: debug"))
        self.assertIn(line.replace("9090", "9091"), self.reload("port: 9091"))
        self.assertIn("port: is again what is in force", self.reload("port: 8080"))
        self.assertEqual(self.reloading.config.port, 8080)

    def test_part_that_cannot(self) -> None:
        """A part may need a restart for some values."""
        self.level.possible = False
        self.start("log_level: info")
        told = self.reload("log_level: warn")
        self.assertIn('log_level: "info" -> "warn": in force after a restart', told)
        self.assertEqual(self.level.in_force, [])

    def test_environment_stays_above(self) -> None:
        """What the environment says is not changed by a file."""
        self.start("log_level: info", LOG_LEVEL="error", RATE_LIMIT_ENABLED="false")
        told = self.reload("log_level: debug\nrate_limit: {enabled: true}")
        self.assertEqual(told, ["Reload 1: nothing that can change now has changed"])
        self.assertEqual(self.reloading.config.log_level, "error")

    def test_command_line_stays_above(self) -> None:
        """Nor what the command line says."""
        self.arguments = ("--log-level", "error")
        self.start("log_level: info")
        self.reload("log_level: debug")
        self.assertEqual(self.level.in_force, [])

    def test_warnings(self) -> None:
        """What is accepted with a warning is warned of."""
        self.start("")
        self.assertIn(
            "nats: has no equal here, ignored: there is no output to NATS",
            self.reload("nats: {url: x}"),
        )

    def test_one_part_fails(self) -> None:
        """A mistake of one part does not keep the others from theirs."""

        def fail(config: Config) -> Apply:
            def apply() -> None:
                raise RuntimeError("broken")

            return apply

        self.start("log_level: info")
        self.reloading._parts.insert(0, LivePart(("trusted_proxies",), fail))
        self.reload("log_level: debug\ntrusted_proxies: [10.0.0.1]")
        self.assertEqual(self.level.in_force, [("debug",)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class RefusalTests(ReloadTestCase):
    """What is wrong changes nothing."""

    def assert_refused(self, yaml: str, *problems: str) -> None:
        before = self.reloading.config
        failed = self.stats.failed
        told = self.reload(yaml)
        self.assertEqual(
            told, [*problems, "The configuration was not taken over, the former values stay"]
        )
        self.assertIs(self.reloading.config, before)
        self.assertEqual((self.level.in_force, self.access.in_force), ([], []))
        self.assertEqual((self.stats.failed, self.stats.last_failed), (failed + 1, True))

    def test_invalid(self) -> None:
        """Nothing of it is put in force, though most of it is fine."""
        self.start("log_level: info\nauth: {enabled: true, tokens: [a]}")
        self.assert_refused(
            "log_level: debug\nrate_limit: {enabled: maybe}",
            'rate_limit.enabled: expected true or false, got "maybe"',
        )
        self.assert_refused("log_level: [", f"{self.file}: {YAML_PROBLEM}")
        self.assert_refused(
            "auth: {enabled: true}",
            "auth.tokens: expected at least one token, because auth.enabled is true, got none",
        )
        self.assert_refused("\0", f"{self.file}: {CONTROL_PROBLEM}")

    def test_part_objects(self) -> None:
        """What only a part can see is wrong keeps all the others from their part as well."""
        self.start("")
        self.access.objection = "auth.tokens: not these"
        self.assert_refused("log_level: debug\nauth: {tokens: [a]}", "auth.tokens: not these")

    def test_said_once(self) -> None:
        """The same again is counted, and not said again; another thing is."""
        self.start("")
        self.assertEqual(len(self.reload("x: 1")), 2)
        self.assertEqual(self.reload("x: 1"), [])
        self.assertEqual(len(self.reload("y: 1")), 2)
        self.reload("log_level: debug")
        self.assertEqual(len(self.reload("y: 1")), 2)
        self.assertEqual(self.stats.failed, 4)

    def test_said_again_on_request(self) -> None:
        """Who sends SIGHUP wants to know."""
        self.start("")
        self.reload("x: 1")
        with self.told() as events:
            self.reloading.hang_up()
        self.assertEqual(len(events), 3)

    def test_right_again(self) -> None:
        """The next valid one counts."""
        self.start("log_level: info")
        self.reload("x: 1")
        self.reload("log_level: debug")
        self.assertEqual(self.level.in_force, [("debug",)])
        self.assertFalse(self.stats.last_failed)

    def test_gone(self) -> None:
        """No file is no configuration: other files, and defaults, are not meant."""
        self.start("auth: {enabled: true, tokens: [a]}")
        (self.folder / "config.yml").write_text("log_level: debug")
        self.file.unlink()
        with self.told() as events:
            self.assertFalse(self.reloading.reload())
        self.assertEqual(formatEvent(events[0]), f"{self.file}: there is no such file")
        self.assertTrue(self.reloading.config.auth.enabled)

    def test_another_folder(self) -> None:
        """The file is the same wherever a launcher has gone since."""
        home = os.getcwd()
        self.addCleanup(os.chdir, home)
        os.chdir(self.folder)
        self.file.write_text("log_level: info")
        options = Options({})
        options.parseOptions([])
        os.chdir(home)
        self.file.write_text("log_level: debug")
        self.assertEqual(options.load_again().config.log_level, "debug")

    def test_empty(self) -> None:
        """A file that was opened to be written is empty for a moment."""
        self.start("auth: {enabled: true, tokens: [a]}")
        self.assert_refused("", f"{self.file}: it is empty")
        self.assertEqual(self.reload(" \n\n"), [])
        self.assertTrue(self.reloading.config.auth.enabled)

    def test_cut(self) -> None:
        """A file that lost its end does not turn authentication off; saying so does."""
        self.start("log_level: info\nauth:\n  enabled: true\n  tokens: [a]\n")
        problem = "auth.enabled: expected false to be written, because it was true, got nothing"
        self.assert_refused("log_level: debug\n", problem)
        self.assertEqual(self.reload("log_level: debug\nauth:\n"), [])
        self.assertTrue(self.reloading.config.auth.enabled)
        self.assertIn("auth.enabled: true -> false", self.reload("auth: {enabled: false}")[0])

    def test_contradiction_with_what_waits(self) -> None:
        """Values that can change now are not taken over when they make no sense without those
        that need a restart."""
        self.start("ct_log: {rfc6962_enabled: false}")
        self.reloading._parts.append(Recorder("ct_log.static_ct_enabled").part())
        self.assert_refused(
            "ct_log: {rfc6962_enabled: true, static_ct_enabled: false}",
            "ct_log.rfc6962_enabled: expected true, because ct_log.static_ct_enabled is false and "
            "neither custom_logs nor static_logs names a log, got false "
            "(some of what has changed needs a restart)",
        )


YAML_PROBLEM = "line 1, column 13: expected the node content, but found '<stream end>'"
CONTROL_PROBLEM = (
    "unacceptable character #x0000: special characters are not allowed in "
    '"<unicode string>", position 0'
)


class WatchTests(ReloadTestCase):
    """The file."""

    def looks(self, count: int = 2) -> None:
        for _ in range(count):
            self.clock.advance(LOOK_SECONDS)

    def test_watched(self) -> None:
        """It is taken over when it has changed and rested."""
        self.start("hot_reload: {enabled: true}")
        self.file.write_text("hot_reload: {enabled: true}\nlog_level: debug")
        self.looks()
        self.assertEqual(self.level.in_force, [("debug",)])
        self.looks(5)
        self.assertEqual(self.stats.applied, 1)

    def test_not_watched(self) -> None:
        """Unless it is asked for, only SIGHUP counts."""
        self.start("log_level: info")
        self.file.write_text("log_level: debug")
        self.looks(5)
        self.assertEqual(self.level.in_force, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.reloading.hang_up()
        self.assertEqual(self.level.in_force, [("debug",)])

    def test_turned_on_and_off(self) -> None:
        """Watching can itself be changed."""
        self.start("log_level: info")
        self.reload("hot_reload: {enabled: true}")
        self.file.write_text("log_level: debug\nhot_reload: {enabled: false}")
        self.looks()
        self.assertEqual(self.level.in_force, [("debug",)])
        self.file.write_text("log_level: warn")
        self.looks(5)
        self.assertEqual(self.level.in_force, [("debug",)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_another_path(self) -> None:
        """Another file, or a folder, may be what is looked at."""
        trigger = self.folder / "trigger"
        self.start(f"hot_reload: {{enabled: true, watch_path: {trigger}}}")
        text = f"hot_reload: {{enabled: true, watch_path: {trigger}}}\nlog_level: debug"
        self.file.write_text(text)
        self.looks(3)
        self.assertEqual(self.level.in_force, [])
        trigger.touch()
        self.looks()
        self.assertEqual(self.level.in_force, [("debug",)])

    def test_wrong_file_is_said_once(self) -> None:
        """However long it stays."""
        self.start("hot_reload: {enabled: true}")
        self.file.write_text("hot_reload: {enabled: perhaps}")
        with self.told() as events:
            self.looks(10)
        self.assertEqual(len(events), 3)
        self.assertEqual(self.stats.failed, 1)

    def test_not_twice(self) -> None:
        """What SIGHUP has read the watch need not read again."""
        self.start("hot_reload: {enabled: true}")
        self.file.write_text("hot_reload: {enabled: true}\nlog_level: debug")
        self.reloading.hang_up()
        self.looks(4)
        self.assertEqual(self.stats.applied, 1)

    def test_nothing_to_watch(self) -> None:
        """Without a file there is nothing to be watched, and that is said."""
        home = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, home)
        options = Options({"CERTSTREAM_HOT_RELOAD_ENABLED": "true"})
        options.parseOptions([])
        reloading = Reloading(
            self.clock, options.load_again, options.config, [], self.stats, path=None
        )
        with self.told() as events:
            reloading.startService()
        self.addCleanup(reloading.stopService)
        self.assertEqual(
            formatEvent(events[0]), "hot_reload.enabled: there is no configuration file to watch"
        )

    def test_stopped(self) -> None:
        """A server that stops looks at nothing."""
        self.start("hot_reload: {enabled: true}")
        self.reloading.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.reloading.hang_up()
        self.assertEqual(self.stats.applied, 0)


class SignalTests(ReloadTestCase):
    """SIGHUP."""

    def test_signal(self) -> None:
        """It reloads, from the reactor's own turn, and what else is to be read again is."""
        self.start("log_level: info")
        self.file.write_text("log_level: debug")
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.level.in_force, [])
        self.clock.advance(0)
        self.assertEqual(self.level.in_force, [("debug",)])
        self.assertEqual(self.hangups, 1)

    def test_restored(self) -> None:
        """Whoever had the signal before has it again."""
        heard = []
        before = signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        self.start("")
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(heard, [])
        self.reloading.stopService()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(heard, [signal.SIGHUP])
