"""``certstream-tx version``"""

import argparse
from collections.abc import Sequence

from certstream_tx import __version__


def run(arguments: Sequence[str]) -> int:
    """Print it."""
    argparse.ArgumentParser("certstream-tx version", description="Print the version.").parse_args(
        arguments
    )
    print(f"certstream-tx {__version__}")
    return 0
