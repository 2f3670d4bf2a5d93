"""Names: attributes, repetition, aggregation, and names that are broken."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.x509.names import UNREADABLE_NAME, Name, read_common_names, read_name
from tests.ct.samples import PROPERTY
from tests.golden.certificate_writer import attribute, common_name, name
from tests.golden.der_writer import BMP, IA5, PRINTABLE, UTF8, boolean, sequence, set_of

KEYS = ["C", "CN", "L", "O", "OU", "ST", "emailAddress"]


class ReadNameTests(SynchronousTestCase):
    """One Name, any way it may be written."""

    def test_keys_of_the_wire(self) -> None:
        """A name is encoded with all nine keys, null where it has nothing."""
        encoded = json.loads(msgspec.json.encode(read_name(common_name("a.example"))))
        nothing = dict.fromkeys([*KEYS, "email_address"])
        self.assertEqual(encoded, nothing | {"CN": "a.example", "aggregated": "/CN=a.example"})

    @given(st.text(max_size=200), st.sampled_from([UTF8, PRINTABLE, IA5]))
    @PROPERTY
    def test_common_name_alone(self, text: str, tag: int) -> None:
        """The usual subject, of any length, reads as any other name does."""
        short = read_name(name(attribute("CN", text.encode(), tag)))
        self.assertEqual(short, Name(common_name=text, aggregated=f"/CN={text}"))
        beside = read_name(name(attribute("CN", text.encode(), tag), attribute("C", "NL")))
        self.assertEqual(beside.common_name, text)

    @given(st.lists(st.tuples(st.sampled_from(KEYS), st.text(max_size=8)), max_size=12))
    @PROPERTY
    def test_order_and_repetition(self, attributes: list[tuple[str, str]]) -> None:
        """Repeated attributes are joined in the certificate's order, aggregated has its own."""
        read = read_name(name(*(attribute(key, text) for key, text in attributes)))
        joined = {
            key: ", ".join(text for k, text in attributes if k == key)
            for key in KEYS
            if any(k == key for k, _ in attributes)
        }
        fields = msgspec.to_builtins(read)
        self.assertEqual({key: fields[key] for key in KEYS if fields[key] is not None}, joined)
        self.assertEqual(read.email_address, read.email)
        self.assertEqual(read.aggregated, "".join(f"/{k}={v}" for k, v in joined.items()))

    def test_several_in_one_rdn(self) -> None:
        """A relative name of two attributes counts as two."""
        read = read_name(sequence(set_of(attribute("O", "x"), attribute("CN", "y"))))
        self.assertEqual(read.aggregated, "/CN=y/O=x")

    def test_remembered(self) -> None:
        """A name that comes again is the same object: that is what makes issuers cheap."""
        der = name(attribute("C", "NL"), attribute("CN", "An issuer"))
        self.assertIs(read_name(der), read_name(bytes(bytearray(der))))

    def test_not_a_string(self) -> None:
        """An attribute whose value is no string is left out, the others stay."""
        read = read_name(name(attribute("O", b"\x01", 0x02), attribute("CN", b"\x00y", BMP)))
        self.assertEqual((read.organization, read.common_name), (None, "y"))

    def test_broken(self) -> None:
        """A Name that breaks off, or is none, is all null; and so again when it is remembered."""
        whole = name(attribute("CN", "a.example"), attribute("O", "x"))
        broken = [whole[:i] for i in range(len(whole))]
        broken += [boolean(True), set_of(), sequence(sequence()), sequence(set_of(set_of()))]
        for der in broken * 2:
            self.assertIs(read_name(der), UNREADABLE_NAME, der)

    def test_damaged_common_name(self) -> None:
        """Whatever byte of the usual subject changes: no error, and no stale reading."""
        good = common_name("a.example")
        for position in range(len(good)):
            for octet in (0x00, 0x30, 0x7F, 0x84, 0xFF):
                der = good[:position] + bytes([octet]) + good[position + 1 :]
                read = read_name(der)
                if position < 13 and der != good and der[11] == good[11]:
                    self.assertNotEqual(read.common_name, "a.example", der)

    @given(st.binary(max_size=60))
    @PROPERTY
    def test_any_bytes(self, der: bytes) -> None:
        """Any bytes are a name or the unreadable one."""
        self.assertIsInstance(read_name(der), Name)

    def test_common_names_apart(self) -> None:
        """Several CNs can be had one by one, which their joined text does not tell."""
        der = name(attribute("CN", "a, b"), attribute("O", "x"), attribute("CN", "c"))
        self.assertEqual(read_name(der).common_name, "a, b, c")
        self.assertEqual(read_common_names(der), ["a, b", "c"])
