"""Work on what logs answered, one piece after the other."""

import contextlib
import gc
from collections.abc import Generator
from typing import Any
from weakref import ref

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.turns import SLICE_SECONDS, Turns


class TurningClock(Clock):
    """A clock that tells the turns of its reactor apart."""

    def turn(self, times: int = 1, seconds: float = 0.0) -> None:
        """What is due now, but not what becomes due by that."""
        for _ in range(times):
            self.rightNow += seconds
            for call in [each for each in self.calls if each.getTime() <= self.rightNow]:
                if call.active():
                    self.calls.remove(call)
                    call.called = 1
                    call.func(*call.args, **call.kw)


class TurnsTests(SynchronousTestCase):
    """A queue on a clock of which each turn is counted; work takes as long as it says."""

    def setUp(self) -> None:
        self.clock = TurningClock()
        self.worked = 0.0
        self.done: list[str] = []
        self.turns = Turns(self.clock, lambda: self.worked)

    def work(self, name: str, seconds: float) -> str:
        self.worked += seconds
        self.done.append(name)
        return name.upper()

    def ask(self, name: str, seconds: float) -> "Deferred[str]":
        return Deferred.fromCoroutine(self.turns.do(lambda: self.work(name, seconds)))

    def test_one_body_in_a_turn(self) -> None:
        """Of much work that is asked for at once one piece is done in each turn, in order."""
        asked = [self.ask(name, 0.04) for name in "abcdef"]
        self.assertEqual(self.done, [])
        for number in range(1, 7):
            self.clock.turn()
            self.assertEqual(self.done, list("abcdef")[:number])
        self.assertEqual([self.successResultOf(each) for each in asked], list("ABCDEF"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_small_work(self) -> None:
        """What takes no time is all done in one turn."""
        asked = [self.ask(str(number), SLICE_SECONDS / 20) for number in range(10)]
        self.clock.turn()
        self.assertEqual(len(self.done), 10)
        self.assertEqual([self.successResultOf(each) for each in asked], self.done)

    def test_pieces(self) -> None:
        """Work in pieces takes as many turns, but is not held up by what came later."""

        def pieces(name: str) -> Generator[None, None, str]:
            for number in range(3):
                self.work(f"{name}{number}", 1.0)
                yield
            return name

        one = Deferred.fromCoroutine(self.turns.work(pieces("a")))
        other = Deferred.fromCoroutine(self.turns.work(pieces("b")))
        short = self.ask("c", 1.0)
        self.clock.turn(12)
        self.assertEqual(self.done, ["a0", "a1", "a2", "b0", "b1", "b2", "c"])
        results: list[Any] = [self.successResultOf(each) for each in (one, other, short)]
        self.assertEqual(results, ["a", "b", "C"])

    def test_decoding_goes_first(self) -> None:
        """What is unfolded waits for what was: not many bodies are held at once."""

        def unfolding(name: str) -> Generator[None, None, None]:
            for number in range(2):
                self.work(f"{name}{number}", 1.0)
                yield

        self.turns.unfold(unfolding("a"))
        self.turns.unfold(unfolding("b"))
        self.clock.turn()
        self.ask("c", 1.0)
        self.clock.turn(8)
        self.assertEqual(self.done, ["a0", "c", "a1", "b0", "b1"])

    def test_failure(self) -> None:
        """What the work raises is raised to who asked for it, and to nobody else."""

        def fail() -> str:
            raise ValueError("broken")

        failing = Deferred.fromCoroutine(self.turns.do(fail))
        asked = self.ask("a", 1.0)
        self.clock.turn(3)
        self.failureResultOf(failing, ValueError)
        self.assertEqual(self.successResultOf(asked), "A")

    def test_nothing_is_kept(self) -> None:
        """What was worked at is gone at once, without a search for cycles, if it failed too."""

        class Body:
            """What can be referred to weakly."""

        gc.disable()
        self.addCleanup(gc.enable)
        for error in (None, ValueError()):

            def decode(body: Body, error: Exception | None = error) -> None:
                if error is not None:
                    raise ValueError

            async def read(body: Body) -> None:
                with contextlib.suppress(ValueError):
                    await self.turns.do(lambda: decode(body))

            body = Body()
            alive = ref(body)
            reading = Deferred.fromCoroutine(read(body))
            del body
            self.clock.turn()
            self.successResultOf(reading)
            self.assertIsNone(alive(), error)

    def test_cancelled(self) -> None:
        """Who no longer waits is no longer worked for."""
        first, second, third = self.ask("a", 1.0), self.ask("b", 1.0), self.ask("c", 1.0)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.clock.turn(5)
        self.assertEqual(self.done, ["a", "c"])
        self.successResultOf(first)
        self.successResultOf(third)
        self.ask("d", 1.0).addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
