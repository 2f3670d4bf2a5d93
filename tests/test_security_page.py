"""docs/security.md: every claim names tests, and they exist."""

import re
from collections import defaultdict
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "security.md"
NAMES = re.compile(r"^class (\w+)|^    (?:async )?def (\w+)", re.M)


def methods_by_class() -> dict[str, set[str]]:
    """Of all test classes; of those of one name together."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    current = ""
    for path in TESTS.rglob("*.py"):
        for cls, method in NAMES.findall(path.read_text(encoding="utf-8")):
            current = cls or current
            found[current] |= {method} - {""}
    return found


def claims() -> list[tuple[str, list[str]]]:
    """Each claim of the page's tables, and what stands behind it in backticks."""
    rows = []
    for table in re.findall(
        r"^\| claim \| test \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE.read_text(), re.M
    ):
        for row in table.splitlines():
            claim, _, tests = row.strip("| ").rpartition(" | ")
            rows.append((claim, re.findall(r"`([^`]+)`", tests)))
    return rows


class SecurityPageTests(SynchronousTestCase):
    """The threat model."""

    def test_every_claim_has_a_test(self) -> None:
        """Each name is a file, a class or a method that there is."""
        known = methods_by_class()
        found = claims()
        self.assertGreater(len(found), 30)
        for claim, names in found:
            self.assertTrue(names, claim)
            last = ""
            for name in names:
                if name.endswith(".py"):
                    self.assertTrue(
                        (TESTS / name).is_file() or (TESTS / "serve/access" / name).is_file(), name
                    )
                    continue
                cls, _, method = name.partition(".")
                last = cls or last
                self.assertIn(last, known, claim)
                if method:
                    self.assertIn(method, known[last], claim)
