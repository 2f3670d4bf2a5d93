"""Tests of certstream_tx.ingest.clients.issuers."""

from hashlib import sha256
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.clients.issuers import MAX_MISSING, MISSING_FOR, TELL_AGAIN, IssuerCache
from certstream_tx.ingest.http.errors import BadBody, Refused, Throttled, Unavailable


def certificate(number: int, size: int = 100) -> bytes:
    """Bytes that begin like a certificate."""
    return b"\x30" + number.to_bytes(4, "big") + bytes(size - 5)


def fingerprint(issuer: bytes) -> bytes:
    """Its SHA-256."""
    return sha256(issuer).digest()


class IssuerCacheTests(SynchronousTestCase):
    """Fetching once, and remembering."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.cache = IssuerCache(self.clock, max_count=10, max_bytes=1000)
        self.fetched: list[bytes] = []
        self.answers: list[Any] = []
        self.waiting: list[Deferred[bytes]] = []

    async def fetch(self, wanted: bytes) -> bytes:
        self.fetched.append(wanted)
        if not self.answers:
            waiting: Deferred[bytes] = Deferred()
            self.waiting.append(waiting)
            return await waiting
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    def get(self, wanted: bytes, source: str = "log") -> "Deferred[bytes | None]":
        return Deferred.fromCoroutine(self.cache.get(wanted, source, self.fetch))

    def add(self, issuer: bytes) -> None:
        self.answers.append(issuer)
        self.assertEqual(self.successResultOf(self.get(fingerprint(issuer))), issuer)

    def test_once(self) -> None:
        """An issuer is fetched once, for all logs."""
        issuer = certificate(1)
        self.add(issuer)
        self.assertEqual(self.successResultOf(self.get(fingerprint(issuer), "another")), issuer)
        self.assertEqual(self.cache.known(fingerprint(issuer)), issuer)
        self.assertEqual(len(self.fetched), 1)
        self.assertEqual((self.cache.hits, self.cache.misses), (2, 1))
        self.assertEqual((len(self.cache), self.cache.size), (1, 100))

    def test_in_flight(self) -> None:
        """Who asks while it is being fetched waits for the same request."""
        issuer = certificate(1)
        asking = [self.get(fingerprint(issuer)) for _ in range(3)]
        self.assertEqual(len(self.fetched), 1)
        self.waiting[0].callback(issuer)
        for each in asking:
            self.assertEqual(self.successResultOf(each), issuer)

    def test_cancelled(self) -> None:
        """The request ends with the last one who waits for it, and can be made again."""
        issuer = certificate(1)
        first, second = (self.get(fingerprint(issuer)) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(self.waiting[0].called)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(self.waiting[0].called)
        self.add(issuer)
        self.assertEqual(len(self.fetched), 2)

    def test_count_is_bounded(self) -> None:
        """Beyond so many the one not used for longest is forgotten."""
        issuers = [certificate(number, 50) for number in range(11)]
        for issuer in issuers[:10]:
            self.add(issuer)
        self.cache.known(fingerprint(issuers[0]))
        self.add(issuers[10])
        self.assertEqual(len(self.cache), 10)
        self.assertIsNotNone(self.cache.known(fingerprint(issuers[0])))
        self.assertIsNone(self.cache.known(fingerprint(issuers[1])))

    def test_bytes_are_bounded(self) -> None:
        """So it is beyond so many bytes."""
        for number in range(5):
            self.add(certificate(number, 300))
        self.assertEqual((len(self.cache), self.cache.size), (3, 900))

    def test_other_certificate(self) -> None:
        """What has another hash, or is no certificate, is not taken, and asked for once more."""
        issuer, blob = certificate(1), b"\x00" * 100
        self.answers = [certificate(2), issuer]
        self.assertEqual(self.successResultOf(self.get(fingerprint(issuer))), issuer)
        self.answers = [blob, blob, blob]
        self.assertIsNone(self.successResultOf(self.get(fingerprint(blob))))
        self.assertEqual(len(self.fetched), 4)

    def test_bounded_tries(self) -> None:
        """A log that is ill is asked twice, one that has it not once; throttling is waited for."""
        issuer = certificate(1)
        ill = Unavailable("timeout", "no answer")
        for answers, tries in (
            ([ill, ill, issuer], 2),
            ([Refused("not_found", "HTTP 404", 404), issuer], 1),
            ([BadBody("too large", "too_large"), issuer], 1),
            ([Throttled("HTTP 429")] * 6, 5),
        ):
            self.setUp()
            self.answers = list(answers)
            self.assertIsNone(self.successResultOf(self.get(fingerprint(issuer))))
            self.assertEqual(len(self.fetched), tries)
        self.setUp()
        self.answers = [Throttled("HTTP 429"), ill, Throttled("HTTP 429"), issuer]
        self.assertEqual(self.successResultOf(self.get(fingerprint(issuer))), issuer)

    def test_missing(self) -> None:
        """One that could not be had is not asked of that log again for a while."""
        issuer = certificate(1)
        self.answers = [Refused("not_found", "HTTP 404", 404)]
        self.assertIsNone(self.successResultOf(self.get(fingerprint(issuer))))
        self.clock.advance(MISSING_FOR - 1)
        self.answers = [issuer]
        self.assertIsNone(self.successResultOf(self.get(fingerprint(issuer))))
        self.assertEqual(len(self.fetched), 1)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(self.get(fingerprint(issuer))), issuer)

    def test_missing_elsewhere(self) -> None:
        """What one log does not have another may."""
        issuer = certificate(1)
        self.answers = [Refused("not_found", "HTTP 404", 404), issuer]
        self.assertIsNone(self.successResultOf(self.get(fingerprint(issuer), "one")))
        self.assertEqual(self.successResultOf(self.get(fingerprint(issuer), "two")), issuer)

    def test_missing_is_bounded(self) -> None:
        """A log that names issuers without end does not fill the memory."""
        for number in range(MAX_MISSING + 10):
            self.answers = [Refused("not_found", "HTTP 404", 404)]
            self.successResultOf(self.get(fingerprint(certificate(number))))
        self.assertEqual(len(self.cache._missing), MAX_MISSING)

    def test_told_once(self) -> None:
        """A log that lacks many issuers is told of once in a while, not once for each."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        for number in range(5):
            self.answers = [Refused("not_found", "HTTP 404", 404)] * 2
            self.successResultOf(self.get(fingerprint(certificate(number)), "one"))
            self.successResultOf(self.get(fingerprint(certificate(number)), "two"))
        mine = [each for each in events if each.get("log_namespace") == "certstream_tx.issuers"]
        self.assertEqual([each["source"] for each in mine], ["one", "two"])
        self.clock.advance(TELL_AGAIN)
        self.answers = [Refused("not_found", "HTTP 404", 404)]
        self.successResultOf(self.get(fingerprint(certificate(9)), "one"))
        self.assertEqual(events[-1]["source"], "one")

    def test_own_mistakes(self) -> None:
        """An exception that is nobody's answer reaches whoever waits, and blocks nothing."""
        self.answers = [ZeroDivisionError()]
        self.failureResultOf(self.get(fingerprint(certificate(1))), ZeroDivisionError)
        self.add(certificate(1))
