"""The Retry-After header as logs send it: seconds or a date, the zone written GMT or UTC."""

from datetime import UTC, datetime
from typing import Final

SHORTEST: Final = 1.0
"""Seconds. "Now" in a throttling answer is not meant as an invitation."""

LONGEST: Final = 15 * 60.0
"""Seconds. A log that asks for more is asked again after this; it may refuse again."""

_LONGEST_VALUE: Final = 64
"""Characters: the longest date form is 33."""

_DATE_FORMS: Final = (
    "%a, %d %b %Y %H:%M:%S",  # RFC 9110 5.6.7 IMF-fixdate; Go's RFC1123 with UTC for the zone
    "%A, %d-%b-%y %H:%M:%S",  # obsolete RFC 850 form
    "%a %b %d %H:%M:%S %Y",  # obsolete asctime form, without a zone
)
_ZONES: Final = ("GMT", "UTC", "Z", "+0000")


def parse_retry_after(value: bytes | str, now: float) -> float | None:
    """Seconds to wait from ``now`` (seconds since the epoch), ``SHORTEST`` to ``LONGEST``.

    None when the value is neither a number of seconds nor a date (RFC 9110 10.2.3) in universal
    time: a date in an unknown zone would be a guess.
    """
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if len(text) > _LONGEST_VALUE:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return _clamped(float(text))
    for zone in _ZONES:
        if text.upper().endswith(" " + zone):
            text = text[: -len(zone) - 1].rstrip()
            break
    else:
        if "," in text:  # only the asctime form goes without a zone
            return None
    for form in _DATE_FORMS:
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return _clamped(moment.timestamp() - now)
    return None


def _clamped(seconds: float) -> float:
    return min(max(seconds, SHORTEST), LONGEST)
