"""How many files the process may have open: each client is one."""

import resource
from typing import Final

from twisted.application.service import Service

from certstream_tx.events import logger

log = logger("certstream_tx.serve")

RESERVED: Final = 256
"""descriptors for connections to logs, ports and files"""
ENOUGH: Final = 1024
"""clients; fewer are worth a warning"""
MOST: Final = 1 << 20
"""asked for where there is no hard limit: Linux grants no process more by default"""


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns what holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY:
        return MOST
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        log.warn(
            "Cannot raise the limit of open files from {soft} to {wanted}: {error}",
            soft=soft,
            wanted=wanted,
            error=error,
        )
        return soft
    return wanted


class Descriptors(Service):
    """Raises the limit of open files when the server starts, and says what that allows."""

    capacity = 0
    """clients there is room for, once it was started"""

    def startService(self) -> None:
        """Raise it, and say it."""
        super().startService()
        limit = raise_limit()
        self.capacity = max(0, limit - RESERVED)
        tell = log.info if self.capacity >= ENOUGH else log.warn
        tell("Room for {clients} clients (open files: {limit})", clients=self.capacity, limit=limit)
