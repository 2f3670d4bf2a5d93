"""The top service: starts its parts in order, and stops them one after the other."""

import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn, TextIO

from twisted.application.service import IService, MultiService
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from certstream_tx.events import logger
from certstream_tx.start_error import StartError

log = logger("certstream_tx")

STEP_TIMEOUT = 2.0
"""Seconds a part may take to stop, before the next is stopped all the same: the reactor itself
would wait without limit."""


Stop = Callable[[], "Deferred[Any] | None"]
"""one step of stopping: what is awaited, None when there is nothing to wait for"""


class Server(MultiService):
    """All parts of the server.

    ``parts`` are started in order. ``stops`` are the steps of stopping, each named for the log and
    bounded in time; a part that none of them stops is stopped at the end.
    """

    log_observer: ILogObserver | None = None
    """for the application that the server becomes a part of"""

    def __init__(
        self,
        clock: IReactorTime,
        parts: Sequence[IService],
        stops: Sequence[tuple[str, Stop]],
    ) -> None:
        MultiService.__init__(self)
        self.setName("certstream")
        self._clock = clock
        self._stops = stops
        for part in parts:
            part.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Become a part of ``parent``; an application that has no observer of its own gets ours."""
        ours = self.log_observer
        if ours is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, parent.getComponent(ILogObserver, ours))
        MultiService.setServiceParent(self, parent)

    def privilegedStartService(self) -> None:
        """Bind ports, with whatever rights the process still has. Not called by ``twist``."""
        try:
            MultiService.privilegedStartService(self)
        except StartError as error:
            self._cannot_start(error)

    def startService(self) -> None:
        """Start everything; the first part that cannot start ends the program."""
        try:
            MultiService.startService(self)
        except StartError as error:
            self._cannot_start(error)

    def _ends_in_time(self, stopping: "Deferred[Any]") -> "Deferred[bool]":
        """Whether it ends in time, with whatever result; what does not is left to itself."""
        ended: Deferred[bool] = Deferred()
        # Not addTimeout, which cancels and then waits for that to have an effect.
        timer = self._clock.callLater(STEP_TIMEOUT, ended.callback, False)

        def over(result: Any) -> None:
            if timer.active():
                timer.cancel()
                if isinstance(result, Failure):
                    ended.errback(result)
                else:
                    ended.callback(True)

        stopping.addBoth(over)
        return ended

    def _cannot_start(self, error: StartError) -> NoReturn:
        """End the program with one line and status 1.

        An exception and not SystemExit, which would leave twistd's pidfile behind and its parent
        process waiting for the daemon; but one that is printed without a traceback.
        """
        sys.excepthook = _print_one_line
        raise StartError(str(error)) from None

    def stopService(self) -> "Deferred[None]":
        """Stop step by step, so that what is read last is still saved and sent."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for name, stop in self._stops:
            try:
                stopping = stop()
                if stopping is not None and not await self._ends_in_time(stopping):
                    log.warn("Not stopped within {time} s: {name}", time=STEP_TIMEOUT, name=name)
            except CancelledError:
                raise
            except Exception:
                log.failure("while stopping {name}", name=name)
        self.running = 0
        remaining = [part.stopService() for part in self if part.running]
        rest = gatherResults([each for each in remaining if each is not None])
        if not await self._ends_in_time(rest):
            log.warn("Not stopped within {time} s: the rest", time=STEP_TIMEOUT)


def _print_one_line(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if isinstance(error, StartError):
        _stderr().write(f"certstream: {error}\n")
    else:
        sys.__excepthook__(kind, error, traceback)


def _stderr() -> TextIO:
    """The process's own, which a launcher has replaced by its log; in a daemon, that log."""
    own = sys.__stderr__
    try:
        if own is not None and not os.path.samestat(os.fstat(own.fileno()), os.stat(os.devnull)):
            return own
    except (OSError, ValueError):  # closed
        pass
    return sys.stderr
