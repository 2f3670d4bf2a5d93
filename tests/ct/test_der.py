"""DER in small: headers, identifiers, integers, text and times, as written and as not."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.der import (
    GENERALIZED_TIME,
    MAX_OID_OCTETS,
    MAX_TIME_OCTETS,
    SEQUENCE,
    UTC_TIME,
    DerError,
    elements,
    expect,
    members,
    read_header,
    read_integer_hex,
    read_oid,
    read_text,
    read_time,
    sequences,
)
from tests.ct.samples import PROPERTY
from tests.golden.der_writer import BMP, GENERAL, IA5, PRINTABLE, T61, UNIVERSAL, UTF8, oid, tlv


class HeaderTests(SynchronousTestCase):
    """Tag and length of an element, and where it stops."""

    @given(tag=st.sampled_from([0x02, 0x30, 0xA3]), length=st.sampled_from([0, 1, 127, 128, 70000]))
    @PROPERTY
    def test_as_written(self, tag: int, length: int) -> None:
        """The content lies where it was written, for short and long lengths."""
        data = b"before" + tlv(tag, bytes(length)) + b"after"
        found, start, stop = read_header(data, 6, len(data))
        self.assertEqual((found, stop - start, data[stop:]), (tag, length, b"after"))

    def test_longer_length_than_needed(self) -> None:
        """Leading zeros in a length are read, as some issuers write them."""
        self.assertEqual(read_header(b"\x04\x82\x00\x01x", 0, 5), (0x04, 4, 5))
        self.assertEqual(read_header(b"\x04\x88" + bytes(7) + b"\x01x", 0, 11), (0x04, 10, 11))

    def test_refused(self) -> None:
        """What is cut off, indefinite or of several tag octets is an error."""
        for data in (
            b"",
            b"\x30",
            b"\x30\x01",
            b"\x30\x81",
            b"\x30\x82\x01",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80\x00\x00",
            b"\x04\x89" + bytes(8) + b"\x01x",
            b"\x3f\x01\x00",
        ):
            with self.assertRaises(DerError, msg=data):
                read_header(data, 0, len(data))

    def test_end_counts(self) -> None:
        """An element that reaches beyond its parent is an error although the bytes are there."""
        with self.assertRaises(DerError):
            read_header(b"\x04\x02xy", 0, 3)
        with self.assertRaises(DerError):
            read_header(b"\x04\x02xy", 4, 3)

    @given(st.binary(max_size=20), st.integers(0, 20), st.integers(0, 20))
    @PROPERTY
    def test_any_bytes(self, data: bytes, at: int, end: int) -> None:
        """Any bytes are an element within its bounds or an error."""
        end = min(end, len(data))
        try:
            _, start, stop = read_header(data, at, end)
        except DerError:
            return
        self.assertTrue(at < start <= stop <= end)

    def test_expect(self) -> None:
        """Another tag than the expected one is an error."""
        self.assertEqual(expect(b"\x30\x01x", 0, 3, SEQUENCE), (2, 3))
        with self.assertRaises(DerError):
            expect(b"\x31\x01x", 0, 3, SEQUENCE)

    def test_elements_and_members(self) -> None:
        """Elements come in order, those before the one that is cut off too."""
        data = b"\x02\x01\x05\x04\x00"
        self.assertEqual(list(elements(data, 0, 5)), [(0x02, 2, 3), (0x04, 5, 5)])
        self.assertEqual(list(members(b"\x30\x05" + data, 0, 7)), [(0x02, 4, 5), (0x04, 7, 7)])
        cut = elements(data + b"\x04", 0, 6)
        self.assertEqual([next(cut), next(cut)], [(0x02, 2, 3), (0x04, 5, 5)])
        with self.assertRaises(DerError):
            next(cut)

    def test_sequences(self) -> None:
        """A SEQUENCE OF SEQUENCE holds nothing else."""
        self.assertEqual(list(sequences(b"\x30\x05\x30\x01x\x30\x00", 0, 7)), [(4, 5), (7, 7)])
        with self.assertRaises(DerError):
            list(sequences(b"\x30\x02\x31\x00", 0, 4))


class OidTests(SynchronousTestCase):
    """OBJECT IDENTIFIER."""

    @given(
        st.sampled_from(["0.0", "0.39", "1.2", "2.5", "2.999"]),
        st.lists(st.integers(0, 2**128), max_size=5),
    )
    @PROPERTY
    def test_as_written(self, top: str, arcs: list[int]) -> None:
        """Dotted decimals come back, also above 64 bits."""
        dotted = ".".join([top, *map(str, arcs)])
        element = oid(dotted)
        start, stop = expect(element, 0, len(element), 0x06)
        self.assertEqual(read_oid(element[start:stop]), dotted)

    def test_refused(self) -> None:
        """Nothing, half an arc, padding and endless numbers are errors."""
        for content in (
            b"",
            b"\x2a\x86",
            b"\x80\x01",
            b"\x2a\x81\x80",
            b"\x2a\x80\x01",
            bytes(MAX_OID_OCTETS + 1),
        ):
            with self.assertRaises(DerError, msg=content):
                read_oid(content)


class IntegerTests(SynchronousTestCase):
    """INTEGER in hex."""

    @given(st.integers(-(2**200), 2**200))
    @PROPERTY
    def test_value(self, value: int) -> None:
        """Whole octets of the magnitude, in upper case, a minus before the negative."""
        size = value.bit_length() // 8 + 1
        text = read_integer_hex(value.to_bytes(size, "big", signed=True))
        self.assertEqual(int(text, 16), value)
        digits = text.removeprefix("-")
        self.assertEqual(len(digits) % 2, 0)
        self.assertFalse(len(digits) > 2 and digits.startswith("00"))
        self.assertEqual(digits, digits.upper())

    def test_edges(self) -> None:
        """Zero, padding, no content at all, and the widest negative."""
        for content, text in (
            (b"\x00", "00"),
            (b"", "00"),
            (b"\x00\x00\x8f", "8F"),
            (b"\x80", "-80"),
            (b"\xff\xff", "-01"),
            (b"\x80\x00", "-8000"),
        ):
            self.assertEqual(read_integer_hex(content), text)


class TextTests(SynchronousTestCase):
    """Strings of every type."""

    def test_types(self) -> None:
        """Each string type in its encoding."""
        for tag, content, text in (
            (UTF8, "Zürich".encode(), "Zürich"),
            (PRINTABLE, b"Plain", "Plain"),
            (IA5, "Zürich".encode(), "Zürich"),
            (GENERAL, b"x", "x"),
            (T61, b"Z\xfcrich", "Zürich"),
            (T61, "Zürich".encode(), "Zürich"),
            (BMP, "Zürich 東".encode("utf-16-be"), "Zürich 東"),
            (UNIVERSAL, "\U0001f512".encode("utf-32-be"), "\U0001f512"),
        ):
            self.assertEqual(read_text(tag, content), text)

    def test_undecodable(self) -> None:
        """Bytes that are no text become U+FFFD."""
        for tag, content, text in (
            (UTF8, b"a\xffb", "a\ufffdb"),
            (PRINTABLE, b"\xfc", "\ufffd"),
            (BMP, b"\x00a\x00", "a\ufffd"),
            (BMP, b"\xd8\x00\x00a", "\ufffda"),
            (UNIVERSAL, b"\x00\x11\x00\x00", "\ufffd"),
        ):
            self.assertEqual(read_text(tag, content), text)

    @given(st.integers(0, 255), st.binary(max_size=40))
    @PROPERTY
    def test_any_bytes(self, tag: int, content: bytes) -> None:
        """Whatever a string holds, it can be written as UTF-8; what is no string is an error."""
        try:
            read_text(tag, content).encode()
        except DerError:
            self.assertNotIn(tag, (UTF8, PRINTABLE, IA5, T61, BMP, UNIVERSAL, GENERAL))


class TimeTests(SynchronousTestCase):
    """UTCTime and GeneralizedTime."""

    @given(
        st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2049, 12, 31, 23, 59, 59))
    )
    @PROPERTY
    def test_utc_time(self, moment: datetime) -> None:
        """Two digits of the year are enough for a hundred years."""
        seconds = int(moment.replace(microsecond=0, tzinfo=UTC).timestamp())
        text = moment.strftime("%y%m%d%H%M%SZ").encode()
        self.assertEqual(read_time(UTC_TIME, text), seconds)

    @given(st.datetimes(min_value=datetime(1000, 1, 1)))
    @PROPERTY
    def test_generalized_time(self, moment: datetime) -> None:
        """Any year of four digits."""
        delta = moment.replace(microsecond=0) - datetime(1970, 1, 1)
        text = moment.strftime("%Y%m%d%H%M%SZ").encode()
        self.assertEqual(read_time(GENERALIZED_TIME, text), delta.days * 86400 + delta.seconds)

    def test_last(self) -> None:
        """The date that means no end."""
        self.assertEqual(read_time(GENERALIZED_TIME, b"99991231235959Z"), 253402300799)

    def test_loose_forms(self) -> None:
        """Without seconds, with an offset, a fraction, without a zone."""
        base = read_time(UTC_TIME, b"250601120000Z")
        for tag, text, seconds in (
            (UTC_TIME, b"2506011200Z", base),
            (UTC_TIME, b"250601120000", base),
            (UTC_TIME, b"250601140000+0200", base),
            (UTC_TIME, b"2506010930-0230", base),
            (GENERALIZED_TIME, b"2025060112Z", base),
            (GENERALIZED_TIME, b"20250601120000.999Z", base),
            (GENERALIZED_TIME, b"20250601120000,5+0000", base),
        ):
            self.assertEqual(read_time(tag, text), seconds, text)

    def test_refused(self) -> None:
        """No such day or hour, other text, other tags, and text without end."""
        for tag, text in (
            (UTC_TIME, b"250230120000Z"),
            (UTC_TIME, b"251301120000Z"),
            (UTC_TIME, b"250601240000Z"),
            (UTC_TIME, b"250601126000Z"),
            (UTC_TIME, b"250601120060Z"),
            (UTC_TIME, b"25060112 000Z"),
            (UTC_TIME, b"2506011200-1Z"),
            (UTC_TIME, b"20250601120000Z"),
            (UTC_TIME, b""),
            (UTC_TIME, b"250601120000z"),
            (GENERALIZED_TIME, b"00000101000000Z"),
            (GENERALIZED_TIME, b"20250601120000." + b"0" * MAX_TIME_OCTETS + b"Z"),
            (IA5, b"250601120000Z"),
        ):
            with self.assertRaises(DerError, msg=text):
                read_time(tag, text)

    @given(st.sampled_from([UTC_TIME, GENERALIZED_TIME]), st.binary(max_size=20))
    @PROPERTY
    def test_any_bytes(self, tag: int, content: bytes) -> None:
        """Any bytes are a time or an error."""
        try:
            read_time(tag, content)
        except DerError:
            self.assertNotRegex(
                content, rb"\A\d\d(0[1-9]|1[0-2])([01][1-8])[01]\d[0-5]\d[0-5]\dZ\Z"
            )
