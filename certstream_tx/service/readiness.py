"""Tells the service manager that started this process how it is: systemd's ``Type=notify``.

The protocol is that of sd_notify(3): datagrams of ``NAME=value`` lines to the socket that the
environment names. Where it names none, nothing happens.
"""

import os
import socket
from collections.abc import Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from certstream_tx.events import logger

log = logger("certstream_tx")

SOCKET = "NOTIFY_SOCKET"
WATCHDOG_PERIOD = "WATCHDOG_USEC"
"""microseconds within which the manager wants a sign of life"""
WATCHDOG_PROCESS = "WATCHDOG_PID"

MIN_PERIOD = 0.02
"""seconds; a shorter watchdog would be all that the process does"""


class Readiness(Service):
    """Says when the server is ready, that it is alive, and when it stops.

    It is started last, when everything listens, and speaks from the reactor's turns: a process that
    hangs falls silent, and the manager replaces it.
    """

    def __init__(self, environment: Mapping[str, str], clock: IReactorTime) -> None:
        self._environment = environment
        self._clock = clock
        self._next: IDelayedCall | None = None
        self._period: float | None = None
        self._failed = False

    def startService(self) -> None:
        """Say that the server is ready, once the reactor turns."""
        super().startService()
        if self._environment.get(SOCKET):
            self._period = _watchdog_period(self._environment)
            self._next = self._clock.callLater(0, self._ready)

    def stopService(self) -> None:
        """Say that the server stops."""
        super().stopService()
        if self._next is not None:
            if self._next.active():
                self._next.cancel()
            self._next = None
            self._tell("STOPPING=1")

    def _ready(self) -> None:
        self._tell(f"READY=1\nMAINPID={os.getpid()}")
        self._keep_alive()

    def _keep_alive(self) -> None:
        if self._period is not None:
            self._tell("WATCHDOG=1")
            self._next = self._clock.callLater(self._period / 2, self._keep_alive)

    def _tell(self, state: str) -> None:
        path = self._environment[SOCKET]
        # An abstract socket, which is no file, is written with an at sign for its leading NUL.
        address = f"\0{path[1:]}" if path.startswith("@") else path
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as out:
                out.sendto(state.encode(), address)
        except OSError as error:
            if not self._failed:
                self._failed = True
                log.warn(
                    "The service manager cannot be told at {path}: {reason}",
                    path=path,
                    reason=error.strerror or error,
                )
        else:
            self._failed = False


def _watchdog_period(environment: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life that the manager wants; None when it wants none."""
    if environment.get(WATCHDOG_PROCESS, str(os.getpid())) != str(os.getpid()):
        return None
    try:
        period = int(environment.get(WATCHDOG_PERIOD, "")) / 1e6
    except ValueError:
        return None
    return max(period, MIN_PERIOD) if period > 0 else None
