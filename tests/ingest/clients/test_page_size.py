"""Tests of certstream_tx.ingest.clients.page_size."""

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.clients.page_size import MAX_FAILING, PROBE_AFTER, REGROW_AFTER, PageSize

Server = Callable[[int, int], int]
"""How many entries a log gives for [start, end)."""


def at_boundary(boundary: int) -> Server:
    """A log that never crosses a multiple in one answer."""
    return lambda start, end: min(end, (start // boundary + 1) * boundary) - start


def at_most(limit: int) -> Server:
    """A log that gives so many entries, wherever they begin."""
    return lambda start, end: min(end - start, limit)


def ctfe(limit: int) -> Server:
    """CTFE: requests of the limit or more end on a multiple of it."""

    def count(start: int, end: int) -> int:
        if end - start < limit:
            return end - start
        end = start + limit
        return end - end % limit - start

    return count


def read(page: PageSize, server: Server, start: int, head: int) -> int:
    """Read on to the head; the number of requests that took."""
    requests = 0
    while start < head:
        end = page.end(start, head)
        count = server(start, end)
        page.answered(start, end, count, at_head=end == head)
        start += count
        requests += 1
    return requests


class BoundaryTests(SynchronousTestCase):
    """What is learned from short answers."""

    def test_aligned_from_the_start(self) -> None:
        """Requests end on multiples of the block, or at the head."""
        page = PageSize(1024)
        self.assertEqual(page.end(0, 10_000), 1024)
        self.assertEqual(page.end(1000, 10_000), 1024)
        self.assertEqual(page.end(1024, 10_000), 2048)
        self.assertEqual(page.end(1024, 1100), 1100)

    def test_boundaries(self) -> None:
        """Two short answers teach the boundary, wherever the reading began."""
        for boundary in (32, 64, 256, 512):
            for start in (0, 1, 31, 32, 1000, 1024, 5000):
                page = PageSize(1024)
                read(page, at_boundary(boundary), start, start + 3 * 1024 + boundary)
                self.assertEqual(page.block, boundary, (boundary, start))

    def test_few_requests(self) -> None:
        """After that next to no request gets a short answer."""
        for boundary in (32, 256):
            page = PageSize(1024)
            requests = read(page, at_boundary(boundary), 0, boundary * 150)
            self.assertLessEqual(requests, 152)

    def test_pipelined(self) -> None:
        """Short answers of requests that were in flight together teach it as well."""
        page = PageSize(1024)
        ranges = [(start, start + 1024) for start in range(0, 4096, 1024)]
        for start, end in ranges:
            page.answered(start, end, 32, at_head=False)
        self.assertEqual(page.block, 32)

    def test_at_head(self) -> None:
        """Boundaries are learned in the last entries too, where requests are never whole."""
        page = PageSize(1024)
        page.answered(20, 180, 12, at_head=True)
        page.answered(32, 180, 32, at_head=True)
        self.assertEqual(page.block, 32)

    def test_other_limits(self) -> None:
        """A log that gives 100 or 1,000 at most is asked for as many."""
        for limit in (100, 1000):
            page = PageSize(1024)
            requests = read(page, at_most(limit), 37, 37 + limit * 50)
            self.assertEqual(page.block, limit)
            self.assertLessEqual(requests, 54)

    def test_ctfe(self) -> None:
        """CTFE cuts only requests of its limit or more; one of 256 is learned like any boundary."""
        page = PageSize(1024)
        requests = read(page, ctfe(256), 0, 256 * 100)
        self.assertEqual(page.block, 256)
        self.assertLessEqual(requests, 102)

    def test_one_chance_is_not_enough(self) -> None:
        """One short answer that ends on a multiple by chance teaches nothing."""
        page = PageSize(1024)
        page.answered(0, 1024, 64, at_head=False)
        page.answered(64, 1024, 5, at_head=False)
        page.answered(69, 1024, 955, at_head=False)
        page.answered(1024, 2048, 64, at_head=False)
        page.answered(1088, 2048, 960, at_head=False)
        page.answered(2048, 3072, 64, at_head=False)
        self.assertEqual(page.block, 1024)

    def test_lagging_replica(self) -> None:
        """A replica behind the head gives short answers that say nothing of pages."""
        page = PageSize(1024)
        for _ in range(10):
            page.answered(5000, 5100, 50, at_head=True)
        self.assertEqual(page.block, 1024)

    def test_random_answers(self) -> None:
        """A log that gives any number of entries does not talk us into asking for few."""
        rng = Random(7)
        page = PageSize(256)
        requests = read(page, lambda start, end: rng.randint(1, end - start), 0, 100_000)
        # Fair luck with whole blocks: each takes about ln(256) + 1 requests.
        self.assertLess(requests, 100_000 / 256 * 12)

    def test_boundary_that_moved(self) -> None:
        """A boundary that is lowered is learned again, one that is raised is found by trying."""
        page = PageSize(1024)
        read(page, at_boundary(256), 0, 256 * 20)
        read(page, at_boundary(32), 256 * 20, 256 * 40)
        self.assertEqual(page.block, 32)
        read(page, at_boundary(512), 256 * 40, 256 * 40 + 512 * 1500)
        self.assertEqual(page.block, 512)

    def test_trying_is_rare(self) -> None:
        """Looking for larger pages costs less than one request in a hundred."""
        page = PageSize(1024)
        blocks = PROBE_AFTER * 20
        requests = read(page, at_boundary(32), 0, 32 * blocks)
        self.assertLess(requests, blocks * 1.01)

    def test_largest_is_never_exceeded(self) -> None:
        """Not even while trying."""
        page = PageSize(300)
        read(page, at_boundary(256), 0, 256 * PROBE_AFTER * 3)
        for position in range(0, 3000, 7):
            self.assertLessEqual(page.end(position, 10**6) - position, 300)


class FailureTests(SynchronousTestCase):
    """What is learned from failures."""

    def test_too_large(self) -> None:
        """A page that is said to be too large is halved at once, down to one entry."""
        page = PageSize(1000)
        sizes = []
        while (end := page.end(128_000, 10**6)) - 128_000 > 1:
            sizes.append(page.block)
            page.failed(128_000, end, too_large=True)
        self.assertEqual(sizes, [1000, 512, 256, 128, 64, 32, 16, 8, 4, 2])
        page.failed(128_000, 128_001, too_large=True)
        self.assertEqual(page.block, 1)

    def test_maybe_too_large(self) -> None:
        """A page that may be too large is halved when it failed twice."""
        page = PageSize(256)
        page.failed(0, 256, too_large=False)
        self.assertEqual(page.block, 256)
        page.failed(0, 256, too_large=False)
        self.assertEqual(page.block, 128)

    def test_different_pages(self) -> None:
        """Failures here and there, with answers between them, are the log's and not the page's."""
        page = PageSize(256)
        for start in range(0, 2560, 256):
            page.failed(start, start + 256, too_large=False)
            page.answered(start, start + 256, 256, at_head=False)
        for start in range(0, 256 * 100, 256):
            page.failed(start, start + 256, too_large=False)
        self.assertEqual(page.block, 256)
        self.assertLessEqual(len(page._failures), MAX_FAILING)

    def test_pages_in_flight(self) -> None:
        """Answers for other pages do not hide one that keeps failing."""
        page = PageSize(256)
        page.failed(0, 256, too_large=False)
        page.failed(256, 512, too_large=False)
        page.answered(512, 768, 256, at_head=False)
        page.failed(0, 256, too_large=False)
        self.assertEqual(page.block, 128)

    def test_outage(self) -> None:
        """While nothing is answered small pages are not cut down to nothing."""
        page = PageSize(256)
        for _ in range(3):
            page.failed(0, 20, too_large=False)
        self.assertEqual(page.block, 256)
        for _ in range(20):
            page.failed(0, page.end(0, 10**6), too_large=False)
        self.assertGreaterEqual(page.block, 4)

    def test_regrows(self) -> None:
        """After a while of answers a halved page is doubled, to where it was and not beyond."""
        page = PageSize(256)
        page.failed(0, 256, too_large=True)
        page.failed(0, 128, too_large=True)
        start = 0
        for block in (64, 128, 256, 256):
            self.assertEqual(page.block, block)
            for _ in range(REGROW_AFTER):
                end = page.end(start, 10**6)
                page.answered(start, end, end - start, at_head=False)
                start = end

    def test_keeps_to_the_boundary(self) -> None:
        """A halved page still ends on multiples, and growing stops at the boundary."""
        page = PageSize(1024)
        read(page, at_boundary(256), 0, 2560)
        page.failed(2560, 2816, too_large=True)
        self.assertEqual(page.block, 128)
        read(page, at_boundary(256), 2560, 2560 + 128 * 100)
        self.assertEqual(page.block, 256)

    def test_cannot_be_halved(self) -> None:
        """A page of one entry stays one, whatever fails that was asked for before it was."""
        page = PageSize(1)
        page.failed(8, 10, too_large=True)
        self.assertEqual(page.block, 1)

    @given(
        st.integers(1, 4096),
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 10**6), st.integers(0, 4096)), max_size=60
        ),
    )
    @settings(deadline=None, max_examples=200)
    def test_anything(self, largest: int, events: list[tuple[int, int, int]]) -> None:
        """Whatever comes, the next request has at least one entry and at most the largest page."""
        page = PageSize(largest)
        for what, start, number in events:
            end = page.end(start, start + 1 + number)
            self.assertTrue(start < end <= start + min(largest, 1 + number))
            if what > 2:
                count = max(1, min(number, end - start))
                page.answered(start, end, count, at_head=what == 3)
            else:
                page.failed(start, end, too_large=what == 0)
        self.assertTrue(1 <= page.block <= largest)
