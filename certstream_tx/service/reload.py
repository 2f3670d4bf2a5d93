"""Changes of the configuration while the server runs: by SIGHUP, and when the file changes.

A configuration is taken over whole or not at all: it is read and validated, every part that it
concerns prepares what it will need, and only when all of that went well each puts it in force.
"""

import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import LoopingCall

from certstream_tx.config import Config, ConfigError, Loaded
from certstream_tx.config.changes import changed, described, with_values
from certstream_tx.config.checks import contradictions
from certstream_tx.events import logger
from certstream_tx.stats import ReloadStats
from certstream_tx.watched import Watched

log = logger("certstream_tx.service.reload")

LOOK_SECONDS = 2.0
"""between two looks at the file; a change is taken over once it has rested that long"""

OWN_KEYS = ("hot_reload.enabled", "hot_reload.watch_path")

Apply = Callable[[], object]
"""puts a new configuration in force; does not fail"""


class LivePart(NamedTuple):
    """Something that can change while the server runs."""

    keys: Sequence[str]
    """those that it puts in force"""
    prepare: Callable[[Config], Apply]
    """reads and checks what a configuration needs beyond itself; raises ConfigError"""
    can_become: Callable[[Config], bool] = lambda config: True
    """whether it can be done without a restart"""


class Reloading(Service):
    """Takes over what can change, and says what cannot.

    :param load: reads the configuration as it stands now; raises ConfigError
    :param path: the file that is watched, unless ``hot_reload.watch_path`` names another
    :param always: what a SIGHUP is for besides, changed configuration or not
    """

    def __init__(
        self,
        reactor: Any,
        load: Callable[[], Loaded],
        config: Config,
        parts: Sequence[LivePart],
        stats: ReloadStats,
        *,
        path: str | None,
        always: Sequence[Callable[[], object]] = (),
    ) -> None:
        self.config = config
        """the values in force"""
        self._threads: IReactorFromThreads = reactor
        self._clock: IReactorTime = reactor
        self._load = load
        self._parts = [*parts, LivePart(OWN_KEYS, lambda config: self._watch_anew)]
        self._stats = stats
        self._path = path
        self._always = always
        self._number = 0
        """of the last time that something was taken over"""
        self._said: tuple[str, ...] = ()
        """problems that the operator knows of"""
        self._waiting: dict[str, str] = {}
        """changes that wait for a restart, by key"""
        self._watched: Watched | None = None
        self._looking = LoopingCall(self.look)
        self._looking.clock = reactor
        self._handler_before: Any = None
        self._handles = False

    # When

    def startService(self) -> None:
        """Heed SIGHUP, which would end the process otherwise, and watch the file if told to."""
        Service.startService(self)
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            self._handler_before = signal.signal(signal.SIGHUP, self._hung_up)
            self._handles = True
        self._watch_anew()

    def stopService(self) -> None:
        """Leave the signal to whoever had it before."""
        Service.stopService(self)
        if self._handles:
            self._handles = False
            # None: it was set by something that is not Python.
            signal.signal(signal.SIGHUP, self._handler_before or signal.SIG_DFL)
        if self._looking.running:
            self._looking.stop()

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        # Between any two instructions of the program: nothing can be done here.
        self._threads.callFromThread(self.hang_up)

    def hang_up(self) -> None:
        """What SIGHUP asks for: read everything again, and say again what is wrong."""
        if not self.running:
            return
        log.info("SIGHUP: reading the configuration again")
        self._said = ()
        self.reload()
        for each in self._always:
            each()

    def look(self) -> None:
        """Reload if the watched file has changed and rested."""
        try:
            if self._watched is not None and self._watched.look():
                log.info("{path} has changed", path=self._watched.path)
                self.reload()
        except Exception:
            log.failure("The configuration could not be looked at")

    def _watch_anew(self) -> None:
        settings = self.config.hot_reload
        path = (settings.watch_path or self._path) if settings.enabled else None
        if settings.enabled and path is None:
            log.warn("hot_reload.enabled: there is no configuration file to watch")
        if path != (self._watched and self._watched.path):
            self._watched = None if path is None else Watched(path)
        if self._watched is not None and self.running:
            if not self._looking.running:
                self._looking.start(LOOK_SECONDS, now=False)
        elif self._looking.running:
            self._looking.stop()

    # What

    def reload(self) -> bool:
        """Read the configuration and take it over; False: it is not valid, nothing has changed."""
        if self._watched is not None:
            self._watched.take()
        try:
            loaded = self._load()
            turned_off = self.config.auth.enabled and not loaded.config.auth.enabled
            if turned_off and "auth.enabled" not in loaded.origins:
                # A file that was cut has lost its end, and must not open the door with that.
                raise ConfigError(
                    ["auth.enabled: expected false to be written, because it was true, got nothing"]
                )
            self._take_over(loaded)
        except ConfigError as error:
            self._refuse(error.problems)
            return False
        self._said = ()
        self._stats.applied += 1
        self._stats.last_failed = False
        return True

    def _refuse(self, problems: tuple[str, ...]) -> None:
        self._stats.failed += 1
        self._stats.last_failed = True
        if problems != self._said:
            self._said = problems
            for problem in problems:
                log.warn("{problem}", problem=problem)
            log.warn("The configuration was not taken over, the former values stay")

    def _take_over(self, loaded: Loaded) -> None:
        old, differing = self.config, changed(self.config, loaded.config)
        live = {
            path
            for part in self._parts
            if part.can_become(loaded.config)
            for path in part.keys
            if path in differing
        }
        target = with_values(old, loaded.config, live)
        # Together with values that wait for a restart it may make no sense.
        if problems := tuple(contradictions(target)):
            raise ConfigError(
                [f"{problem} (some of what has changed needs a restart)" for problem in problems]
            )
        applies = [part.prepare(target) for part in self._parts if live & set(part.keys)]

        self._number += 1
        for warning in loaded.warnings:
            log.warn("{text}", text=warning)
        # Told while events of this kind are let through, should just that be what changes.
        told_before = old.log_level in ("debug", "info")
        if told_before:
            self._tell_changes(sorted(live), old, target)
        self.config = target
        for apply in applies:
            try:
                apply()
            except Exception:
                log.failure("A changed value could not be put in force")
        if not told_before:
            self._tell_changes(sorted(live), old, target)
        self._tell_waiting(
            {p: described(p, old, loaded.config) for p in differing if p not in live}
        )

    def _tell_changes(self, paths: Sequence[str], old: Config, new: Config) -> None:
        # The number makes each line one of its kind: repeats of the same line are held back.
        number = self._number
        for path in paths:
            change = described(path, old, new)
            log.info("Reload {number}: {change}", number=number, change=change)
        if not paths:
            log.info("Reload {number}: nothing that can change now has changed", number=number)

    def _tell_waiting(self, waiting: dict[str, str]) -> None:
        for path, change in waiting.items():
            if self._waiting.get(path) != change:
                log.warn("{change}: in force after a restart", change=change)
        for path in self._waiting.keys() - waiting.keys():
            log.info("{path}: is again what is in force", path=path)
        self._waiting = waiting
