"""The configuration that the server would run with, for commands that go by it."""

from certstream_tx.config import Config
from certstream_tx.service.options import Options


def in_force(path: str | None) -> Config:
    """Of the environment and of the file at ``path``, or else of the file the server would find.

    What is wrong with it ends the program, as it does the server.
    """
    options = Options()
    options.parseOptions(["--config", path] if path else [])  # raises SystemExit
    return options.config
