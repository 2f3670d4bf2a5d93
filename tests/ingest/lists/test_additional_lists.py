"""Tests of lists besides that of ``ct_logs_url``: merged, marked, none the worse for another."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import maybeDeferred

from certstream_tx.config import Config, ConfigError, CtLog
from certstream_tx.config.lists import AdditionalList
from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.http.errors import Unavailable
from certstream_tx.ingest.lists.log_lists import LogLists
from certstream_tx.ingest.lists.log_selection import united
from certstream_tx.service.log_clients import stats_of
from tests.ingest.lists.made_lists import DAY, listed, made_list, tiled
from tests.ingest.lists.test_log_lists import PACKAGED_AT, LogListsTestCase

ALL = "https://lists.example/all_logs_list.json"
APPLE = "https://valid.apple.com/ct/log_list/current_log_list.json"
OTHERS = "https://others.example/list.json"
HOUR = 3600.0


def apples(*logs: dict[str, Any], **changes: Any) -> bytes:
    """A list as Apple publishes it: without a time, a version, or a signature."""
    operators = [{"name": "An Operator", "email": ["a@b.example"], "logs": list(logs)}]
    return json.dumps(
        {"assetVersion": 32, "assetVersionV2": 1013, "operators": operators} | changes
    ).encode()


class AdditionalListsTests(LogListsTestCase):
    """The list of logs 0 to 9, and further ones."""

    def setUp(self) -> None:
        super().setUp()
        self.network.offer((self.package.data, self.package.signature))

    def made_with(self, *additional: AdditionalList, **ct_log: Any) -> LogLists:
        """Loaded and started with these further lists, and stopped at the end."""
        ct_log.setdefault("list_cache", str(self.folder))
        config = Config(
            ct_logs_url="https://lists.example/log_list.json",
            ct_log=CtLog(**ct_log),
            additional_log_lists=additional,
        )
        lists = LogLists(
            config,
            self.network,
            self.clock,
            maybeDeferred,
            self.changes.append,
            Random(1),
            packaged=self.package,
        )
        lists.load()
        lists.startService()
        self.addCleanup(lambda: lists.running and lists.stopService())
        return lists

    def offer(self, url: str, pair: tuple[bytes, bytes]) -> None:
        self.network.there[url], self.network.there[url.replace(".json", ".sig")] = pair

    def by_name(self, lists: LogLists) -> dict[str, Log]:
        return {log.name: log for log in lists.followed()}

    def test_all_logs(self) -> None:
        """Of the list of all logs, by the same key: pending ones if wanted; never rejected ones,
        nor test logs, which have no state; what both name is the first list's."""
        self.offer(
            ALL,
            made_list(
                [
                    listed(0, description="renamed"),
                    listed(20, "pending"),
                    listed(21, "rejected"),
                    listed(22, None, log_type="test"),
                    listed(23, "readonly"),
                ],
                PACKAGED_AT,
                tiled_logs=[tiled(24)],
            ),
        )
        main = {f"log {number}" for number in range(10)}
        for pending, more in ((False, set()), (True, {"log 20"})):
            lists = self.made_with(AdditionalList(url=ALL), include_pending=pending)
            self.clock.advance(3)
            self.assertEqual(set(self.by_name(lists)), main | {"log 23", "log 24"} | more)
            self.assertFalse(any(log.unsigned for log in lists.followed()))
            lists.stopService()

    def test_unsigned(self) -> None:
        """Apple's: only its address is asked for; its own logs are marked, down to the counters."""
        self.network.there[APPLE] = apples(listed(0, description="theirs"), listed(30))
        lists = self.made_with(AdditionalList(url=APPLE, signed=False))
        self.clock.advance(3)
        found = self.by_name(lists)
        self.assertEqual(len(found), 11)
        self.assertEqual([n for n, log in found.items() if log.unsigned], ["log 30"])
        self.assertTrue(stats_of(found["log 30"]).unsigned_list)
        self.assertFalse(stats_of(found["log 0"]).unsigned_list)
        self.assertNotIn(APPLE.replace(".json", ".sig"), self.network.asked)
        self.assertIn(
            f"Log list without version of an unknown day, from {APPLE}: 2 live logs, 11 followed",
            self.told.infos,
        )
        self.clock.pump([60.0] * 60 * 3)
        self.assertEqual(len(self.changes), 1, "an unchanged one changes nothing")

    def test_unsigned_list_may_not_be_signed_over(self) -> None:
        """Neither the key, the address nor the state of a log in a signed list is taken from it,
        in whatever order they are configured."""
        theirs = [
            listed(0, "retired"),
            listed(1, url="https://attacker.example/"),
            listed(40, url=listed(2)["url"]),
            listed(41, description="theirs"),
        ]
        self.network.there[APPLE] = apples(*theirs)
        self.offer(ALL, made_list([listed(41, "usable")], PACKAGED_AT))
        apple, every = AdditionalList(url=APPLE, signed=False), AdditionalList(url=ALL)
        before = self.by_name(self.made())
        for order in ((apple, every), (every, apple)):
            lists = self.made_with(*order)
            self.clock.advance(3)
            found = self.by_name(lists)
            self.assertEqual({**before, **found}, found)
            self.assertEqual(set(found) - {f"log {n}" for n in range(10)}, {"log 41"})
            lists.stopService()

    def test_becomes_signed(self) -> None:
        """A log that Chrome takes in later is no longer marked."""
        self.network.there[APPLE] = apples(listed(30))
        lists = self.made_with(AdditionalList(url=APPLE, signed=False))
        self.clock.advance(3)
        self.assertTrue(self.by_name(lists)["log 30"].unsigned)
        self.network.offer(made_list(map(listed, [*range(10), 30]), PACKAGED_AT + DAY))
        self.clock.pump([60.0] * 80)
        self.assertFalse(self.by_name(lists)["log 30"].unsigned)

    def test_own_key(self) -> None:
        """A list of somebody else is signed by their key, and by no other; only that one may name
        logs that are read without TLS."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path = self.mktemp()
        Path(path).write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        data, by_chrome = made_list([listed(50, url="http://10.0.0.1/")], PACKAGED_AT + DAY)
        lists = self.made_with(AdditionalList(url=OTHERS, key=path))
        self.offer(OTHERS, (data, by_chrome))
        self.clock.advance(3)
        self.assertNotIn("log 50", self.by_name(lists))
        self.assertRegex(self.told.warnings[-1], rf"{OTHERS} is not used: .*\({path}\)")
        self.offer(OTHERS, (data, key.sign(data, padding.PKCS1v15(), SHA256())))
        self.clock.pump([60.0] * 5)
        self.assertFalse(self.by_name(lists)["log 50"].unsigned)

    def test_bad_lists_harm_nobody(self) -> None:
        """Unreachable, garbage, unsigned where it should be signed, shrunk: told, by address, and
        all other lists go on, the bad one's last good content too."""
        self.network.there[APPLE] = apples(*map(listed, range(30, 36)))
        self.offer(ALL, made_list([listed(20)], PACKAGED_AT))
        lists = self.made_with(
            AdditionalList(url=OTHERS),
            AdditionalList(url=APPLE, signed=False),
            AdditionalList(url=ALL),
        )
        self.clock.advance(3)
        self.assertEqual(len(lists.followed()), 17)
        self.assertEqual(
            self.told.warnings[-1], f"The log list {OTHERS} cannot be read: connection refused"
        )
        for bad in (
            b"<html>",
            apples(),
            apples(listed(30)),
            apples(operators=None),
            Unavailable("timeout", "no answer within 30 s"),
        ):
            self.network.there[APPLE] = bad
            self.offer(OTHERS, (apples(listed(60)), b"no signature"))
            self.clock.pump([60.0] * 130)
            self.assertEqual(len(lists.followed()), 17)
        self.network.offer(made_list(map(listed, range(11)), PACKAGED_AT + DAY))
        self.clock.pump([60.0] * 80)
        self.assertEqual(len(lists.followed()), 18)

    def test_kept_on_disk(self) -> None:
        """Each is there at the next start, without any network; a damaged one is not."""
        self.network.there[APPLE] = apples(listed(30))
        self.offer(ALL, made_list([listed(20)], PACKAGED_AT))
        additional = (AdditionalList(url=APPLE, signed=False), AdditionalList(url=ALL))
        lists = self.made_with(*additional)
        self.clock.advance(3)
        lists.stopService()
        self.network.there.clear()
        again = self.by_name(self.made_with(*additional))
        self.assertTrue(again["log 30"].unsigned)
        self.assertEqual(len(again), 12)
        for path in self.folder.glob("*.json"):
            path.write_bytes(path.read_bytes() + b" ")
        self.assertEqual(len(self.made_with(*additional).followed()), 10)

    def test_no_main_list(self) -> None:
        """Further lists alone will do."""
        self.network.there[APPLE] = apples(listed(30))
        lists = self.made(url=None)
        config = replace(
            lists.config, additional_log_lists=(AdditionalList(url=APPLE, signed=False),)
        )
        lists = LogLists(
            config, self.network, self.clock, maybeDeferred, self.changes.append, Random(1)
        )
        lists.load()
        lists.startService()
        self.clock.advance(3)
        self.assertEqual(list(self.by_name(lists)), ["log 30"])
        self.assertIsNone(lists.current)
        stopped = lists.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unusable_key(self) -> None:
        """Refuses to start, naming the key."""
        with self.assertRaises(ConfigError) as refused:
            self.made_with(AdditionalList(url=ALL), AdditionalList(url=OTHERS, key="/nowhere.pem"))
        self.assertIn("additional_log_lists[1].key: /nowhere.pem", str(refused.exception))

    def test_names_of_all_lists(self) -> None:
        """A name in an exclusion is looked for in all lists before it is called unknown."""
        self.network.there[APPLE] = apples(listed(30))
        apple = AdditionalList(url=APPLE, signed=False)
        lists = self.made_with(apple)
        self.clock.advance(3)
        lists.stopService()
        lists = self.made_with(apple, excluded_logs=("log 30",))
        self.clock.advance(3)
        self.assertNotIn("log 30", self.by_name(lists))
        self.assertFalse([text for text in self.told.warnings if "log 30" in text])


class UnitedTests(LogListsTestCase):
    """Several lists as one."""

    def test_within_a_list(self) -> None:
        """Two logs at one address in the same list are that list's affair."""
        one, two = Log("a", "https://a", "rfc6962", b"1"), Log("b", "https://a/", "rfc6962", b"2")
        self.assertEqual(united([[one, two], [two]]), (one, two))
