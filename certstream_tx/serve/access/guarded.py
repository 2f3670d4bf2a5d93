"""HTTP through the gate: every request is judged before its resource is asked."""

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource

from certstream_tx.serve.access.carried import take_tokens
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.slots import Slot
from certstream_tx.serve.answers import Node, Refused

_FORWARDED = b"X-Forwarded-For"


class GuardedRequest(server.Request):
    """A request that takes a place while it is answered, unless what it asks for is open to all.

    Whoever takes its connection over for good has to see to its ``slot`` as well.
    """

    channel: Any

    tokens: tuple[bytes, ...] = ()
    """what it carried that may be one; it is not in the request any more"""
    slot: Slot | None = None

    @property
    def gate(self) -> Gate:
        """The site's."""
        gate: Gate = self.channel.site.gate
        return gate

    def process(self) -> None:
        """Answer, without the tokens that came with it."""
        self.tokens = take_tokens(self, self.gate.policy.header_name)
        super().process()

    def render(self, resrc: IResource) -> None:
        """Answer, if the gate lets it through."""
        super().render(self._judged(resrc))

    def finish(self) -> None:
        """It is answered: its connection waits for the next, or for its end."""
        if self.slot is not None:
            self._leave()
            if not self._disconnected:
                self.channel.wait()
        super().finish()

    def connectionLost(self, reason: Failure) -> None:
        """Nobody is there any more to be answered."""
        self._leave()
        super().connectionLost(reason)

    def _judged(self, resource: IResource) -> IResource:
        """The resource, or what stands in its place for who is not let in."""
        node = resource if isinstance(resource, Node) else None
        # A browser asks by OPTIONS whether it may send a token, and sends none with that.
        if node is not None and (self.method == b"OPTIONS" or not node.is_guarded(self)):
            return node
        forwarded = self.requestHeaders.getRawHeaders(_FORWARDED, [])
        entered = self.gate.enter(self.channel.transport.getPeer(), forwarded, self.tokens)
        if not isinstance(entered, Slot):
            return Refused(*entered, cors=node is not None and node.cors)
        self.slot = entered
        self.gate.waiting.discard(self.channel)
        return resource

    def _leave(self) -> None:
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.release()


class GuardedChannel(http.HTTPChannel):
    """An HTTP connection that counts as waiting while none of its requests has a place."""

    site: Any
    transport: Any

    def connectionMade(self) -> None:
        """It has asked for nothing yet."""
        super().connectionMade()
        self.wait()

    def wait(self) -> None:
        """It waits, from now on; the longer ones do so already."""
        self.site.gate.waits(self, self.transport.getPeer())

    def abort(self) -> None:
        """It has to make room for another one."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        self.site.gate.waiting.discard(self)
