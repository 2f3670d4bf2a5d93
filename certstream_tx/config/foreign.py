"""Keys of later versions of certstream-server-rust, so that its files start here as well."""

import math
from collections.abc import Callable
from typing import NamedTuple

from certstream_tx.config.kind import Invalid, shown


class Mapped(NamedTuple):
    """A key that another one of ours means the same as."""

    target: str
    convert: Callable[[object], object]


def _whole(value: object) -> int:
    """A rate that may be written as a fraction, in ours at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid(("", f"expected a number, got {shown(value)}"))
    return max(1, round(value))


MAPPED = {
    "rate_limit.refill_rate": Mapped("rate_limit.per_second", _whole),
    "rate_limit.max_tokens": Mapped("rate_limit.burst_size", _whole),
    "rate_limit.burst": Mapped("rate_limit.burst_size", _whole),
}
"""Of two that mean the same key of ours the one that stands first here is taken."""

_ALWAYS_VERIFIED = "every head and every entry is verified here, always"
IGNORED = {
    "ct_log.checkpoint_signature_mode": _ALWAYS_VERIFIED,
    "ct_log.merkle_verification": _ALWAYS_VERIFIED,
    "ct_log.state_recovery": "a state file that cannot be read always refuses to start",
    "ct_log.removed_log_policy": "a log that leaves the list is read to its end, then left",
    "ct_log.force_http1_operators": "every log is read over HTTP/1.1",
    "ct_log.catalog_authority_overrides": "there is one list, and `additional_log_lists`",
    "ct_log.names_tiles": "names are taken from verified entries only",
    "rate_limit.window_seconds": "a rate and a burst are all there is",
    "rate_limit.window_max_requests": "a rate and a burst are all there is",
    "rate_limit.burst_window_seconds": "a rate and a burst are all there is",
    "streams.v2": "there is no such stream",
    "nats": "there is no output to NATS",
}
"""Path (of a key or a section) to why it has no equal here."""
