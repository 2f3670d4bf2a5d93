"""What tests of both log clients do with theirs."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.http.errors import FetchError
from tests.ingest.faults import Answer
from tests.ingest.fronted_log import FrontedLog


class ClientCase(SynchronousTestCase):
    """A log of ``size`` entries, made by ``start``, and its client."""

    size: int
    fake: FrontedLog
    client: Any
    head: SignedHead

    def setUp(self) -> None:
        self.start(self.size)

    def start(self, size: int) -> None:
        """Make both."""
        raise NotImplementedError

    def ask_head(self, *answers: Answer) -> "Deferred[SignedHead]":
        """Ask for the head, while the log is to answer so."""
        self.fake.front.next.extend(answers)
        return Deferred.fromCoroutine(self.client.head())

    def entries(self, start: int, end: int) -> list[Entry]:
        return self.successResultOf(self.asking(start, end))

    def asking(self, start: int, end: int) -> "Deferred[list[Entry]]":
        return Deferred.fromCoroutine(self.client.entries(start, end, self.head))

    def failure(self, asking: "Deferred[Any]", expected: type[FetchError], kind: str) -> Any:
        error = self.failureResultOf(asking, expected).value
        self.assertEqual(error.kind, kind)
        return error
