"""Connections that leave HTTP: what becomes of the channel and the request they came with."""

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.protocols.policies import ProtocolWrapper


def take_over(request: Any, protocol: IProtocol) -> None:
    """Give ``protocol`` the connection of ``request``, for good."""
    channel = request.channel
    transport, channel.transport = channel.transport, None
    if isinstance(transport, ProtocolWrapper):  # TLS, PROXY protocol
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    let_go(request, channel)
    protocol.makeConnection(transport)
    # The channel may have stopped reading, when answers before this one were not yet taken.
    transport.resumeProducing()


def let_go(request: Any, channel: Any) -> None:
    """Take apart a request whose connection is somebody else's by now, and its channel.

    They know each other and would stay until a collection. What was sent behind the request is in
    the channel's hands still, when it is one piece with it: that is thrown away, and must not make
    the channel stop reading what is no longer its own.
    """
    channel.requests.clear()
    channel.rawDataReceived = _thrown_away
    request.channel = None
    request.content.close()


def _thrown_away(data: bytes) -> None:
    """Bytes nobody waits for."""
