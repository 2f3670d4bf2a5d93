"""``certstream-tx check-config``: the same as ``twistd certstream --check-config``."""

import argparse
from collections.abc import Sequence

from certstream_tx.service.options import Options


def run(arguments: Sequence[str]) -> int:
    """Print what is in force; what is wrong with it ends the program with status 1."""
    parser = argparse.ArgumentParser(
        "certstream-tx check-config",
        description="Check the configuration and the files that it names, print what is in force"
        " and where each value comes from, tokens masked, and exit with 0, or with 1 and a line for"
        " each problem. To be run as the user that the server runs as, in its folder.",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="configuration file; without it, the one that the server would read",
    )
    given = parser.parse_args(arguments)
    options = ["--check-config", *(["--config", given.file] if given.file else [])]
    Options().parseOptions(options)  # raises SystemExit
    return 0
