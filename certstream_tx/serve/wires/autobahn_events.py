"""What autobahn has to say about single connections."""

from typing import Any

from certstream_tx.events import logger


class AutobahnEvents:
    """autobahn's words on single clients: of no use to an operator, whatever clients do."""

    _log = logger("certstream_tx.websocket")

    def debug(self, *args: object, **fields: object) -> None:
        """Nothing: autobahn has several of these for each frame."""

    trace = debug

    def info(self, text: str, **fields: Any) -> None:
        """What a client did wrong."""
        self._log.debug(text, **fields)

    warn = info

    def error(self, text: str, **fields: Any) -> None:
        """What should not happen."""
        self._log.error(text, **fields)

    critical = failure = error
