"""One contract, three wires: the same tests over each, on plain connections and over TLS."""

from certstream_tx.hub.channel import CHUNK_BYTES
from certstream_tx.serve.writing.socket_writer import SocketWriter
from tests.serve.links import PlainLink, TLSLink
from tests.serve.wires import contract
from tests.serve.wires.clients import (
    SSEClient,
    TCPClient,
    WebSocketClient,
    WireClient,
    channel_of,
    publish,
)

RECORD_TYPES = {20, 21, 22, 23}
"""of TLS (RFC 8446 section 5.1)"""


class WebSocket:
    client = WebSocketClient
    heartbeats = True


class EventStream:
    client = SSEClient
    heartbeats = True


class Lines:
    client = TCPClient
    heartbeats = False

    def check_refusal(self, client: WireClient) -> None:
        """There is no word for it: the connection is closed."""
        assert client.link.closed is not None
        assert client.data == b""


class OnSocket:
    """Plain: straight to the socket."""

    link = PlainLink

    def most_held(self) -> int:
        return 1

    def test_shared_object_reaches_the_kernel(self: contract.Contract) -> None:
        """Every client is sent the chunk's own object, with no turn of the reactor, and no copy."""
        clients = [self.subscribed() for _ in range(3)]
        for client in clients:
            self.assertIsInstance(client.link.application.writer, SocketWriter)
            client.collect()
            client.link.kernel.sent.clear()
        publish(self.house, 3)
        chunk = channel_of(self.house, self.client).ring.oldest().data
        for client in clients:
            self.assertEqual([id(sent) for sent in client.link.kernel.sent], [id(chunk)])


class OverTLS:
    """Through a transport that buffers, encrypted."""

    link = TLSLink

    def most_held(self) -> int:
        return 2 * (1 << 16) + CHUNK_BYTES

    def test_no_plaintext_leaves(self: contract.Contract) -> None:
        """Everything on the socket is a TLS record; what a client sees is inside."""
        client = self.subscribed()
        publish(self.house, 20, padding=3_000)
        self.house.clock.advance(9)
        self.assertEqual(len(client.messages()), 20)
        assert isinstance(client.link, TLSLink)
        records = bytes(client.link.ciphertext)
        position = 0
        while position < len(records):
            self.assertIn(records[position], RECORD_TYPES)
            self.assertEqual(records[position + 1], 3)
            position += 5 + int.from_bytes(records[position + 3 : position + 5], "big")
        self.assertEqual(position, len(records))
        for word in (b"." * 20, b"heartbeat", b"retry", b"HTTP"):
            self.assertNotIn(word, records)


@contract.random_steps
class WebSocketOnSocketTests(WebSocket, OnSocket, contract.Contract): ...


@contract.random_steps
class EventStreamOnSocketTests(EventStream, OnSocket, contract.Contract): ...


@contract.random_steps
class LinesOnSocketTests(Lines, OnSocket, contract.Contract): ...


@contract.random_steps
class WebSocketOverTLSTests(WebSocket, OverTLS, contract.Contract): ...


@contract.random_steps
class EventStreamOverTLSTests(EventStream, OverTLS, contract.Contract): ...


@contract.random_steps
class LinesOverTLSTests(Lines, OverTLS, contract.Contract): ...
