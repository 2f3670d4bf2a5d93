"""Real certificates, read by ours and by cryptography: both must say the same."""

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.certificate import looks_like_dns_name, read_certificate
from certstream_tx.ct.entry import entry_of, read_entry
from certstream_tx.ct.tiles import read_data_tile
from certstream_tx.x509.names import Name
from tests.ct.samples import fixture, page_entries
from tests.golden.certificate_writer import (
    attribute,
    basic_constraints,
    dns,
    email,
    ip,
    name,
    signed,
    subject_alt_name,
    subject_key_identifier,
    tbs_certificate,
    uri,
    utc,
)
from tests.golden.der_writer import boolean, integer, sequence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ATTRIBUTES = {
    "country": NameOID.COUNTRY_NAME,
    "common_name": NameOID.COMMON_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "state": NameOID.STATE_OR_PROVINCE_NAME,
    "email": NameOID.EMAIL_ADDRESS,
}


@cache
def real_certificates() -> list[bytes]:
    """Of both live logs with their chains, and of the static log's tile; but for two roots with
    serial number 0, which cryptography is about to refuse."""
    entries = [read_entry(*record) for record in page_entries()]
    tile = read_data_tile(fixture("static/navigli2025h2/tile/data/000"), 0, 256)
    entries += [entry_of(leaf, index, ()) for index, leaf in enumerate(tile)]
    ders = {der for entry in entries for der in (entry.submitted, *entry.chain)}
    return sorted(der for der in ders if read_certificate(der).serial_number != "00")


class OracleTests(SynchronousTestCase):
    """Field by field."""

    def compare(self, der: bytes) -> None:
        ours = read_certificate(der)
        theirs = x509.load_der_x509_certificate(der)
        self.assertIsNone(ours.error)
        self.assertEqual(int(ours.serial_number, 16), theirs.serial_number)
        self.assert_name(ours.subject, theirs.subject)
        self.assert_name(ours.issuer, theirs.issuer)
        for seconds, moment in (
            (ours.not_before, theirs.not_valid_before_utc),
            (ours.not_after, theirs.not_valid_after_utc),
        ):
            self.assertEqual(seconds, (moment - EPOCH).total_seconds())
        extensions = {extension.oid: extension.value for extension in theirs.extensions}
        constraints = extensions.get(x509.BasicConstraints.oid)
        self.assertEqual(
            ours.is_ca, isinstance(constraints, x509.BasicConstraints) and constraints.ca
        )
        common_names = theirs.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        domains = [
            str(attribute.value)
            for attribute in common_names
            if looks_like_dns_name(str(attribute.value)) and not ours.is_ca
        ]
        names = extensions.get(x509.SubjectAlternativeName.oid)
        if isinstance(names, x509.SubjectAlternativeName):
            domains += names.get_values_for_type(x509.DNSName)
        self.assertEqual(ours.all_domains, list(dict.fromkeys(domains)))
        self.assertEqual(ours.extensions.subject_alt_name is None, names is None)
        key = extensions.get(x509.SubjectKeyIdentifier.oid)
        if isinstance(key, x509.SubjectKeyIdentifier):
            text = "keyid:" + key.digest.hex(":")
            self.assertEqual(ours.extensions.subject_key_identifier, text)
        self.assertEqual(ours.extensions.ctl_poison_byte, x509.PrecertPoison.oid in extensions)

    def assert_name(self, ours: Name, theirs: x509.Name) -> None:
        for field, oid in ATTRIBUTES.items():
            values = [str(attribute.value) for attribute in theirs.get_attributes_for_oid(oid)]
            self.assertEqual(getattr(ours, field), ", ".join(values) if values else None)

    def test_real_certificates(self) -> None:
        """All real certificates of the fixtures, 300 of them."""
        self.assertGreater(len(real_certificates()), 300)
        for der in real_certificates():
            self.compare(der)

    @given(
        serial=st.integers(1, 2**159),
        attributes=st.lists(
            st.tuples(
                st.sampled_from(["CN", "O", "OU", "L", "ST", "emailAddress"]),
                st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
            ),
            max_size=6,
        ),
        names=st.lists(
            st.one_of(
                st.from_regex(r"[a-z0-9*.-]{1,60}", fullmatch=True).map(dns),
                st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}", fullmatch=True).map(email),
                st.ip_addresses().map(lambda address: ip(address.packed.hex())),
                st.just(uri("https://u.example/")),
            ),
            max_size=8,
        ),
        moments=st.tuples(st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31))),
        key=st.binary(min_size=1, max_size=32),
        ca=st.booleans(),
    )
    @settings(max_examples=150, deadline=None)
    def test_made_certificates(
        self,
        serial: int,
        attributes: list[tuple[str, str]],
        names: list[bytes],
        moments: tuple[datetime],
        key: bytes,
        ca: bool,
    ) -> None:
        """Certificates of any content that cryptography accepts."""
        (moment,) = moments
        der = signed(
            tbs_certificate(
                subject=name(*(attribute(k, text) for k, text in attributes)),
                serial=integer(serial),
                validity=sequence(utc(moment.strftime("%y%m%d%H%M%SZ")), utc("491231235959Z")),
                extensions=[
                    subject_alt_name(*names),
                    basic_constraints(boolean(True) if ca else b""),
                    subject_key_identifier(key),
                ],
            )
        )
        self.compare(der)
