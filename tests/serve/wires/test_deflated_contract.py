"""The contract of all wires, kept where messages are compressed once for everybody."""

from tests.hub.messages import Numbered
from tests.serve.wires import contract
from tests.serve.wires.clients import channel_of
from tests.serve.wires.deflated import DeflatedWebSocketClient, GzipSSEClient, noisy_document
from tests.serve.wires.test_contract import OnSocket, OverTLS


class Deflated:
    """Padding that does not vanish."""

    heartbeats = True

    def setUp(self: contract.Contract) -> None:
        contract.Contract.setUp(self)
        self.patch(Numbered, "_document", noisy_document)


class DeflatedWebSocket(Deflated):
    client = DeflatedWebSocketClient


class GzipEventStream(Deflated):
    client = GzipSSEClient

    def test_heartbeats_are_rare(self: contract.Contract) -> None:
        """They come as seldom as may be, and none are made for nobody."""
        client = self.subscribed()
        self.house.seconds(100)
        self.assertLessEqual(client.heartbeats(), 12)
        client.link.hang_up()
        self.house.seconds(100)
        channel = channel_of(self.house, self.client)
        self.assertEqual(
            (channel.ring.size, channel.fed_at < self.house.clock.seconds() - 90), (0, True)
        )


@contract.random_steps
class DeflatedWebSocketOnSocketTests(DeflatedWebSocket, OnSocket, contract.Contract): ...


@contract.random_steps
class DeflatedWebSocketOverTLSTests(DeflatedWebSocket, OverTLS, contract.Contract): ...


@contract.random_steps
class GzipEventStreamOnSocketTests(GzipEventStream, OnSocket, contract.Contract): ...


@contract.random_steps
class GzipEventStreamOverTLSTests(GzipEventStream, OverTLS, contract.Contract): ...
