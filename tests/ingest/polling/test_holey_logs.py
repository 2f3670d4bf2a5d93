"""Logs that have lost an entry of every page: all others are read, and the lost ones are listed."""

from collections.abc import Callable

from certstream_tx.ingest.http.errors import BadBody, FetchError, Refused, Unavailable
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.polling.gap_filling import AGAIN
from certstream_tx.ingest.state import gaps as gaps_module
from certstream_tx.ingest.state.gaps import MAX_GAPS
from certstream_tx.ingest.state.saved_log import SavedGap, SavedPosition, SavedRange
from certstream_tx.ingest.state.state_file import read_state, write_state
from tests.ingest.fake_log import FakeLog
from tests.ingest.polling.test_poller_gaps import GapCase

SIZE = 3000
PAGE = 256


def one_in(every: int, error: FetchError) -> Callable[[int, int], Exception | None]:
    """Faults: each so-many-th entry cannot be read."""
    return lambda start, end: error if (end - 101) // every > (start - 101) // every else None


class HoleyLogTests(GapCase):
    """No page of them can be read as a whole."""

    def passes(self, every: int, error: FetchError, within: float) -> int:
        """Reads such a log to its end, and its gaps until just the lost entries are left; gives
        the requests that took until its end."""
        log = FakeLog(self.clock, SIZE, page=PAGE, latency=0.05)
        log.entry_faults = one_in(every, error)
        follower = self.follow(log, settings=PollSettings(start_overlap_leaves=SIZE))
        self.read_to(follower, SIZE - SIZE % every, within)
        asked = len(log.asked)
        lost = SIZE // every
        began = self.clock.seconds()
        while follower.stats.gap_entries > lost or follower.stats.position < SIZE:
            self.assertLess(self.clock.seconds() - began, 8 * AGAIN[1], follower.stats)
            follower.run(10, 0.5)
        self.check(follower, 0)
        gaps = {index for gap in self.lost(follower) for index in range(*gap)}
        self.assertEqual(gaps, {i for i in range(SIZE) if log.entry_faults(i, i + 1)})
        return asked

    def test_one_in_every_page(self) -> None:
        """Whatever the log answers for them, with requests by the dozen for each."""
        for error in (BadBody("null"), Refused("not_found", "HTTP 404", 404)):
            asked = self.passes(200, error, 300)
            self.assertLess(asked, 30 * SIZE // 200, error)

    def test_errors_of_the_server(self) -> None:
        """Also where it looks as if the log itself were ill."""
        asked = self.passes(200, Unavailable("server", "HTTP 500", 500), 1200)
        self.assertLess(asked, 40 * SIZE // 200)

    def test_more_than_are_kept(self) -> None:
        """Beyond the bound of gaps nothing is forgotten, and nothing comes again and again."""
        self.patch(gaps_module, "MAX_GAPS", 5)
        log = FakeLog(self.clock, SIZE, page=PAGE, latency=0.05)
        log.entry_faults = one_in(200, BadBody("null"))
        follower = self.follow(log, settings=PollSettings(start_overlap_leaves=SIZE))
        self.read_to(follower, SIZE, 300)
        follower.run(3 * AGAIN[1], 1)
        self.assertLessEqual(follower.stats.gaps_open, 6)
        missing = {index for gap in self.lost(follower) for index in range(*gap)}
        self.assertEqual({*follower.indexes} | missing, {*range(SIZE)})
        self.assertEqual(len(follower.indexes), len({*follower.indexes}))
        log.entry_faults = lambda start, end: None
        follower.run(AGAIN[1] * 1.3, 1)
        self.assertEqual(({*follower.indexes}, self.lost(follower)), ({*range(SIZE)}, []))

    def test_state_of_many(self) -> None:
        """However many gaps a server has saved, it reads them again."""
        start = SavedRange(0, 0, ())
        gaps = [SavedGap(0, 1, 1.0, "HTTP 404", 3, start)]
        for index in range(2, 5 * MAX_GAPS, 2):
            before = SavedRange(index - 1, index, (bytes(32),))
            gaps.append(SavedGap(index, index + 1, 1.0, "HTTP 404", 3, before))
        saved = SavedPosition("Test log", "https://log.example", SIZE * 2, gaps=tuple(gaps))
        self.assertEqual(read_state(write_state({"a": saved})).positions, {"a": saved})

    def test_one_in_a_few(self) -> None:
        """Also where only a few at once can be had."""
        self.passes(20, BadBody("null"), 3600)
