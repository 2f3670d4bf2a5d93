"""What came with an entry, held against what the tree covers.

The tree covers a certificate, or the TBSCertificate of a precertificate and the hash of its
issuer's key. The submitted precertificate and the chain came with it on the log's word alone.
"""

from typing import Final

from certstream_tx.ct.chain import is_issued_by, lead_of, read_issuer
from certstream_tx.ct.der import DerError
from certstream_tx.ct.precertificate import is_of

OTHER_PRECERTIFICATE: Final = "the submitted precertificate is not the one that was logged"
OTHER_KEY: Final = "the chain does not lead to the issuer key that was logged"
NO_LEAD: Final = "the chain does not lead on from the certificate"

Held = tuple[str | None, bool, int]
"""What is wrong, None if nothing is; whether a precertificate could be held against its
TBSCertificate at all; how many certificates of the chain lead on."""


def held_certificate(certificate: bytes, chain: tuple[bytes, ...]) -> Held:
    """Hold the chain of a certificate against it. Never raises."""
    if not chain:
        return None, True, 0
    try:
        _, first, count = lead_of(chain)
        if not is_issued_by(certificate, first.subject):
            return NO_LEAD, True, 0
    except DerError:
        # What cannot be read is told as such, and its neighbours are nobody's chain, or anybody's.
        return None, True, len(chain)
    return (None if count == len(chain) else NO_LEAD), True, count


def held_precertificate(
    submitted: bytes, tbs: bytes, key_hash: bytes | None, chain: tuple[bytes, ...]
) -> Held:
    """Hold a submitted precertificate against its TBSCertificate, and the chain against the hash of
    the issuer's key, where there is a chain. Never raises."""
    error: str | None = None
    signer: bytes | None = None
    count = 0
    if chain:
        try:
            _, first, count = lead_of(chain)
            if first.signs_precertificates:
                signer = chain[0]
            if first.key_hash != key_hash and not (
                signer is not None
                and len(chain) > 1
                and read_issuer(chain[1]).key_hash == key_hash
                and is_issued_by(submitted, first.subject)
            ):
                error, count = OTHER_KEY, 0
            elif count < len(chain):
                error = NO_LEAD
        except DerError:
            error, count = OTHER_KEY, 0
    try:
        if not is_of(submitted, tbs, signer):
            error = OTHER_PRECERTIFICATE
    except DerError as reason:
        return f"the submitted precertificate cannot be read: {reason}", False, count
    return error, True, count
