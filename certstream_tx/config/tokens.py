"""Access tokens as they are configured. Nothing here ever shows one."""

import re
from dataclasses import dataclass, field

from certstream_tx.config.kind import Invalid, Kind, below, place

_SHA256_HEX = re.compile(r"[0-9a-fA-F]{64}")
MAX_TOKEN = 512
"""characters: a header line has room for it, and comparing stays cheap"""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its text, or the SHA-256 of it. The name may be shown."""

    text: str | None = field(default=None, repr=False)
    sha256: str | None = field(default=None, repr=False)
    """lower-case hex"""
    name: str | None = None


class TokenKind(Kind[Token]):
    """A text, or ``{sha256: hex, name: label}``."""

    expected = "a token, or {sha256: hex, name: label}"

    def from_yaml(self, value: object) -> Token:
        """Either form; a number that was not put in quotes is refused, its zeros may be gone."""
        if isinstance(value, str):
            return self.from_text(value)
        if not isinstance(value, dict):
            raise self.wrong(value)
        problems: list[tuple[str, str]] = []
        for name in value:
            with below(f".{place(name)}", problems):
                if name not in ("sha256", "name"):
                    raise Invalid(("", "unknown key, known are sha256, name"))
        digest, label = value.get("sha256"), value.get("name")
        if not isinstance(digest, str) or not _SHA256_HEX.fullmatch(digest):
            problems.append((".sha256", "expected 64 hexadecimal digits (not shown)"))
        if label is not None and not (isinstance(label, str) and 0 < len(label) <= 64):
            problems.append((".name", "expected a short text"))
        if problems:
            raise Invalid(*problems)
        return Token(sha256=str(digest).lower(), name=label)

    def from_text(self, text: str) -> Token:
        """What can stand in a header: visible ASCII."""
        if not 0 < len(text) <= MAX_TOKEN or not all("!" <= c <= "~" for c in text):
            raise self.wrong(text)
        return Token(text=text)

    def wrong(self, value: object) -> Invalid:
        """Says what was expected, and nothing of what was given."""
        return Invalid(("", f"expected {self.expected}, got something else (not shown)"))
