"""A command run as from a terminal, in this process."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.command_line.main import main


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class CommandTestCase(SynchronousTestCase):
    """In a folder of its own, without settings of a certstream server in the environment."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.environment: dict[str, str] = {}
        self.patch(__import__("os"), "environ", self.environment)

    def file(self, name: str, text: str) -> str:
        """The path of a new file in the folder."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def run_command(self, *arguments: str, command: Callable[..., int] = main) -> Ran:
        """Run it to its end."""
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        try:
            status = command(list(arguments))
        except SystemExit as ended:
            # As the interpreter does: a text is an error, and told.
            if isinstance(ended.code, str):
                err.write(f"{ended.code}\n")
            status = 1 if isinstance(ended.code, str) else int(ended.code or 0)
        return Ran(status, out.getvalue(), err.getvalue())
