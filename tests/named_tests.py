"""Pages whose tables name tests: reading them, and looking whether the tests are there."""

import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
NAMES = re.compile(r"^class (\w+)|^    (?:async )?def (\w+)", re.M)


def rows(page: Path, header: str) -> list[list[str]]:
    """The cells of all tables of the page with this header, row by row."""
    columns = header.count("|") - 1
    tables = re.findall(
        rf"^{re.escape(header)}\n\|(?:---\|){{{columns}}}\n((?:\|.*\n)+)", page.read_text(), re.M
    )
    return [
        [cell.strip() for cell in row.strip("|").split(" | ")]
        for table in tables
        for row in table.splitlines()
    ]


def methods_by_class() -> dict[str, set[str]]:
    """Of all test classes; of those of one name together."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("*.py"):
        for cls, methods in methods_in(path).items():
            found[cls] |= methods
    return found


def methods_in(path: Path) -> dict[str, set[str]]:
    """Of the classes in one file."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    current = ""
    for cls, method in NAMES.findall(path.read_text(encoding="utf-8")):
        current = cls or current
        found[current] |= {method} - {""}
    return found


def tests_named(cell: str) -> list[str]:
    """What stands in backticks: files, classes, ``Class.method``, or ``.method`` of the last."""
    return re.findall(r"`([^`]+)`", cell)
