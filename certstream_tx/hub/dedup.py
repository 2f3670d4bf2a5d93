"""The same certificate from several logs: who gets which sighting of it.

Every stream comes in three views. What is withheld from a view is known before anything is
encoded, from what the certificate says: a message has one document a stream, shared by the views.
Only for views that somebody has is anything remembered.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from hashlib import blake2b
from secrets import token_bytes

from certstream_tx.certificate import Certificate
from certstream_tx.config.serving import Dedup
from certstream_tx.hub.recent import DIGEST_BYTES, Recent


class View(Enum):
    """What a client gets of a stream; the values are what it asks for."""

    EVERY = "off"
    """every sighting in every log"""
    FIRST = "on"
    """the first sighting of each certificate"""
    PAIR = "pair"
    """the first one of a precertificate and its certificate"""


def of_certificate(certificate: Certificate) -> str | None:
    """What the sightings of one certificate have in common; None of what could not be read.

    A precertificate is another certificate than the final one.
    """
    return None if certificate.error is not None else certificate.sha256


def of_pair(certificate: Certificate) -> str | None:
    """What the sightings of a precertificate and its final certificate have in common.

    The issuer's key and the serial number name both (RFC 5280 section 4.1.2.2), where a certificate
    says which key that is. Names and dates are the same too, and are here so that a forgery, which
    nobody's signature protects from, does not hide what it is a forgery of.
    """
    if certificate.error is not None:
        return None
    key = certificate.extensions.authority_key_identifier
    if key is None:
        return certificate.sha256
    return "\n".join(
        (
            key,
            certificate.issuer.aggregated or "",
            certificate.serial_number,
            f"{certificate.not_before} {certificate.not_after}",
            certificate.subject.aggregated or "",
            *certificate.all_domains,
        )
    )


class Filter:
    """What is left out of one view.

    :param same: what two certificates have in common of which the second is left out; None of one
        that is never
    :param capacity: certificates that are remembered
    :param ttl: for how many seconds
    :param key: 32 random bytes
    """

    def __init__(
        self, same: Callable[[Certificate], str | None], capacity: int, ttl: int, key: bytes
    ) -> None:
        self._recent = Recent(capacity, ttl)
        self._same = same
        # Not as BLAKE2's own key, which takes a block by itself: this one and a SHA-256 share one.
        self._keyed = blake2b(key, digest_size=DIGEST_BYTES)

    def __len__(self) -> int:
        """Certificates that are remembered."""
        return len(self._recent)

    def withholds(self, certificate: Certificate, now: int) -> bool:
        """Whether it was let through within the last ``ttl`` seconds; lets it through otherwise.

        ``now``: in seconds.
        """
        same = self._same(certificate)
        return same is not None and not self._recent.is_new(self._digest(same), now)

    def forget(self, certificate: Certificate) -> None:
        """It could not be sent after all, having been let through just now."""
        same = self._same(certificate)
        if same is not None:
            self._recent.forget(self._digest(same))

    def _digest(self, same: str) -> bytes:
        """What is remembered: nobody can make one for another without the key."""
        digest = self._keyed.copy()
        digest.update(same.encode())
        return digest.digest()


def filters(dedup: Dedup) -> Mapping[View, Filter]:
    """The filter of each view that has one; none as it is configured, it may be."""
    if not dedup.enabled:
        return {}
    return {
        view: Filter(same, dedup.capacity, dedup.ttl_secs, token_bytes(32))
        for view, same in ((View.FIRST, of_certificate), (View.PAIR, of_pair))
    }
