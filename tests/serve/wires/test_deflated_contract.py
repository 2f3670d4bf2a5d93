"""The contract of all wires, kept where messages are compressed once for everybody."""

from tests.hub.messages import Numbered
from tests.serve.wires import contract
from tests.serve.wires.deflated import DeflatedWebSocketClient, noisy_document
from tests.serve.wires.test_contract import OnSocket, OverTLS


class Deflated:
    """Padding that does not vanish."""

    heartbeats = True

    def setUp(self: contract.Contract) -> None:
        contract.Contract.setUp(self)
        self.patch(Numbered, "_document", noisy_document)


class DeflatedWebSocket(Deflated):
    client = DeflatedWebSocketClient


@contract.random_steps
class DeflatedWebSocketOnSocketTests(DeflatedWebSocket, OnSocket, contract.Contract): ...


@contract.random_steps
class DeflatedWebSocketOverTLSTests(DeflatedWebSocket, OverTLS, contract.Contract): ...
