"""Whose connection it is."""

from ipaddress import IPv4Address, ip_address, ip_network

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.access.addresses import (
    Networks,
    client_address,
    network_of,
    read_address,
)

PROXIES = Networks(map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48")))


class NetworkTests(SynchronousTestCase):
    """What a client is counted by."""

    def test_ipv4(self) -> None:
        """Each address for itself."""
        one, other = (network_of(read_address(text)) for text in ("192.0.2.1", "192.0.2.2"))
        self.assertNotEqual(one, other)

    def test_ipv6(self) -> None:
        """All of a /64 together, and no other."""
        here = network_of(read_address("2001:db8:0:1::1"))
        self.assertEqual(network_of(read_address("2001:db8:0:1:ffff:ffff:ffff:ffff")), here)
        self.assertEqual(network_of(read_address("2001:db8::1:0:0:0:9%eth0")), here)
        self.assertNotEqual(network_of(read_address("2001:db8:0:2::1")), here)

    def test_mapped(self) -> None:
        """On a socket for both kinds, an IPv4 client is the IPv4 client that it is."""
        self.assertEqual(read_address("::ffff:192.0.2.1"), ip_address("192.0.2.1"))

    def test_none(self) -> None:
        """All that have no address are one client, and like no other."""
        self.assertIsNone(read_address("/run/certstream.sock"))
        self.assertEqual(network_of(None), b"")


class NetworksTests(SynchronousTestCase):
    """A set of networks."""

    @given(
        st.lists(st.ip_addresses(network="10.0.0.0/29") | st.ip_addresses(network="fc00::/125")),
        st.lists(st.sampled_from(["10.0.0.0/30", "10.0.0.4/31", "10.0.0.6", "fc00::/126", "::/0"])),
    )
    @settings(deadline=None, max_examples=100)
    def test_membership(self, addresses: list[str], networks: list[str]) -> None:
        """As the standard library sees it."""
        given = [ip_network(network) for network in networks]
        ours = Networks(given)
        self.assertEqual(bool(ours), bool(given))
        for address in addresses:
            one = ip_address(address)
            self.assertEqual(one in ours, any(one in network for network in given))


class ForwardedTests(SynchronousTestCase):
    """X-Forwarded-For, walked from the right."""

    def assert_client(self, peer: str | None, forwarded: list[bytes], expected: str | None) -> None:
        at_the_end = None if peer is None else ip_address(peer)
        found = client_address(at_the_end, forwarded, PROXIES)
        self.assertEqual(found, None if expected is None else ip_address(expected), forwarded)

    def test_not_believed(self) -> None:
        """What a client says of itself counts for nothing."""
        self.assert_client("203.0.113.9", [b"198.51.100.1"], "203.0.113.9")
        self.assert_client("203.0.113.9", [b"10.0.0.1"], "203.0.113.9")

    def test_one_proxy(self) -> None:
        """The last entry is the proxy's; those before it are the client's own words."""
        self.assert_client("10.1.2.3", [b"203.0.113.9"], "203.0.113.9")
        self.assert_client("10.1.2.3", [b"1.1.1.1, 203.0.113.9"], "203.0.113.9")
        self.assert_client("10.1.2.3", [b"10.9.9.9, 203.0.113.9"], "203.0.113.9")
        self.assert_client("2001:db8:1::5", [b" 2001:db8:9::1\t"], "2001:db8:9::1")

    def test_several_proxies(self) -> None:
        """Trusted ones are passed by, over as many headers as there are."""
        self.assert_client("10.0.0.1", [b"1.1.1.1, 203.0.113.9, 192.0.2.7"], "203.0.113.9")
        self.assert_client("10.0.0.1", [b"1.1.1.1, 203.0.113.9", b"192.0.2.7"], "203.0.113.9")
        self.assert_client("10.0.0.1", [b"203.0.113.9, 8.8.8.8, 192.0.2.7"], "8.8.8.8")
        self.assert_client("10.0.0.1", [b"10.0.0.2, 10.0.0.3"], "10.0.0.2")

    def test_nothing_said(self) -> None:
        """A proxy that names nobody is itself the client."""
        self.assert_client("10.0.0.1", [], "10.0.0.1")
        self.assert_client("10.0.0.1", [b""], "10.0.0.1")

    def test_no_address(self) -> None:
        """What is no address ends the walk at who said it: it can hide nobody behind another."""
        for entry in (b"unknown", b"_hidden", b"1.1.1.1 203.0.113.9", b"\xff", b"1" * 500, b"[::1"):
            self.assert_client("10.0.0.1", [b"203.0.113.9, " + entry], "10.0.0.1")
            self.assert_client("10.0.0.1", [entry + b", 192.0.2.7"], "192.0.2.7")

    def test_ports(self) -> None:
        """Some proxies write them."""
        for entry, address in [
            (b"203.0.113.9:4711", "203.0.113.9"),
            (b"[2001:db8:9::1]:4711", "2001:db8:9::1"),
            (b"[2001:db8:9::1]", "2001:db8:9::1"),
            (b"2001:db8:9::1", "2001:db8:9::1"),
            (b"::ffff:203.0.113.9", "203.0.113.9"),
        ]:
            self.assert_client("10.0.0.1", [entry], address)

    def test_unix_socket(self) -> None:
        """Whoever can open the socket is taken for a proxy."""
        self.assert_client(None, [b"1.1.1.1, 203.0.113.9"], "203.0.113.9")
        self.assert_client(None, [b"203.0.113.9, 10.0.0.1"], "203.0.113.9")
        self.assert_client(None, [], None)
        self.assert_client(None, [b"unknown"], None)

    @given(st.lists(st.binary(max_size=50), max_size=4))
    @settings(deadline=None, max_examples=200)
    def test_anything(self, forwarded: list[bytes]) -> None:
        """Nothing is raised, and an untrusted peer is always itself."""
        client_address(ip_address("10.0.0.1"), forwarded, PROXIES)
        self.assert_client("203.0.113.9", forwarded, "203.0.113.9")

    @given(st.lists(st.ip_addresses(v=4).map(str), max_size=5), st.ip_addresses(v=4))
    @settings(deadline=None, max_examples=100)
    def test_nobody_chooses_its_address(self, lies: list[str], real: IPv4Address) -> None:
        """Whatever a client writes, behind one proxy it is who it is."""
        assume(real not in PROXIES)
        header = ", ".join([*lies, str(real)]).encode()
        self.assert_client("192.0.2.7", [header], str(real))
