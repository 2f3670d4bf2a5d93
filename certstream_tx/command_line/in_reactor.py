"""Commands that ask logs: run in the reactor, and end with it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import react


def in_reactor(main: Callable[[Any], Awaitable[int]]) -> int:
    """What ``main`` gives or raises; 1 when the reactor was stopped before."""
    status = 1
    errors: list[Exception] = []

    async def kept(reactor: Any) -> None:
        nonlocal status
        try:
            status = await main(reactor)
        except CancelledError:
            raise
        except Exception as error:
            errors.append(error)

    with suppress(SystemExit):
        react(kept)
    if errors:
        raise errors[0]
    return status
