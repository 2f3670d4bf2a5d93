"""The measurements are run by hand: that they still fit the code is seen here."""

from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import benchmarks


class ImportTests(SynchronousTestCase):
    """Every one of them."""

    def test_names_exist(self) -> None:
        """What they import from the code is there."""
        modules = [each.stem for each in Path(benchmarks.__file__).parent.glob("[!_]*.py")]
        self.assertIn("ingest", modules)
        for name in modules:
            import_module(f"benchmarks.{name}")
