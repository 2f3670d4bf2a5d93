"""Where things are in the checkout that the tests are part of."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "certstream_tx"
DOCS: Final = ROOT / "docs"
DEPLOY: Final = ROOT / "deploy"
FIXTURES: Final = ROOT / "tests" / "fixtures"
