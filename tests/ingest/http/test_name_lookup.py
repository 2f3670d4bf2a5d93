"""Tests of :mod:`certstream_tx.ingest.http.name_lookup`."""

import subprocess
import sys
from collections.abc import Sequence
from socket import AF_INET, AF_INET6, SOCK_STREAM, gaierror
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from certstream_tx.ingest.http.name_lookup import NameLookup

BOTH = [
    (AF_INET6, SOCK_STREAM, 6, "", ("2001:db8::1", 443, 0, 0)),
    (AF_INET, SOCK_STREAM, 6, "", ("192.0.2.1", 443)),
]


class Receiver:
    """Takes what a lookup finds."""

    def __init__(self) -> None:
        self.addresses: list[IAddress] = []
        self.done: Deferred[None] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self.name = resolutionInProgress.name

    def addressResolved(self, address: IAddress) -> None:
        self.addresses.append(address)

    def resolutionComplete(self) -> None:
        self.done.callback(None)


class NameLookupTests(TestCase):
    """What a lookup tells."""

    async def look(
        self, answer: Any, name: str = "log.example", types: Sequence[type[IAddress]] | None = None
    ) -> list[IAddress]:
        def lookup(*arguments: object) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        lookups = NameLookup(reactor, lookup)  # type: ignore[arg-type]
        verifyObject(IHostnameResolver, lookups)
        receiver = Receiver()
        resolution = lookups.resolveHostName(receiver, name, 443, types)  # type: ignore[arg-type]
        self.assertEqual(receiver.name, resolution.name)
        await receiver.done
        return receiver.addresses

    async def test_found(self) -> None:
        """Addresses of both families, in the system's order."""
        self.assertEqual(
            await self.look(BOTH),
            [IPv6Address("TCP", "2001:db8::1", 443), IPv4Address("TCP", "192.0.2.1", 443)],
        )

    async def test_one_family(self) -> None:
        """Only what was asked for."""
        found = await self.look(BOTH, types=[IPv4Address])
        self.assertEqual(found, [IPv4Address("TCP", "192.0.2.1", 443)])

    async def test_unknown(self) -> None:
        """A name that is not known has no addresses; nobody is left waiting."""
        self.assertEqual(await self.look(gaierror("unknown")), [])
        self.assertEqual(await self.look(UnicodeError("label too long"), "a" * 70), [])

    async def test_fault(self) -> None:
        """An error of the program is logged and ends the lookup all the same."""
        self.assertEqual(await self.look(ZeroDivisionError()), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nobody_waits_for_it(self) -> None:
        """A process ends while a lookup hangs."""
        script = """
from time import sleep
from twisted.internet import reactor
from certstream_tx.ingest.http.name_lookup import NameLookup
from tests.ingest.http.test_name_lookup import Receiver
NameLookup(reactor, lambda *_: sleep(60)).resolveHostName(Receiver(), "log.example")
reactor.callLater(0.1, reactor.stop)
reactor.run()
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=20)
