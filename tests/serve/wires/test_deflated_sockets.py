"""Compressed streams over real sockets: who comes at any time, or loses its place, can read on."""

import random
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.endpoints import clientFromString, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.hub.messages import Numbered, number_of
from tests.serve.wires import test_sockets
from tests.serve.wires.clients import WireClient
from tests.serve.wires.deflated import DeflatedWebSocketClient, GzipSSEClient, noisy_document

reactor: Any = global_reactor

MESSAGES = 3000
PADDING = 4000
PAUSES = (0, 0, 0.002, 0.004, 0.01, 0.02)
"""seconds between reads of those that come one after the other"""


def has_last(reader: test_sockets.Reader) -> bool:
    """Whether the last message has arrived; looked at only when something has since."""
    if getattr(reader, "looked_at", -1) != len(reader.data):
        reader.looked_at = len(reader.data)  # type: ignore[attr-defined]
        units = reader.wire.read(bytes(reader.data), cut=True)
        messages = [unit for unit in units if unit.kind == "message"]
        reader.done = number_of(messages[-1].payload) == MESSAGES - 1  # type: ignore[attr-defined]
    return reader.done  # type: ignore[attr-defined,no-any-return]


class DeflatedSocketTests(TestCase):
    """A server on the loopback."""

    timeout = 60

    serve = test_sockets.SocketTests.serve
    leave = test_sockets.SocketTests.leave
    until = test_sockets.SocketTests.until

    async def join(self, wire: type[WireClient], pause: float, *, tls: bool) -> test_sockets.Reader:
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.port.getHost().port}")
        if tls:
            endpoint = wrapClientTLS(CertificateOptions(), endpoint)  # trusts anybody
        reader = test_sockets.Reader(pause, wire)
        await endpoint.connect(Factory.forProtocol(lambda: reader))
        self.addCleanup(self.leave, reader)
        return reader

    async def check(self, wire: type[WireClient], *, tls: bool) -> None:
        """Each gets whole messages in order, from one on to the last; what is missing was counted,
        and who keeps up misses nothing."""
        self.patch(Numbered, "_document", noisy_document)
        # Over TLS, what is flushed at once may be more than a transport takes.
        await self.serve("tcp:0:interface=127.0.0.1", tls=tls, ring=2000 if tls else 200)
        dice = random.Random(5)
        readers = [await self.join(wire, 0, tls=tls)]
        await self.until(lambda: list(self.hub.channels()))
        (channel,) = self.hub.channels()
        await self.until(lambda: channel.ready)
        (quick,) = channel.ready
        stalled = await self.join(wire, 0, tls=tls)
        stalled.transport.pauseProducing()  # type: ignore[union-attr]
        waiting = list(PAUSES)
        sent = 0
        while sent < MESSAGES:
            for _ in range(min(dice.randint(1, 30), MESSAGES - sent)):
                self.hub.publish(Numbered(sent, dice.randint(0, PADDING)))
                sent += 1
            await deferLater(reactor, dice.choice((0, 0, 0.002)))
            await self.until(lambda: quick in channel.ready)
            if waiting and sent > MESSAGES // (len(PAUSES) + 2) * (len(PAUSES) - len(waiting) + 1):
                readers.append(await self.join(wire, waiting.pop(0), tls=tls))
        stalled.transport.resumeProducing()  # type: ignore[union-attr]
        readers.append(stalled)
        await self.until(lambda: len(channel) == len(readers) and not channel.held)
        await self.until(lambda: all(map(has_last, readers)))
        for reader in readers:
            reader.pause = 0
        await deferLater(reactor, 2 * max(PAUSES))
        missing = 0
        for reader in readers:
            numbers = reader.numbers()
            self.assertEqual(numbers, sorted(set(numbers)))
            missing += MESSAGES - numbers[0] - len(numbers)
        self.assertEqual(readers[0].numbers(), list(range(MESSAGES)))
        # Those that lost their first messages began later than they were meant to.
        if not tls:  # else the kernel may have had room for all
            self.assertGreater(channel.lost, 0)
        self.assertLessEqual(missing, channel.lost)
        self.assertEqual(channel.messages_sent, sum(len(r.numbers()) for r in readers))

    async def test_websocket(self) -> None:
        """permessage-deflate."""
        await self.check(DeflatedWebSocketClient, tls=False)

    async def test_websocket_over_tls(self) -> None:
        """permessage-deflate, encrypted."""
        await self.check(DeflatedWebSocketClient, tls=True)

    async def test_events(self) -> None:
        """gzip."""
        await self.check(GzipSSEClient, tls=False)
