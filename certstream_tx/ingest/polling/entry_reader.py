"""Entries made into messages and published, in slices so short that nothing else has to wait."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.events import logger
from certstream_tx.message.documents import Message, Source, build_message
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.polling.entry_reader")

SLICE_SECONDS = 0.004
"""The longest time, but for one unit, that reading keeps the reactor from its sockets."""
UNIT = 8
"""Entries read between two looks at the time: below a millisecond of work, and a look costs
next to nothing a piece."""
UNIT_BYTES = 32 * 1024
"""But no more than this of certificates: one of 200 KB full of names takes as long as a slice."""


class EntryReader:
    """Reads for all logs: in each turn of the reactor one slice, shared out in turns of a unit.

    ``timer`` gives seconds of an arbitrary origin that never jump; ``clock`` the time of day.
    """

    def __init__(
        self,
        publish: Callable[[Message], None],
        clock: IReactorTime,
        *,
        timer: Callable[[], float] = perf_counter,
        build: Callable[..., Message] = build_message,
    ) -> None:
        self._publish = publish
        self._now = clock.seconds
        self._timer = timer
        self._build = build
        self._reported: set[tuple[str, type[BaseException] | None]] = set()
        self._cooperator = Cooperator(
            terminationPredicateFactory=self._slice,
            scheduler=lambda turn: clock.callLater(0, turn),
        )

    async def read(
        self,
        entries: Sequence[Entry],
        source: Source,
        stats: LogStats,
        accepted: Callable[[Sequence[Entry]], None],
        *,
        late: bool = False,
    ) -> None:
        """Publish the messages of these entries, in order; ``late``: they come after their
        neighbours, out of a gap.

        ``accepted`` is called for each few of them right after they were published, so that a
        position never is behind by more than that, nor ahead. Cancelled, it stops between two.
        """
        reading = self._cooperator.cooperate(self._units(entries, source, stats, accepted, late))
        try:
            await reading.whenDone()
        except CancelledError:
            reading.stop()
            raise

    def _slice(self) -> Callable[[], bool]:
        """A new slice: whether it is over."""
        timer = self._timer
        end = timer() + SLICE_SECONDS
        return lambda: timer() >= end

    def _units(
        self,
        entries: Sequence[Entry],
        source: Source,
        stats: LogStats,
        accepted: Callable[[Sequence[Entry]], None],
        late: bool,
    ) -> Iterator[None]:
        publish, now = self._publish, self._now
        build = partial(self._build, late=True) if late else self._build
        for unit in _in_units(entries):
            done = 0
            try:
                for entry in unit:
                    try:
                        message = build(entry, source, now)
                        publish(message)
                    except Exception:
                        message = self._publish_unread(entry, source, build)
                    done += 1
                    if message.parse_error is not None:
                        stats.parse_failures += 1
                        stats.unproven_entries += entry.proven is not None
            finally:
                if done:
                    stats.entries += done
                    if late:
                        stats.late_entries += done
                    elif timestamp := unit[done - 1].timestamp:  # 0: too broken to tell
                        stats.last_entry_timestamp = timestamp / 1000
                    accepted(unit if done == len(unit) else unit[:done])
            yield

    def _publish_unread(
        self, entry: Entry, source: Source, build: Callable[..., Message]
    ) -> Message:
        """Called while an entry raised, which none should: publish what is left without reading.

        Raises when the hub refuses even this, so that the position stays before the entry.
        """
        failure = Failure()
        first_of_its_kind = (source.url, failure.type)
        if first_of_its_kind not in self._reported:
            self._reported.add(first_of_its_kind)
            log.failure(
                "{log}: entry {index} could not be made into a message (told once a kind of error)",
                failure,
                log=source.name,
                index=entry.index,
            )
        else:
            log.error(
                "{log}: entry {index} could not be made into a message: {reason}",
                log=source.name,
                index=entry.index,
                reason=failure.getErrorMessage(),
            )
        reason = f"an error of this program: {failure.getErrorMessage()}"
        unread = entry._replace(error=reason, proven=None)
        message = build(unread, source, self._now)
        self._publish(message)
        return message


def _in_units(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries, in order, in pieces between which others have their turn."""
    first = weight = 0
    for end, entry in enumerate(entries, 1):
        weight += len(entry.submitted)
        if end - first == UNIT or weight >= UNIT_BYTES:
            yield entries[first:end]
            first, weight = end, 0
    if first < len(entries):
        yield entries[first:]
