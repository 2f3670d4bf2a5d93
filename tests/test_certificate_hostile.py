"""Certificates that want to do harm: no bytes raise, none take more than linear time."""

import time
from collections.abc import Callable
from functools import cache

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.certificate import MAX_CERTIFICATE_BYTES, Certificate, read_certificate
from certstream_tx.ct.entry import read_entry
from tests.ct.samples import page_entries
from tests.golden.assemble import made_entries
from tests.golden.certificate_writer import (
    attribute,
    common_name,
    dns,
    extended_key_usage,
    extension,
    ip,
    name,
    policies,
    policy,
    signed,
    subject_alt_name,
    tbs_certificate,
)
from tests.golden.der_writer import explicit, implicit, integer, sequence, tlv

PROPERTY = settings(max_examples=300, deadline=None)
SUBJECT = common_name("a.example")

# A certificate of a megabyte takes half a second at worst on a slow machine; quadratic time would
# be minutes.
LONGEST_SECONDS = 10.0


@cache
def real_certificates() -> list[bytes]:
    """Every certificate of the live entries, their chains', and the made ones."""
    entries = [read_entry(*record) for record in page_entries()]
    entries += [read_entry(r["index"], r["leaf_input"], r["extra_data"]) for r in made_entries()]
    return sorted({der for entry in entries for der in (entry.submitted, *entry.chain)})


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real certificate, damaged: octets changed, parts cut out, doubled or put elsewhere."""
    der = bytearray(draw(st.sampled_from(real_certificates())))
    octet = st.sampled_from([0x00, 0x01, 0x06, 0x1F, 0x30, 0x7F, 0x80, 0x82, 0x84, 0xFF])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(der) - 1, 0)))
        size = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(["octet", "any", "cut", "copy", "end"]))
        if kind == "octet" and der:
            der[at] = draw(octet)
        elif kind == "any" and der:
            der[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del der[at : at + size]
        elif kind == "copy":
            to = draw(st.integers(0, len(der)))
            der[to:to] = der[at : at + size]
        elif kind == "end":
            del der[max(at, len(der) - size) :]
    return bytes(der)


class AnyBytesTests(SynchronousTestCase):
    """Reading never raises, and what was read can be encoded."""

    def check(self, der: bytes) -> Certificate:
        certificate = read_certificate(der)
        encoded = msgspec.json.encode(certificate)
        decoded = msgspec.json.decode(encoded)
        self.assertEqual(decoded["all_domains"], certificate.all_domains)
        self.assertEqual(certificate, read_certificate(der), "another time, another reading")
        return certificate

    @given(st.binary(max_size=400))
    @PROPERTY
    def test_random(self, der: bytes) -> None:
        """Random bytes are unreadable, or would have to be a certificate."""
        self.check(der)

    @given(mutated())
    @PROPERTY
    def test_mutated(self, der: bytes) -> None:
        """Damaged certificates are read in part or not at all."""
        self.check(der)

    @given(st.lists(st.binary(max_size=30), min_size=7, max_size=9))
    @PROPERTY
    def test_any_parts(self, parts: list[bytes]) -> None:
        """A good frame around parts of any bytes is never unreadable for their sake."""
        whole = [sequence(part) for part in parts]
        tbs = sequence(explicit(0, integer(2)), integer(5), *whole)
        self.assertIsNone(self.check(signed(tbs)).error)

    def test_every_truncation(self) -> None:
        """A real certificate cut at every byte is refused."""
        der = max(real_certificates()[:60], key=len)
        for end in range(len(der)):
            self.assertTrue(read_certificate(der[:end]).error)

    def test_every_octet(self) -> None:
        """A real certificate with any octet changed is read in part or not at all."""
        der = read_entry(*page_entries()[0]).submitted
        for at in range(len(der)):
            for octet in (0x00, 0x30, 0x80, 0xFF):
                read_certificate(der[:at] + bytes([octet]) + der[at + 1 :])


class BombTests(SynchronousTestCase):
    """As much of the worst of each kind as is read at all."""

    def quickly(self, der: bytes) -> Certificate:
        started = time.process_time()
        certificate = read_certificate(der)
        self.assertLess(time.process_time() - started, LONGEST_SECONDS)
        return certificate

    def repeated(self, build: Callable[[int], bytes], size: int = 240_000) -> list[bytes]:
        """As many parts as make up ``size`` bytes."""
        return [build(i) for i in range(size // len(build(99_999)))]

    def of(self, *extensions: bytes) -> bytes:
        return signed(tbs_certificate(subject=SUBJECT, extensions=extensions))

    def test_names(self) -> None:
        """Endless attributes, known and unknown, and one endless value."""
        for build in (
            lambda i: attribute("CN", ""),
            lambda i: attribute(f"1.2.{i}", ""),
        ):
            subject = name(*self.repeated(build, 200_000))
            self.assertIsNone(self.quickly(signed(tbs_certificate(subject=subject))).error)
        subject = name(attribute("CN", "x." * 120_000))
        self.assertEqual(self.quickly(signed(tbs_certificate(subject=subject))).all_domains, [])

    def test_alternative_names(self) -> None:
        """Endless names of each kind."""
        for build, count in (
            (lambda i: dns(b""), 0),
            (lambda i: dns(b"%06d" % i), 30_000),
            (lambda i: ip("00" * 16), 0),
            (lambda i: implicit(5, b""), 0),
        ):
            der = self.of(subject_alt_name(*self.repeated(build)))
            self.assertEqual(len(self.quickly(der).all_domains), count + 1)

    def test_lists_of_identifiers(self) -> None:
        """Endless purposes and policies, and identifiers of endless digits."""
        for value in (
            extended_key_usage(*(f"1.2.{i}" for i in range(30_000))),
            policies(*self.repeated(lambda i: policy(f"1.2.{i}"))),
            extended_key_usage("1.2." + "9" * 4000),
            sequence(tlv(0x06, b"\x81" * 200_000 + b"\x01")),
        ):
            self.assertIsNone(self.quickly(self.of(value)).error)

    def test_extensions(self) -> None:
        """Endless extensions: unknown, unreadable, and each unreadable in its own way."""
        for build in (
            lambda i: extension(f"1.2.{i}"),
            lambda i: extension("2.5.29.15"),
            lambda i: extension("2.5.29.15", integer(i)),
        ):
            self.assertIsNone(self.quickly(self.of(*self.repeated(build))).error)

    def test_numbers_and_times(self) -> None:
        """An endless serial number, negative or not, and endless digits of a time."""
        for first in (b"\xff", b"\x7f"):
            serial = tlv(0x02, first + bytes(240_000))
            certificate = self.quickly(signed(tbs_certificate(subject=SUBJECT, serial=serial)))
            self.assertGreater(len(certificate.serial_number), 470_000)
        digits = tlv(0x18, b"20250101000000." + b"0" * 100_000 + b"Z")
        der = signed(tbs_certificate(subject=SUBJECT, validity=sequence(digits, digits)))
        self.assertEqual(self.quickly(der).not_after, 0)

    def test_nesting(self) -> None:
        """Nesting without end recurses nowhere."""
        for der in (b"\x30\x80" * 120_000, b"\x30\x83\x0f\x00\x00" * 50_000):
            self.assertTrue(self.quickly(der).error)
        nested = b""
        while len(nested) < 20_000:
            nested = tlv(0x30, nested)
        self.assertIsNone(self.quickly(self.of(extension("2.5.29.17", nested))).error)
        self.assertIsNone(self.quickly(signed(tbs_certificate(subject=nested))).error)

    def test_larger(self) -> None:
        """Five megabytes are not even begun."""
        subject = name(attribute("CN", "x" * 5_000_000))
        der = signed(tbs_certificate(subject=subject))
        self.assertGreater(len(der), MAX_CERTIFICATE_BYTES)
        self.assertTrue(self.quickly(der).error)
