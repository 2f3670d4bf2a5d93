"""Tells whoever started the server how to connect to it."""

from collections.abc import Sequence

from twisted.application.service import Service

from certstream_tx.events import logger
from certstream_tx.serve.ports.listening import Listening

log = logger("certstream_tx.serve")

EVERY_ADDRESS = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""what stands for all addresses of a machine, and one that a client on it can use"""


class Invitation(Service):
    """Says, once its ports listen, what a client has to be given.

    :param sse: whether there are server-sent events
    """

    def __init__(self, ports: Sequence[Listening], *, sse: bool = False) -> None:
        self._ports = ports
        self._sse = sse

    def startService(self) -> None:
        """Say it for the first port of each kind that has a URL."""
        super().startService()
        url = self._first("http://", "https://")
        if url:
            log.info(
                "To connect: {url} in a browser, or a certstream client at {ws}"
                " (also {ws}full-stream and {ws}domains-only)",
                url=url,
                ws=url.replace("http", "ws", 1),
            )
        if url and self._sse:
            log.info("As events: curl -N '{url}sse?stream=lite' (full, domains-only)", url=url)
        lines = self._first("tcp://", "tls://")
        if lines:
            scheme, _, address = lines.rstrip("/").partition("://")
            host, _, port = address.rpartition(":")
            command = f"nc {host.strip('[]')} {port}"
            if scheme == "tls":
                command = f"openssl s_client -quiet -connect {address}"
            log.info("As lines: {command} (f first: full, d: domains only)", command=command)

    def _first(self, *schemes: str) -> str:
        addresses = (port.address for port in self._ports)
        return next((_reachable(each) for each in addresses if each.startswith(schemes)), "")


def _reachable(address: str) -> str:
    for every, one in EVERY_ADDRESS.items():
        address = address.replace(every, one)
    return address
