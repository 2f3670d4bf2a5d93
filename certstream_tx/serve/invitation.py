"""Tells whoever started the server how to connect to it."""

from collections.abc import Sequence

from twisted.application.service import Service

from certstream_tx.events import logger
from certstream_tx.serve.listening import Listening

log = logger("certstream_tx.serve")

EVERY_ADDRESS = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""what stands for all addresses of a machine, and one that a client on it can use"""


class Invitation(Service):
    """Says, once its ports listen, what a client has to be given."""

    def __init__(self, ports: Sequence[Listening]) -> None:
        self._ports = ports

    def startService(self) -> None:
        """Say it for the first port that has a URL."""
        super().startService()
        for port in self._ports:
            if port.address.startswith("http"):
                url = _reachable(port.address)
                log.info(
                    "To connect: {url} in a browser, or a certstream client at {ws}"
                    " (also {ws}full-stream and {ws}domains-only)",
                    url=url,
                    ws=url.replace("http", "ws", 1),
                )
                break


def _reachable(address: str) -> str:
    for every, one in EVERY_ADDRESS.items():
        address = address.replace(every, one)
    return address
