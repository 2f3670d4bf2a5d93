"""What is wrong with a list of logs, told once and not at every look."""

from certstream_tx.events import logger

log = logger("certstream_tx.ingest.lists.fresh_list")

LASTING = {"age", "cache"}
"""kinds of trouble that a list which can be read does not end"""


class Troubles:
    """Those of the list at one URL; each kind is told again only after it was over."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told: set[str] = set()

    def tell(self, kind: str, text: str, reason: str) -> None:
        """Warn by a text with {url} and {reason}."""
        if kind not in self._told:
            self._told.add(kind)
            log.warn(text, url=self._url, reason=reason)

    def may_come_again(self, kind: str) -> None:
        """This one is over."""
        self._told.discard(kind)

    def over(self) -> None:
        """The list could be read and used."""
        if self._told - LASTING:
            log.info("The log list {url} can be read and used again", url=self._url)
        self._told &= LASTING
