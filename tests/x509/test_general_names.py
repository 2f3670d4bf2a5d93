"""Alternative names in words, and the DNS names among them."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.der import DerError
from certstream_tx.x509.general_names import alternative_names, general_names
from tests.ct.samples import PROPERTY
from tests.golden.certificate_writer import common_name, dns, email, ip, uri
from tests.golden.der_writer import explicit, implicit, oid, tlv


class GeneralNamesTests(SynchronousTestCase):
    """A list of names."""

    def assertReads(self, names: bytes, text: str, dns_names: list[str]) -> None:
        """Both readers say so, wherever in the bytes the names lie."""
        data = b"before" + names + b"after"
        bounds = (6, 6 + len(names))
        self.assertEqual(alternative_names(data, *bounds), (text, dns_names))
        self.assertEqual(", ".join(general_names(data, *bounds)), text)

    def test_four_words(self) -> None:
        """Names of the four kinds are told in their order."""
        self.assertReads(
            uri("http://c/") + dns("a.example") + ip("01020304") + email("b@b.example") + dns("d"),
            "URI:http://c/, DNS:a.example, IP Address:1.2.3.4, email:b@b.example, DNS:d",
            ["a.example", "d"],
        )

    def test_other_kinds(self) -> None:
        """Directory names, other names, registered IDs and unknown tags have no words."""
        self.assertReads(
            explicit(4, common_name("x"))
            + explicit(0, oid("1.3.6.1.4.1.311.20.2.3"), explicit(0, tlv(0x0C, b"user")))
            + implicit(8, b"\x2a\x03")
            + tlv(0x30)
            + explicit(2, dns("constructed"))
            + dns("a.example"),
            "DNS:a.example",
            ["a.example"],
        )

    @given(st.ip_addresses())
    @PROPERTY
    def test_addresses(self, address: IPv4Address | IPv6Address) -> None:
        """Addresses of both families in their usual form."""
        (words,) = general_names(data := ip(address.packed.hex()), 0, len(data))
        if not (isinstance(address, IPv6Address) and address.ipv4_mapped):
            self.assertEqual(words, f"IP Address:{address.compressed}")

    def test_mapped_address(self) -> None:
        """An IPv4 address in IPv6 is written the same by every version of Python."""
        data = ip("00000000000000000000ffff7f000001")
        self.assertEqual(list(general_names(data, 0, 18)), ["IP Address:::ffff:7f00:1"])

    def test_addresses_of_other_lengths(self) -> None:
        """An address that is none is left out alone."""
        self.assertReads(ip("0102030405") + ip("") + dns("a"), "DNS:a", ["a"])

    def test_odd_dns_names(self) -> None:
        """Long ones, ones with NUL or bytes that are no text are kept; an empty one is no name."""
        long = "x" * 200
        self.assertReads(
            dns(long) + dns(b"a\x00b") + dns(b"\xff") + dns(b""),
            f"DNS:{long}, DNS:a\x00b, DNS:\ufffd, DNS:",
            [long, "a\x00b", "\ufffd"],
        )

    def test_long_form_of_short_length(self) -> None:
        """A length longer than needed makes no difference."""
        names = b"\x82\x81\x01a" + b"\x82\x82\x00\x01b" + b"\x82\x81\x00"
        self.assertReads(names, "DNS:a, DNS:b, DNS:", ["a", "b"])

    def test_cut_off(self) -> None:
        """A list that breaks off within a name is an error at each place."""
        names = dns("a.example") + email("b@c") + dns("x" * 130)
        whole = {0, 11, 16, len(names)}
        for end in set(range(len(names))) - whole:
            with self.assertRaises(DerError, msg=end):
                alternative_names(names, 0, end)
            with self.assertRaises(DerError, msg=end):
                list(general_names(names, 0, end))

    @given(st.binary(max_size=60))
    @PROPERTY
    def test_any_bytes(self, data: bytes) -> None:
        """Both readers agree on any bytes."""
        try:
            text, dns_names = alternative_names(data, 0, len(data))
        except DerError:
            with self.assertRaises(DerError):
                list(general_names(data, 0, len(data)))
            return
        words = list(general_names(data, 0, len(data)))
        self.assertEqual(text, ", ".join(words))
        found = [word[4:] for word in words if word.startswith("DNS:") and word != "DNS:"]
        self.assertEqual(dns_names, found)
