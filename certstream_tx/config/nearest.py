"""The known word that somebody probably meant."""

from collections.abc import Iterable
from typing import Final

SURE: Final = 0.75
LIKELY: Final = 0.6
"""how alike two words are at least, from 0 to 1"""


def nearest(word: str, known: Iterable[str], alike: float = LIKELY) -> str | None:
    """The known word most like this one; None when none is."""
    # Few configurations need it, and it takes memory for as long as the server runs.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=alike)), None)
