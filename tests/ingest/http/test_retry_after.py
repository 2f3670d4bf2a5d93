"""Tests of certstream_tx.ingest.http.retry_after."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.http.retry_after import LONGEST, SHORTEST, parse_retry_after

NOW = 1_798_761_600.0  # Fri, 01 Jan 2027 00:00:00 GMT


class RetryAfterTests(SynchronousTestCase):
    """Seconds and dates, as logs send them."""

    def test_seconds(self) -> None:
        """A number is seconds, with or without spaces around it."""
        self.assertEqual(parse_retry_after(b"60", NOW), 60)
        self.assertEqual(parse_retry_after(" 5 ", NOW), 5)

    def test_bounds(self) -> None:
        """Zero and the past become the shortest wait, a day the longest."""
        self.assertEqual(parse_retry_after(b"0", NOW), SHORTEST)
        self.assertEqual(parse_retry_after(b"86400", NOW), LONGEST)
        self.assertEqual(parse_retry_after(b"9" * 40, NOW), LONGEST)
        self.assertEqual(parse_retry_after(b"Thu, 31 Dec 2026 23:00:00 GMT", NOW), SHORTEST)
        self.assertEqual(parse_retry_after(b"Sat, 02 Jan 2027 00:00:00 GMT", NOW), LONGEST)

    def test_dates(self) -> None:
        """Each date form of RFC 9110, with GMT or, as Go writes it, UTC for the zone."""
        for value in (
            b"Fri, 01 Jan 2027 00:01:30 GMT",
            b"Fri, 01 Jan 2027 00:01:30 UTC",
            b"fri, 01 jan 2027 00:01:30 utc",
            b"Fri, 01 Jan 2027 00:01:30 +0000",
            b"Friday, 01-Jan-27 00:01:30 GMT",
            b"Fri Jan  1 00:01:30 2027",
        ):
            self.assertEqual(parse_retry_after(value, NOW), 90, value)

    def test_unknown(self) -> None:
        """What is neither is not guessed at: other zones, negatives, fractions, noise."""
        for value in (
            b"",
            b"-5",
            b"1.5",
            b"soon",
            b"Fri, 01 Jan 2027 00:01:30 CET",
            b"Fri, 01 Jan 2027 00:01:30",
            b"Fri, 32 Jan 2027 00:01:30 GMT",
            "\u0665".encode(),
            "\u0665",
            b"1" * 65,
        ):
            self.assertIsNone(parse_retry_after(value, NOW), value)

    @given(st.binary(max_size=80) | st.text(max_size=80))
    @settings(deadline=None, max_examples=300)
    def test_anything(self, value: bytes | str) -> None:
        """Whatever is sent, the answer is None or within the bounds."""
        seconds = parse_retry_after(value, NOW)
        if seconds is not None:
            self.assertTrue(SHORTEST <= seconds <= LONGEST, seconds)
