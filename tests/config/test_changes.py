"""Tests of :mod:`certstream_tx.config.changes`: what differs, and how it is told."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, load
from certstream_tx.config.changes import LONGEST, changed, described, value_of, with_values
from certstream_tx.config.reading import LEAVES


def read(yaml: str) -> Config:
    return load({}, {}, read_file=lambda path: yaml.encode()).config


class ChangesTests(SynchronousTestCase):
    """Two configurations."""

    def test_changed(self) -> None:
        """The paths that differ, those that follow from others left out."""
        old = read("port: 80\nct_log: {excluded_logs: [a]}\nauth: {tokens: [x]}")
        new = read("port: 81\nct_log: {excluded_logs: [b]}\nauth: {tokens: [y]}")
        self.assertEqual(changed(old, new), ["port", "ct_log.excluded_logs", "auth.tokens"])
        self.assertEqual(changed(old, old), [])
        self.assertEqual(changed(Config(), read("")), [])

    def test_with_values(self) -> None:
        """Some keys of one, all others of the other; both stay as they are."""
        old = read("port: 80\nlog_level: warn\nrate_limit: {per_second: 3}")
        new = read("port: 81\nlog_level: debug\nrate_limit: {per_second: 4, burst_size: 9}")
        merged = with_values(old, new, {"log_level", "rate_limit.burst_size"})
        self.assertEqual(changed(old, merged), ["log_level", "rate_limit.burst_size"])
        self.assertEqual(changed(merged, new), ["port", "rate_limit.per_second"])
        self.assertEqual(with_values(old, new, LEAVES), new)
        self.assertEqual(with_values(old, new, []), old)

    def test_described(self) -> None:
        """Old and new, as they could stand in the file."""
        old, new = read("rate_limit: {per_second: 3}"), read("trusted_proxies: [10.0.0.0/8]")
        self.assertEqual(
            described("rate_limit.per_second", old, new), "rate_limit.per_second: 3 -> 10"
        )
        self.assertEqual(
            described("trusted_proxies", old, new), 'trusted_proxies: [] -> ["10.0.0.0/8"]'
        )

    def test_tokens_are_masked(self) -> None:
        """Neither text nor hash is shown, but that something has changed is."""
        digest = "ab" * 32
        old = read("auth: {tokens: [hunter2, hunter3]}")
        new = read(f"auth: {{tokens: [hunter2, {{sha256: {digest}, name: ci}}, hunter4]}}")
        line = described("auth.tokens", old, new)
        for secret in ("hunter", digest):
            self.assertNotIn(secret, line)
        self.assertIn('["***", "***"] -> ["***", {"name": "ci", "token": "sha256:***"}', line)
        self.assertTrue(line.endswith(" (2 added, 1 removed)"), line)
        self.assertIn("(0 added, 2 removed)", described("auth.tokens", old, Config()))

    def test_no_key_shows_a_token(self) -> None:
        """Whatever the key."""
        old, new = Config(), read("auth: {enabled: true, tokens: [hunter2]}")
        for path in LEAVES:
            self.assertNotIn("hunter2", described(path, old, new))

    def test_long_values_are_cut(self) -> None:
        """One line stays one line."""
        new = read(f"ct_log: {{excluded_logs: [{', '.join(f'log{i}' for i in range(5000))}]}}")
        self.assertLess(len(described("ct_log.excluded_logs", Config(), new)), LONGEST + 100)
        self.assertEqual(len(value_of(new, "ct_log.excluded_logs")), 5000)
