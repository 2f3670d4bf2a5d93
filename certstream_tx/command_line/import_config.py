"""``certstream-tx import-config``: another server's configuration as one of ours."""

import argparse
import sys
from collections.abc import Sequence

from certstream_tx.command_line import from_go, from_rust
from certstream_tx.command_line.failure import CommandError, read_bounded
from certstream_tx.command_line.imported import Imported
from certstream_tx.config import MAX_BYTES
from certstream_tx.config.yaml_text import YamlError, read_yaml

TO_DECIDE = 3
"""exit status: the file was written, but somebody has to look at it first"""

DESCRIPTION = """\
Read a config.yaml of certstream-server-rust or of certstream-server-go and write one of ours to
standard output. What has no equal here is said on standard error.

exit status:
  0  the result can be used as it is
  1  nothing was written
  3  the result needs a decision first: each is a line that begins with "decide:"
"""


def run(arguments: Sequence[str]) -> int:
    """Write the result; the exit status."""
    parser = argparse.ArgumentParser(
        "certstream-tx import-config",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the other server's configuration file")
    given = parser.parse_args(arguments)
    imported = translate(read_bounded(given.file, MAX_BYTES), given.file)
    imported.judge()
    sys.stdout.write(imported.yaml())
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    for decision in imported.decisions:
        print(f"decide: {decision}", file=sys.stderr)
    return TO_DECIDE if imported.decisions else 0


def translate(data: bytes, path: str) -> Imported:
    """What the file says, in our keys. Raises CommandError."""
    try:
        document = read_yaml(data)
    except YamlError as error:
        raise CommandError(f"{path}: {error}") from error
    if not document:
        raise CommandError(f"{path}: it is empty")
    if from_go.belongs(document):
        return from_go.translate(document)
    if from_rust.belongs(document):
        return from_rust.translate(document)
    raise CommandError(
        f"{path}: neither a configuration of {from_rust.SERVER} nor of {from_go.SERVER}"
    )
