"""Tests of :mod:`certstream_tx.ingest.lists.log_lists`: the freshest that verifies, kept so."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from certstream_tx.config import CHROME_LIST_URL, Config, ConfigError, CtLog, CustomLog
from certstream_tx.ct.log_list import LogList
from certstream_tx.ingest.http.errors import Unavailable
from certstream_tx.ingest.lists.list_cache import ListCache
from certstream_tx.ingest.lists.list_source import Packaged, packaged_list, signature_url
from certstream_tx.ingest.lists.log_lists import LogLists
from tests.ingest.lists.made_lists import (
    DAY,
    REAL_LIST,
    REAL_SIGNATURE,
    listed,
    made_list,
    made_package,
    public_pem,
    sign,
)

URL = "https://lists.example/log_list.json"
SIGNATURE = "https://lists.example/log_list.sig"
PACKAGED_AT = 1000 * DAY
HOUR = 3600.0


class FakeNetwork:
    """What is at each URL: bytes, an error to raise, or a Deferred to wait for."""

    def __init__(self) -> None:
        self.there: dict[str, bytes | Exception | Deferred[bytes]] = {}
        self.asked: list[str] = []

    def offer(self, pair: tuple[bytes, bytes]) -> None:
        self.there[URL], self.there[SIGNATURE] = pair

    async def get(self, url: str, *, max_bytes: int) -> bytes:
        self.asked.append(url)
        found = self.there.get(url, Unavailable("connect", "connection refused"))
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Deferred):
            return await found
        assert len(found) <= max_bytes
        return found


@implementer(ILogObserver)
class Told:
    """What operators were told, from info on."""

    def __init__(self) -> None:
        self.events: list[tuple[LogLevel, str]] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("certstream_tx"):
            self.events.append((event["log_level"], formatEvent(event)))

    @property
    def warnings(self) -> list[str]:
        return [text for level, text in self.events if level is LogLevel.warn]

    @property
    def infos(self) -> list[str]:
        return [text for level, text in self.events if level is LogLevel.info]


class LogListsTestCase(SynchronousTestCase):
    """A service with a packaged list of ten logs, on a clock ten days later."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = PACKAGED_AT + 10 * DAY
        self.network = FakeNetwork()
        self.folder = Path(self.mktemp())
        self.package = made_package(range(10), PACKAGED_AT)
        self.changes: list[LogList] = []
        self.told = Told()
        globalLogPublisher.addObserver(self.told)
        self.addCleanup(globalLogPublisher.removeObserver, self.told)

    def made(
        self,
        *,
        changed: Callable[[LogList], object] | None = None,
        url: str | None = URL,
        packaged: Packaged | None = None,
        custom_logs: tuple[CustomLog, ...] = (),
        in_thread: Callable[[Callable[[], None]], "Deferred[None]"] | None = None,
        **ct_log: Any,
    ) -> LogLists:
        ct_log.setdefault("list_cache", str(self.folder))
        return LogLists(
            Config(ct_logs_url=url, ct_log=CtLog(**ct_log), custom_logs=custom_logs),
            self.network,
            self.clock,
            in_thread or (lambda work: maybeDeferred(work)),
            changed or self.changes.append,
            Random(1),
            packaged=packaged or self.package,
        )

    def started(self, **options: Any) -> LogLists:
        """Loaded and started, and stopped at the end of the test."""
        lists = self.made(**options)
        lists.load()
        lists.startService()
        self.addCleanup(lambda: lists.running and lists.stopService())
        return lists

    def list_of(self, numbers: range, days: float, **changes: Any) -> tuple[bytes, bytes]:
        """A signed list made so many days after the packaged one."""
        return made_list(map(listed, numbers), PACKAGED_AT + days * DAY, **changes)

    def names(self, lists: LogLists) -> list[str]:
        return [log.name for log in lists.followed()]


class LoadTests(LogListsTestCase):
    """What there is at the start, without any network."""

    def test_the_real_package(self) -> None:
        """Chrome's packaged list verifies with Chrome's packaged key."""
        lists = self.made(packaged=packaged_list())
        loaded = lists.load()
        assert loaded is not None
        self.assertEqual((loaded.version, len(loaded.logs), loaded.problems), ("85.92", 56, ()))
        self.assertEqual(len(lists.followed()), 52)
        self.assertEqual(self.network.asked, [])

    def test_freshest_wins(self) -> None:
        """Of the packaged and the cached one, whichever was made later."""
        cache = ListCache(str(self.folder), URL)
        for days, count in ((5, 3), (-5, 10)):
            pair = self.list_of(range(3), days)
            cache.store(*pair, PACKAGED_AT + days * DAY)
            lists = self.made()
            lists.load()
            self.assertEqual(len(lists.followed()), count)

    def test_what_does_not_verify_is_not_there(self) -> None:
        """A changed list, a foreign signature, the pair of another URL."""
        data, signature = self.list_of(range(3), 5)
        for url, pair in (
            (URL, (data.replace(b"log 1", b"log 7"), signature)),
            (URL, (data, b"")),
            (URL, (REAL_LIST, REAL_SIGNATURE)),
            (URL + "?", (data, signature)),
        ):
            folder = Path(self.mktemp())
            ListCache(str(folder), url).store(*pair, PACKAGED_AT + 5 * DAY)
            lists = self.made(list_cache=str(folder))
            lists.load()
            self.assertEqual(len(lists.followed()), 10)

    def test_unreadable_folder(self) -> None:
        """Is told, and the packaged list serves."""
        self.folder.write_text("a file")
        lists = self.made()
        lists.load()
        self.assertEqual(len(lists.followed()), 10)
        self.assertRegex(self.told.warnings[0], "cannot be read: Not a directory")

    def test_it_says_what_it_uses(self) -> None:
        """Version, date, age, where from, and how many logs of it."""
        self.made(excluded_logs=("log 1",)).load()
        self.assertEqual(
            self.told.infos,
            [
                "Log list packaged of 1972-09-27, 10 days old, from this program: 10 live logs,"
                " 9 followed"
            ],
        )
        self.assertEqual(self.told.warnings, [])

    def test_old_list(self) -> None:
        """Past the age at which Chrome itself stops relying on it, a warning."""
        self.clock.advance(59 * DAY)
        self.made().load()
        self.assertEqual(self.told.warnings, [])
        self.clock.advance(2 * DAY)
        lists = self.made()
        lists.load()
        self.assertRegex(self.told.warnings[0], "71 days old.*https://lists.example/log_list.json")
        self.assertEqual(lists.age, 71 * DAY)

    def test_mistakes_in_the_configuration_are_told(self) -> None:
        """Names that fit no log, and logs of the list that cannot be used."""
        broken = listed(3) | {"log_id": listed(4)["log_id"]}
        package = Packaged(*made_list([listed(1), broken], PACKAGED_AT), public_pem())
        self.made(packaged=package, excluded_operators=("Gogle",)).load()
        self.assertEqual(len(self.told.warnings), 2)
        self.assertIn("Left out of the log list: log 3", self.told.warnings[0])
        self.assertEqual(
            self.told.warnings[1],
            "ct_log.excluded_operators: nothing in the log list is called Gogle",
        )

    def test_no_list(self) -> None:
        """With a null URL only the configuration's logs are followed; nothing is ever asked."""
        lists = self.started(url=None, custom_logs=(CustomLog(name="mine", url="http://a"),))
        self.clock.advance(10 * HOUR)
        self.assertEqual((lists.current, lists.age, self.names(lists)), (None, None, ["mine"]))
        self.assertEqual(self.network.asked, [])
        self.assertIsNone(lists.stopService())


class RefreshTests(LogListsTestCase):
    """Looking for a fresher one while running."""

    def test_signature_url(self) -> None:
        """Beside the list, whatever stands behind the path."""
        for url, signature in (
            (CHROME_LIST_URL, "https://www.gstatic.com/ct/log_list/v3/log_list.sig"),
            ("http://a/list", "http://a/list.sig"),
            ("http://a/l.json?x=1.json", "http://a/l.sig?x=1.json"),
        ):
            self.assertEqual(signature_url(url), signature)

    def test_start_does_not_wait(self) -> None:
        """The list on disk is used at once; the network is asked a moment later."""
        self.network.there[SIGNATURE] = Deferred()
        lists = self.started()
        self.assertEqual(len(lists.followed()), 10)
        self.clock.advance(1)
        self.assertEqual(self.network.asked, [])
        self.clock.advance(2)
        self.assertEqual(self.network.asked, [SIGNATURE])

    def test_without_any_list(self) -> None:
        """Where nothing on disk verifies the network is asked at once."""
        self.network.offer(self.list_of(range(3), 1))
        lists = self.started(packaged=self.package._replace(signature=b""))
        self.assertEqual(lists.followed(), [])
        self.clock.advance(0)
        self.assertEqual((len(self.changes), len(lists.followed())), (1, 3))

    def test_newer_list(self) -> None:
        """Is used, told once, and kept for the next start."""
        self.network.offer(self.list_of(range(12), 3))
        lists = self.started()
        self.clock.advance(3)
        self.assertEqual([len(each.logs) for each in self.changes], [12])
        self.assertEqual(len(lists.followed()), 12)
        self.clock.advance(2 * HOUR)
        self.assertEqual(len(self.changes), 1)
        again = self.made()
        again.load()
        self.assertEqual(len(again.followed()), 12)
        self.assertIn(f"from {self.folder.absolute()}", self.told.infos[-1])

    def test_unchanged_list(self) -> None:
        """Costs a request for its signature, every interval or so."""
        self.network.offer((self.package.data, self.package.signature))
        self.started()
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.network.asked, [SIGNATURE])
        self.clock.pump([60.0] * 60 * 10)
        self.assertIn(len(self.network.asked), range(9, 13))
        self.assertEqual((set(self.network.asked), self.changes), ({SIGNATURE}, []))
        self.assertEqual(self.told.warnings, [])

    def test_same_time_other_content(self) -> None:
        """Another list of the same moment is no older one: it is used."""
        self.network.offer(self.list_of(range(9), 0))
        self.started()
        self.clock.advance(3)
        self.assertEqual(len(self.changes), 1)

    def test_interval_zero(self) -> None:
        """Only at the start; but until that succeeded."""
        lists = self.started(log_refresh_interval_secs=0)
        self.clock.pump([60.0] * 60 * 24)
        attempts = len(self.network.asked)
        self.assertGreater(attempts, 5)
        self.network.offer(self.list_of(range(12), 3))
        self.clock.pump([60.0] * 60 * 2)
        self.assertEqual(len(self.changes), 1)
        asked = len(self.network.asked)
        self.clock.pump([60.0] * 60 * 24)
        self.assertEqual(len(self.network.asked), asked)
        lists.stopService()

    def refused(self, pair: tuple[bytes, bytes], says: str) -> None:
        """The offer changes nothing and is told once; a good one is used afterwards."""
        self.network.offer(pair)
        lists = self.started()
        self.clock.pump([60.0] * 60 * 5)
        self.assertEqual((self.changes, len(lists.followed())), ([], 10))
        self.assertEqual(len(self.told.warnings), 1, self.told.warnings)
        self.assertRegex(self.told.warnings[0], says)
        self.network.offer(self.list_of(range(11), 9))
        self.clock.pump([60.0] * 60 * 2)
        self.assertEqual((len(self.changes), len(lists.followed())), (1, 11))
        self.assertIn(f"The log list {URL} can be read and used again", self.told.infos)

    def test_older(self) -> None:
        """A server that shows yesterday's list, or an attacker who does."""
        self.refused(
            self.list_of(range(10), -1), "is not used: it is of 1972-09-26, the one in use"
        )

    def test_not_signed(self) -> None:
        """Nothing of it is believed; the way out for people with a list of their own is named."""
        data, signature = self.list_of(range(12), 3)
        self.refused((data + b" ", signature), "is not used: .*ct_log.list_key .*custom_logs")

    def test_not_a_list(self) -> None:
        """Signed by the right key, and no list all the same."""
        self.refused((b"{}", sign(b"{}")), "is not used: .*operators")

    def test_empty(self) -> None:
        """A list without live logs would stop everything."""
        pair = made_list([listed(1, "retired"), listed(2, None)], PACKAGED_AT + DAY)
        self.refused(pair, "is not used: it has no live log")

    def test_shrunk(self) -> None:
        """Less than half of the logs there were is an accident, until somebody says it is not."""
        self.refused(
            self.list_of(range(4), 3),
            r"it has 4 live logs, the one in use has 10; if that is meant, remove "
            f"{self.folder.absolute()}",
        )

    def test_half_is_enough(self) -> None:
        """Half of the logs may go at once."""
        self.network.offer(self.list_of(range(5), 3))
        self.started()
        self.clock.advance(3)
        self.assertEqual(len(self.changes), 1)

    def test_shrunk_after_years(self) -> None:
        """What an outdated list held says nothing about how many there should be."""
        self.clock.advance(800 * DAY)
        self.network.offer(self.list_of(range(2), 805))
        self.started()
        self.clock.advance(3)
        self.assertEqual(len(self.changes), 1)

    def test_unreachable(self) -> None:
        """Tried again sooner than in an interval, less and less often; told once a reason."""
        self.started()
        self.clock.pump([10.0] * 6 * 60 * 6)
        attempts = len(self.network.asked)
        self.assertIn(attempts, range(10, 40))
        self.assertEqual(
            self.told.warnings, [f"The log list {URL} cannot be read: connection refused"]
        )
        self.network.there[SIGNATURE] = Unavailable("timeout", "no answer within 30 s")
        self.clock.pump([60.0] * 60 * 3)
        self.assertEqual(len(self.told.warnings), 2)
        self.network.offer((self.package.data, self.package.signature))
        self.clock.pump([60.0] * 60 * 3)
        self.assertIn(f"The log list {URL} can be read and used again", self.told.infos)
        self.network.there.clear()
        self.clock.pump([60.0] * 60 * 3)
        self.assertEqual(len(self.told.warnings), 3)

    def test_aging_while_unreachable(self) -> None:
        """Once, when it has become too old."""
        self.started()
        self.clock.pump([HOUR] * 24 * 65)
        self.assertEqual(len([w for w in self.told.warnings if "days old" in w]), 1)

    def test_disk_full(self) -> None:
        """The list is used all the same."""

        def fails(work: Callable[[], None]) -> "Deferred[None]":
            def write() -> None:
                raise OSError(28, "No space left on device")

            return maybeDeferred(write)

        self.network.offer(self.list_of(range(12), 3))
        lists = self.started(in_thread=fails)
        self.clock.advance(3)
        self.assertEqual((len(self.changes), len(lists.followed())), (1, 12))
        self.assertRegex(self.told.warnings[0], "could not be kept on disk: No space left")

    def test_no_cache(self) -> None:
        """Nothing is written where nothing may be."""
        self.network.offer(self.list_of(range(12), 3))
        self.started(list_cache=None)
        self.clock.advance(3)
        self.assertEqual(len(self.changes), 1)
        self.assertFalse(self.folder.exists())

    def test_errors_of_this_program(self) -> None:
        """Neither a failing callback nor a bug below ends the refreshing."""

        def changed(log_list: LogList) -> None:
            self.changes.append(log_list)
            raise ZeroDivisionError

        self.network.there[SIGNATURE] = KeyError("a bug")
        self.started(changed=changed)
        self.clock.advance(3)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        for days in (3, 4):
            self.network.offer(self.list_of(range(12), days))
            self.clock.pump([60.0] * 60 * 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(len(self.changes), 2)

    def test_stop(self) -> None:
        """Cancels the request under way, and leaves no timer behind."""
        cancelled: list[object] = []
        self.network.there[SIGNATURE] = Deferred(cancelled.append)
        lists = self.started()
        self.clock.advance(3)
        stopped = lists.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.assertEqual((len(cancelled), self.clock.getDelayedCalls()), (1, []))
        lists = self.started()
        stopped = lists.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OwnListTests(LogListsTestCase):
    """Somebody's own list, signed with their own key (``ct_log.list_key``)."""

    def key_file(self, content: bytes) -> str:
        path = self.mktemp()
        Path(path).write_bytes(content)
        return path

    def test_own_list(self) -> None:
        """Their key alone decides: the packaged list is not theirs."""
        chrome = packaged_list()
        lists = self.made(packaged=chrome, list_key=self.key_file(public_pem()))
        self.assertIsNone(lists.load())
        self.assertEqual(lists.followed(), [])
        self.network.offer(
            made_list([listed(1) | {"url": "http://10.0.0.1/log/"}], PACKAGED_AT + DAY)
        )
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(lists.refresh())))
        self.assertEqual([log.url for log in lists.followed()], ["http://10.0.0.1/log"])
        again = self.made(packaged=chrome, list_key=self.key_file(public_pem()))
        again.load()
        self.assertEqual(self.names(again), ["log 1"])

    def test_plain_http_is_theirs_alone(self) -> None:
        """Chrome's list names no such log."""
        self.network.offer(
            made_list([listed(1) | {"url": "http://10.0.0.1/log/"}, listed(2)], PACKAGED_AT + DAY)
        )
        lists = self.made()
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(lists.refresh())))
        self.assertEqual(self.names(lists), ["log 2"])

    def test_signed_by_somebody_else(self) -> None:
        """The key that did not sign it is named."""
        path = self.key_file(public_pem())
        lists = self.made(list_key=path)
        self.network.offer((REAL_LIST, REAL_SIGNATURE))
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(lists.refresh())))
        self.assertIn(f"({path})", self.told.warnings[0])

    def test_unusable_key(self) -> None:
        """Refuses to start, naming the key and the file."""
        for path, reason in (
            ("/nonexistent/key.pem", "No such file"),
            (self.key_file(b"not PEM"), "expected a PEM file of an RSA key"),
            (self.key_file(public_pem()[:100]), "expected a PEM file of an RSA key"),
        ):
            with self.assertRaises(ConfigError) as refused:
                self.made(list_key=path)
            (problem,) = refused.exception.problems
            self.assertIn("ct_log.list_key: ", problem)
            self.assertIn(reason, problem)
            self.assertIn(path, problem)
