"""How long a range is tried before others pass it."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.polling.ranges import (
    GIVE_UP_ALONE,
    GIVE_UP_SECONDS,
    GIVE_UP_TRIES,
    NARROW_AFTER,
    NARROW_ON_AFTER,
    NARROW_SECONDS,
    NEIGHBOUR_SECONDS,
    MissingRanges,
    Range,
    Unreadable,
)


def fail(failing: Range, times: int, now: float, answered_at: float | None) -> None:
    """It is sent and fails at once, so many times."""
    for _ in range(times):
        failing.sent_at = now
        failing.failed("HTTP 404", now, answered_at)


class RangeTests(SynchronousTestCase):
    """One range that fails."""

    def test_ill_log(self) -> None:
        """While the log gives nothing else a range is neither cut nor given up."""
        for answered_at in (None, 1000 - NEIGHBOUR_SECONDS - 0.1):
            failing = Range(0, 8)
            fail(failing, 50, 1000.0, answered_at)
            self.assertFalse(failing.to_be_halved(1000.0))
            self.assertFalse(failing.to_be_given_up(10_000.0, divisible=True))
            self.assertFalse(failing.to_be_given_up(10_000.0, divisible=False))
        self.assertEqual((failing.tries, failing.since), (50, 1000.0))

    def test_effort(self) -> None:
        """It takes both the time and the tries, the last ones while others could be read."""
        failing = Range(7, 8)
        fail(failing, GIVE_UP_TRIES - 1, 1000.0, 999.0)
        self.assertFalse(failing.to_be_given_up(9999.0, divisible=True))
        fail(failing, 1, 1001.0, 999.0)
        end = 1000.0 + GIVE_UP_SECONDS
        self.assertFalse(failing.to_be_given_up(end - 0.1, divisible=True))
        self.assertTrue(failing.to_be_given_up(end, divisible=True))
        self.assertFalse(Range(0, 8).to_be_given_up(end, divisible=False))

    def test_holey_log(self) -> None:
        """Where single entries were lost before, a range is halved as soon as a half is."""
        failing = Range(0, 8)
        fail(failing, NARROW_ON_AFTER, 1000.0, 999.0)
        self.assertFalse(failing.to_be_halved(1000.0))
        self.assertTrue(failing.to_be_halved(1000.0, holey=True))

    def test_after_an_outage(self) -> None:
        """What failed with all others is given up only when it fails again beside others."""
        failing = Range(7, 8)
        fail(failing, GIVE_UP_TRIES, 1000.0, 999.0)
        fail(failing, 1, 1010.0, 999.0)
        self.assertFalse(failing.to_be_given_up(1010.0, divisible=True))
        fail(failing, GIVE_UP_ALONE - 1, 1020.0, 1019.0)
        self.assertFalse(failing.to_be_given_up(1030.0, divisible=True))
        fail(failing, 1, 1020.0, 1019.0)
        self.assertTrue(failing.to_be_given_up(1020.0, divisible=True))

    def test_halves(self) -> None:
        """A page is halved after some failures, its halves after fewer, a single entry never."""
        page = Range(0, 256)
        fail(page, NARROW_AFTER - 1, 1000.0, 1000.0)
        self.assertFalse(page.to_be_halved(1000.0))
        fail(page, 1, 1000.0, 1000.0)
        self.assertTrue(page.to_be_halved(1000.0))
        left, right = page.halves()
        self.assertEqual((left.start, left.end, right.start, right.end), (0, 128, 128, 256))
        while right.end - right.start > 1:
            self.assertFalse(right.to_be_halved(1001.0))
            fail(right, NARROW_ON_AFTER, 1001.0, 1000.0)
            self.assertTrue(right.to_be_halved(1001.0))
            _, right = right.halves()
        self.assertEqual((right.start, right.end, right.since), (255, 256, 1000.0))
        fail(right, GIVE_UP_TRIES, 1002.0, 1000.0)
        self.assertFalse(right.to_be_halved(1002.0))
        # The effort counts from the first failure of the page.
        self.assertTrue(right.to_be_given_up(1000.0 + GIVE_UP_SECONDS, divisible=True))

    def test_narrowing_ends(self) -> None:
        """A page of which nothing can be read is given up as it is after a while."""
        page = Range(0, 256)
        fail(page, NARROW_AFTER, 1000.0, 1000.0)
        self.assertFalse(page.to_be_given_up(1000.0 + NARROW_SECONDS - 1, divisible=True))
        self.assertTrue(page.to_be_given_up(1000.0 + NARROW_SECONDS, divisible=True))
        self.assertFalse(page.to_be_halved(1000.0 + NARROW_SECONDS))

    def test_tile(self) -> None:
        """What cannot be had in parts is given up as a whole, as soon as a single entry."""
        tile = Range(0, 256)
        fail(tile, GIVE_UP_TRIES, 1000.0, 1000.0)
        self.assertTrue(tile.to_be_given_up(1000.0 + GIVE_UP_SECONDS, divisible=False))


class MissingRangesTests(SynchronousTestCase):
    """Several of them."""

    def test_order(self) -> None:
        """They come by index, the first that is due first."""
        missing = MissingRanges()
        for start, due in ((8, 5.0), (0, 9.0), (4, 7.0)):
            missing.add(Range(start, start + 4, not_before=due))
        self.assertEqual((len(missing), missing.next_due()), (3, 5.0))
        first = missing.first
        assert first is not None
        self.assertEqual(first.start, 0)
        self.assertIsNone(missing.take_due(4.0))
        taken = [missing.take_due(7.0), missing.take_due(7.0), missing.take_due(7.0)]
        self.assertEqual([each and each.start for each in taken], [4, 8, None])

    def test_other(self) -> None:
        """Behind the first, that is taken which waits the longest, and hardly failed yet."""
        missing = MissingRanges()
        for at, sent_at, attempts, due in (
            (0, 1.0, 9, 0.0),
            (4, 8.0, 1, 0.0),
            (8, 2.0, 5, 0.0),
            (12, 6.0, 2, 0.0),
            (16, 3.0, 0, 99.0),
        ):
            missing.add(Range(at, at + 4, sent_at=sent_at, attempts=attempts, not_before=due))
        taken = [missing.take_other(10.0, suspect=False) for _ in range(3)]
        self.assertEqual([each and each.start for each in taken], [12, 4, None])
        suspect = missing.take_other(10.0, suspect=True)
        self.assertEqual(suspect and suspect.start, 8)
        self.assertIsNone(missing.take_other(10.0, suspect=True))
        self.assertEqual(len(missing), 2)

    def test_given_up_together(self) -> None:
        """With the first go those after it that fail like it, up to the first that does not."""
        missing = MissingRanges()
        for start, end, alone, attempts in (
            (0, 4, 5, 6),
            (4, 6, 2, 2),
            (6, 8, 0, GIVE_UP_TRIES),
            (8, 9, 1, 2),
            (9, 12, 5, 5),
        ):
            failing = Range(start, end, attempts, alone=alone, tries=attempts)
            failing.since = failing.alone_since = 1000.0
            missing.add(failing)
        soon = 1000.0 + GIVE_UP_SECONDS - 0.1
        self.assertIsNone(missing.give_up(0, soon, divisible=False))
        self.assertIsNone(missing.give_up(4, 1020.0, divisible=False))
        given_up = missing.give_up(0, 1020.0, divisible=False)
        self.assertEqual(given_up, Unreadable(0, 8, "", 6, 1000.0))
        self.assertIsNone(missing.give_up(8, 9999.0, divisible=False))
        self.assertEqual(len(missing), 2)

    def test_of_one_tile(self) -> None:
        """What lies in the tile of the first goes with it, and tells nothing of the log."""
        missing = MissingRanges()
        first = Range(512, 516, 5, tries=5, alone=5, since=1000.0, alone_since=1000.0)
        for each in (first, Range(516, 522, 1), Range(522, 768), Range(768, 770, 1)):
            missing.add(each)
        other = missing.take_other(1010.0, suspect=False, start=768)
        self.assertEqual(other and other.start, 768)
        self.assertIsNone(missing.take_other(1010.0, suspect=False, start=768))
        given_up = missing.give_up(512, 1010.0, divisible=False, tile_end=768)
        self.assertEqual(given_up, Unreadable(512, 768, "", 5, 1000.0))
        self.assertEqual(len(missing), 0)
