"""docs/features.md: every feature names tests, and they exist where it says."""

import re

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.reading import LEAVES
from certstream_tx.serve.metrics.table import METRICS
from tests.named_tests import TESTS, methods_in, rows, tests_named

PAGE = TESTS.parent / "docs" / "features.md"
TABLE = rows(PAGE, "| feature | here | test |")


class FeaturesPageTests(SynchronousTestCase):
    """What the other server announced, and where it is here."""

    def test_every_feature_has_a_test(self) -> None:
        """Each is a method of that class in that file."""
        self.assertGreater(len(TABLE), 60)
        for feature, _, cell in TABLE:
            known: dict[str, set[str]] = {}
            cls, methods = "", 0
            for name in tests_named(cell):
                if name.endswith(".py"):
                    known, cls = methods_in(TESTS / name), ""
                    continue
                named, _, method = name.partition(".")
                cls = named or cls
                self.assertIn(method, known.get(cls, ()), f"{feature}: {cls}.{method}")
                self.assertTrue(method.startswith("test_"), name)
                methods += 1
            self.assertGreater(methods, 0, feature)

    def test_keys_variables_and_metrics_exist(self) -> None:
        """What the page names of them is there."""
        variables = {name for leaf in LEAVES.values() for name in leaf.env_names}
        metrics = {row.name for row in METRICS}
        sections = {path.partition(".")[0] for path in LEAVES}
        named = 0
        for _, here, _ in TABLE:
            for name in re.findall(r"`([^`]+)`", here):
                if name.startswith("CERTSTREAM_"):
                    self.assertIn(name, variables)
                elif name.startswith("certstream_"):
                    self.assertIn(name, metrics)
                elif name.partition(".")[0] in sections:
                    self.assertTrue(name in LEAVES or any(p.startswith(f"{name}.") for p in LEAVES))
                else:
                    continue
                named += 1
        self.assertGreater(named, 40)
