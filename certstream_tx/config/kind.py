"""What a kind of configuration value is: its readers tell what is wrong, all in one way."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

SHOWN = 60
"""characters of a wrong value that an error repeats: enough to recognise it"""
MAX_TEXT = 4096
"""characters in one text: the longest path Linux takes"""

_PLAIN = re.compile(r"[\w.-]{1,80}")


class Invalid(ValueError):
    """A value is not what its key takes: pairs of where (below the key) and what is wrong."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__(
            "; ".join(f"{where}: {what}" if where else what for where, what in problems)
        )
        self.problems = problems


@contextmanager
def below(where: str, problems: list[tuple[str, str]]) -> Iterator[None]:
    """Collect what is invalid inside the block, placed below ``where``, and go on."""
    try:
        yield
    except Invalid as error:
        problems += [(where + inner, what) for inner, what in error.problems]


def place(name: str) -> str:
    """A key as an error names it: as it is, or quoted and cut when it is an odd one."""
    return name if _PLAIN.fullmatch(name) else shown(name)


def shown(value: object) -> str:
    """A wrong value as an error repeats it: one short line, never the whole of a large one."""
    match value:
        case None:
            return "null"
        case bool() | int() | float():
            text = json.dumps(value)
        case str():
            if not value:
                return "an empty text"
            cut = value if len(value) <= SHOWN else value[: SHOWN - 3] + "..."
            return json.dumps(cut, ensure_ascii=False)
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


class Kind(ABC, Generic[T]):
    """One kind of value. Both readers raise :class:`Invalid`."""

    expected: str
    """completes "expected ...", and is the type in the reference page"""
    from_environment = True
    """whether a text can say it"""

    def from_yaml(self, value: object) -> T:
        """What the file says, as a Python value of ours."""
        if isinstance(value, str) and len(value) <= MAX_TEXT:
            return self.from_text(value)
        raise self.wrong(value)

    @abstractmethod
    def from_text(self, text: str) -> T:
        """The same from a text; an empty one never comes here unless the kind is given it."""

    def from_texts(self, texts: Sequence[str]) -> T:
        """From all that the environment or the command line says: here one text, perhaps empty."""
        if len(texts) != 1:
            raise Invalid(("", f"expected {self.expected}, once, got it {len(texts)} times"))
        return self.from_text(texts[0]) if texts[0] else self.from_empty()

    def from_empty(self) -> T:
        """What an empty text means."""
        raise Invalid(("", f"expected {self.expected}, got an empty value"))

    def wrong(self, value: object) -> Invalid:
        """The error for a value of another kind."""
        return Invalid(("", f"expected {self.expected}, got {shown(value)}"))
