"""What a client says it can decode (RFC 9110 section 12.5.3)."""

from collections.abc import Iterable


def accepts_gzip(values: Iterable[bytes]) -> bool:
    """Whether ``Accept-Encoding``, given as its field's lines, names gzip and does not forbid it.

    Who accepts anything (``*``), or says nothing, has not said that it decodes as bytes come in.
    """
    accepted = False
    for value in values:
        for coding in value.lower().split(b","):
            name, *parameters = (part.strip() for part in coding.split(b";"))
            if name in (b"gzip", b"x-gzip"):
                accepted = not any(map(_is_zero, parameters))
    return accepted


def _is_zero(parameter: bytes) -> bool:
    """Whether it is a quality of 0, or one that cannot be read."""
    name, _, value = parameter.partition(b"=")
    try:
        return name.strip() == b"q" and not float(value) > 0
    except ValueError:
        return True
