"""Tests of :mod:`certstream_tx.events`: what is let through, and how often."""

from twisted.logger import LogEvent, Logger, _logger, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.events import MAX_REMEMBERED, limit_repeats, logger, set_level


class GateTests(SynchronousTestCase):
    """The gate before Twisted's publisher."""

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.addCleanup(set_level, "info")
        self.addCleanup(limit_repeats, 0)
        self.log = logger("certstream_tx.test")
        self.now = 1000.0
        self.patch(_logger, "time", lambda: self.now)

    def told(self) -> list[str]:
        """What came through since."""
        texts = [formatEvent(event) for event in self.events]
        self.events.clear()
        return texts

    def test_level(self) -> None:
        """What is below the level goes nowhere; the level can be changed."""
        self.log.debug("one")
        self.log.info("two")
        set_level("error")
        self.log.warn("three")
        self.log.error("four")
        set_level("debug")
        self.log.debug("five")
        self.assertEqual(self.told(), ["two", "four", "five"])

    def test_repeats_are_told_without_a_limit(self) -> None:
        """Nothing is held back unless that was asked for."""
        for _ in range(3):
            self.log.info("again")
        self.assertEqual(self.told(), ["again"] * 3)

    def test_repeats_are_held_back(self) -> None:
        """The first is told, the next after the time, with how many there were between."""
        limit_repeats(60)
        for _ in range(5):
            self.log.info("{log} fails", log="A")
            self.now += 10
        self.assertEqual(self.told(), ["A fails"])
        self.now += 10
        self.log.info("{log} fails", log="A")
        self.assertEqual(self.told(), ["A fails (4 times more before)"])
        self.now += 60
        self.log.info("{log} fails", log="A")
        self.assertEqual(self.told(), ["A fails"])

    def test_another_text_is_no_repeat(self) -> None:
        """Each log's trouble is told, and so is the same of another part."""
        limit_repeats(60)
        self.log.info("{log} fails", log="A")
        self.log.info("{log} fails", log="B")
        logger("certstream_tx.other").info("A fails")
        self.assertEqual(self.told(), ["A fails", "B fails", "A fails"])

    def test_clock_set_back(self) -> None:
        """It silences nothing."""
        limit_repeats(60)
        self.log.info("again")
        self.now -= 3600
        self.log.info("again")
        self.assertEqual(len(self.told()), 2)

    def test_memory_is_bounded(self) -> None:
        """What was told longest ago is forgotten, so that no log can fill the memory."""
        limit_repeats(60)
        for i in range(MAX_REMEMBERED + 1):
            self.log.info("{i}", i=i)
        self.told()
        self.log.info("{i}", i=MAX_REMEMBERED)
        self.log.info("{i}", i=0)
        self.assertEqual(self.told(), ["0"])

    def test_failures_are_limited_too(self) -> None:
        """An error that comes with every request fills no disk with its traceback."""
        limit_repeats(60)
        for _ in range(3):
            try:
                raise ValueError("bad")
            except ValueError:
                self.log.failure("while answering")
        self.assertEqual(self.told(), ["while answering"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_others_are_not_limited(self) -> None:
        """Events of Twisted and of other programs do not come by here."""
        limit_repeats(60)
        for _ in range(2):
            Logger(namespace="other").info("again")
        self.assertEqual(self.told(), ["again"] * 2)
