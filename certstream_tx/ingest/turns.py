"""Heavy work on what logs answered, in one queue for all of them: so much in a turn of the reactor.

Each log alone is bounded in what it may make this server do at once; many of them together, whose
answers come in one turn, are bounded here.
"""

from collections import deque
from collections.abc import Callable, Generator
from time import perf_counter
from typing import Any, Final, Generic, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

SLICE_SECONDS: Final = 0.004
"""The longest time, but for one piece of work, that the reactor is kept from its sockets."""

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What a piece of work gave. A Deferred that failed would keep its error, whose frames know the
    Deferred in turn, and with them the body, until the next search for cycles."""

    def __init__(self, value: T | None = None, error: Exception | None = None) -> None:
        self._value = value
        self._error = error

    def get(self) -> T:
        """What it gave, or the error, which is known here no longer. To be asked once."""
        error, self._error = self._error, None
        if error is None:
            return cast(T, self._value)
        try:
            raise error
        finally:
            del error


class _Task:
    """Work in pieces, and who waits for what it gives."""

    def __init__(
        self,
        pieces: Generator[None, None, Any],
        queue: "deque[_Task]",
        cancelled: "Callable[[_Task], None]",
    ) -> None:
        self.pieces = pieces
        self.queue = queue
        self.done: Deferred[Any] = Deferred(lambda _: cancelled(self))


class Turns:
    """Shared by all logs: works at one thing after the other, first come first.

    What ends with something small, as decoding does, goes before what makes something large, as
    unfolding does: so not many large bodies are there at the same time.

    ``timer`` gives seconds of an arbitrary origin that never jump.
    """

    def __init__(self, clock: IReactorTime, timer: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._timer = timer
        self._decoding: deque[_Task] = deque()
        self._unfolding: deque[_Task] = deque()
        self._next: IDelayedCall | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """What this piece of work gives, when its turn has come; raises what it raises."""
        return await self.work(_at_once(work))

    async def work(self, pieces: Generator[None, None, T]) -> T:
        """What work in several pieces gives; it yields between two. Cancelled, it ends there."""
        outcome: _Outcome[T] = await self._begin(pieces, self._decoding)
        return outcome.get()

    def unfold(self, pieces: Generator[None, None, None]) -> "Deferred[None]":
        """Work at this after all else."""
        return self._begin(pieces, self._unfolding).addCallback(_Outcome.get)

    def _begin(self, pieces: Generator[None, None, Any], queue: "deque[_Task]") -> "Deferred[Any]":
        task = _Task(pieces, queue, self._cancelled)
        queue.append(task)
        self._arrange()
        return task.done

    def _arrange(self) -> None:
        if self._next is None and (self._decoding or self._unfolding):
            self._next = self._clock.callLater(0, self._turn)

    def _cancelled(self, task: _Task) -> None:
        # Unless it is being worked at: what it does then is the last that it does.
        if task in task.queue:
            task.queue.remove(task)
            task.pieces.close()
            left = self._decoding or self._unfolding
            if not left and self._next is not None and self._next.active():
                self._next.cancel()
                self._next = None

    def _turn(self) -> None:
        end = self._timer() + SLICE_SECONDS
        try:
            while queue := self._decoding or self._unfolding:
                self._work_at(queue.popleft())
                if self._timer() >= end:
                    break
        finally:
            self._next = None
            self._arrange()

    def _work_at(self, task: _Task) -> None:
        outcome: _Outcome[Any] | None = None
        try:
            next(task.pieces)
        except StopIteration as end:
            outcome = _Outcome(end.value)
        except Exception as error:
            outcome = _Outcome(error=error)
        # Who waits goes on only here, where no exception is being handled.
        try:
            if task.done.called:  # it was cancelled meanwhile
                task.pieces.close()
            elif outcome is not None:
                task.done.callback(outcome)
            else:
                task.queue.appendleft(task)
        finally:
            # An error knows this frame: were it known here, it and the body would live on.
            del task, outcome


def _at_once(work: Callable[[], T]) -> Generator[None, None, T]:
    return work()
    yield
