"""Tests of :mod:`certstream_tx.ingest.lists.log_selection`: which logs are followed."""

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, ConfigError, CtLog, CustomLog, StaticLog
from certstream_tx.ct.log_list import Log, read_log_list
from certstream_tx.ingest.lists.log_selection import (
    check_choice,
    check_own_logs,
    followed,
    unmatched_names,
)
from tests.ingest.lists.made_lists import REAL_LIST, listed, log_key, made_list, tiled

STATES = ("pending", "qualified", "usable", "readonly", "retired", "rejected")


def read(*args: object, **kwargs: object) -> tuple[Log, ...]:
    """The logs of a made list."""
    log_list = read_log_list(made_list(*args, timestamp=1e9, **kwargs)[0])
    assert not log_list.problems, log_list.problems
    return log_list.logs


class ChoiceTests(SynchronousTestCase):
    """What the configuration chooses from a list."""

    def names(self, logs: tuple[Log, ...], **ct_log: object) -> list[str]:
        return [log.name for log in followed(logs, Config(ct_log=CtLog(**ct_log)))]

    def test_states(self) -> None:
        """Live ones; pending on request; never what is gone when it is first seen."""
        logs = read([listed(i, state) for i, state in enumerate((*STATES, None))])
        self.assertEqual(self.names(logs), ["log 1", "log 2", "log 3"])
        self.assertEqual(
            self.names(logs, include_pending=True), ["log 0", "log 1", "log 2", "log 3"]
        )

    def test_real_list(self) -> None:
        """Chrome's of 2026-05-29: placeholders and Oak are retired, Mammoth and Sabre readonly."""
        logs = read_log_list(REAL_LIST).logs
        names = self.names(logs)
        self.assertEqual(len(names), 52)
        self.assertFalse([name for name in names if "Bogus" in name or "Oak" in name])
        self.assertTrue([name for name in names if "Mammoth" in name])

    def test_families(self) -> None:
        """Of it, the logs of every large operator, of both kinds."""
        names = " ".join(self.names(read_log_list(REAL_LIST).logs))
        for family in (
            *("Google 'Argon", "Google 'Xenon", "Cloudflare 'Nimbus", "DigiCert 'Wyvern"),
            *("DigiCert 'Sphinx", "Sectigo 'Elephant", "Sectigo 'Tiger", "TrustAsia"),
            *("Let's Encrypt 'Sycamore", "Let's Encrypt 'Willow", "Geomys", "IPng Networks"),
        ):
            self.assertIn(family, names)

    def test_kinds(self) -> None:
        """Each can be switched off."""
        logs = read([listed(1)], tiled_logs=[tiled(2)])
        self.assertEqual(self.names(logs), ["log 1", "log 2"])
        self.assertEqual(self.names(logs, rfc6962_enabled=False), ["log 2"])
        self.assertEqual(self.names(logs, static_ct_enabled=False), ["log 1"])

    def test_operators(self) -> None:
        """Compared without case and spaces; an exclusion outweighs an inclusion."""
        logs = read([listed(1)], operator="Let's Encrypt") + read([listed(2)], operator="Google")
        self.assertEqual(self.names(logs, excluded_operators=("LET'S  encrypt",)), ["log 2"])
        self.assertEqual(self.names(logs, included_operators=("let'sencrypt",)), ["log 1"])
        both = {"included_operators": ("google",), "excluded_operators": ("Google",)}
        self.assertEqual(self.names(logs, **both), [])

    def test_logs(self) -> None:
        """By name, URL with or without scheme, log id, and of tiled ones the submission URL."""
        logs = read([listed(1), listed(2)], tiled_logs=[tiled(3)])
        id_of_2 = b64encode(sha256(log_key(2)).digest()).decode()
        for name, left in (
            ("LOG 1", ["log 2", "log 3"]),
            ("https://log1.example/ct/", ["log 2", "log 3"]),
            ("log1.example/ct", ["log 2", "log 3"]),
            (id_of_2, ["log 1", "log 3"]),
            ("mon3.example/ct", ["log 1", "log 2"]),
            ("https://log3.example/ct/", ["log 1", "log 2"]),
            ("log", ["log 1", "log 2", "log 3"]),
        ):
            self.assertEqual(self.names(logs, excluded_logs=(name,)), left, name)
            others = [n for n in ("log 1", "log 2", "log 3") if n not in left]
            self.assertEqual(self.names(logs, included_logs=(name,)), others, name)

    def test_unmatched_names(self) -> None:
        """A name that fits nothing is a typing error, or a log that is gone: it is told."""
        logs = read([listed(1, "retired")], operator="Google")
        ct_log = CtLog(
            excluded_operators=("google", "Gogle"),
            included_operators=("Gugle",),
            excluded_logs=("log 1", "log 7"),
            included_logs=("https://log1.example/ct", "x"),
        )
        self.assertEqual(
            unmatched_names(logs, Config(ct_log=ct_log)),
            [
                ("ct_log.excluded_operators", "Gogle"),
                ("ct_log.included_operators", "Gugle"),
                ("ct_log.excluded_logs", "log 7"),
                ("ct_log.included_logs", "x"),
            ],
        )


class NothingTests(SynchronousTestCase):
    """Choices that leave nothing to follow."""

    def test_refused(self) -> None:
        """They are refused, where there are lists to choose from and no other log."""
        logs = read([listed(1)], tiled_logs=[tiled(2)])
        for ct_log in (
            {"included_logs": ("nobody",)},
            {"excluded_logs": ("log 1", "log 2")},
            {"excluded_logs": ("log 1",), "static_ct_enabled": False},
        ):
            config = Config(ct_log=CtLog(**ct_log))
            error = self.assertRaises(ConfigError, check_choice, logs, config)
            (problem,) = error.problems
            self.assertTrue(problem.startswith("ct_log: of 2 listed logs none is chosen, "))
            check_choice([], config)
            own = (CustomLog(name="own", url="https://own.example"),)
            check_choice(logs, replace(config, custom_logs=own))
        check_choice(logs, Config())


class OwnLogTests(SynchronousTestCase):
    """Logs that the configuration names."""

    def test_fields(self) -> None:
        """As lists would name them."""
        config = Config(
            custom_logs=(CustomLog(name="a", url="http://a", key=log_key(1), operator="me"),),
            static_logs=(StaticLog(name="b", url="http://b", log_origin="b.example"),),
        )
        a, b = followed((), config)
        self.assertEqual((a.name, a.url, a.kind, a.operator), ("a", "http://a", "rfc6962", "me"))
        self.assertEqual((a.key, a.log_id), (log_key(1), sha256(log_key(1)).digest()))
        self.assertEqual((b.kind, b.origin, b.key, b.log_id), ("tiled", "b.example", None, None))
        self.assertEqual(b.state_key, "url:http://b")

    def test_always_followed(self) -> None:
        """Whatever is excluded or switched off."""
        ct_log = CtLog(rfc6962_enabled=False, excluded_logs=("a",), included_operators=("Google",))
        own = CustomLog(name="a", url="http://a")
        self.assertEqual(
            [log.name for log in followed((), Config(ct_log=ct_log, custom_logs=(own,)))], ["a"]
        )

    def test_takes_the_place_of_the_listed_one(self) -> None:
        """By key, by expected log id, by URL; what it does not say it learns from the list."""
        final = {
            "readonly": {
                "timestamp": "2026-01-01T00:00:00Z",
                "final_tree_head": {"sha256_root_hash": "A" * 43 + "=", "tree_size": 7},
            }
        }
        logs = read([listed(1, state=None) | {"state": final}, listed(2)])
        for own in (
            CustomLog(name="mine", url="http://elsewhere", key=log_key(1)),
            CustomLog(
                name="mine",
                url="http://elsewhere",
                expected_log_id=sha256(log_key(1)).digest(),
            ),
            CustomLog(name="mine", url="https://log1.example/ct"),
        ):
            mine, other = followed(logs, Config(custom_logs=(own,)))
            self.assertEqual(
                mine, replace(logs[0], name="mine", url=own.url), "all else is the list's"
            )
            self.assertEqual(other, logs[1])

    def test_a_static_view_of_a_listed_log(self) -> None:
        """A log of both protocols can be read by the other one; the origin is its own affair."""
        logs = read([listed(1)])
        own = StaticLog(name="tiles", url="http://tiles", key=log_key(1))
        (mine,) = followed(logs, Config(static_logs=(own,)))
        self.assertEqual((mine.kind, mine.url, mine.origin), ("tiled", "http://tiles", None))
        logs = read([], tiled_logs=[tiled(1)])
        (mine,) = followed(logs, Config(static_logs=(own,)))
        self.assertEqual(mine.origin, "log1.example/ct")

    def test_a_hybrid(self) -> None:
        """A listed RFC 6962 log that is to be read by tiles keeps its head where it is."""
        own = StaticLog(name="m", url="https://log1.example/ct", tree_size_source="get_sth")
        (mine,) = followed(read([listed(1)]), Config(static_logs=(own,)))
        self.assertEqual((mine.kind, mine.get_sth, mine.key), ("tiled", True, log_key(1)))

    def test_id_that_is_not_listed(self) -> None:
        """Is the log's identity, without a key; a listed log of its URL gives way."""
        own = CustomLog(name="a", url="https://log1.example/ct", expected_log_id=b"x" * 32)
        (mine,) = followed(read([listed(1)]), Config(custom_logs=(own,)))
        self.assertEqual((mine.log_id, mine.key), (b"x" * 32, None))

    def test_unusable_keys(self) -> None:
        """A key that looks like one but does not load refuses to start, by name."""
        bad = log_key(1)[:-1] + b"\0"
        config = Config(
            custom_logs=(
                CustomLog(name="good", url="http://a", key=log_key(1)),
                CustomLog(name="bad", url="http://b", key=bad),
                CustomLog(name="none", url="http://c"),
            )
        )
        with self.assertRaises(ConfigError) as refused:
            check_own_logs(config)
        (problem,) = refused.exception.problems
        self.assertTrue(problem.startswith("custom_logs, bad: key: "), problem)
        check_own_logs(replace(config, custom_logs=config.custom_logs[:1]))
