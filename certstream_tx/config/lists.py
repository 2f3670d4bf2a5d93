"""Further lists of logs, and what must have signed them."""

from dataclasses import dataclass
from typing import Any

from certstream_tx.config.kind import Invalid, Kind, below, place
from certstream_tx.config.kinds import Nullable, Switch
from certstream_tx.config.texts import Path, Url

KNOWN_UNSIGNED = ("https://valid.apple.com/",)
"""Where lists are that are known to have no signature beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditionalList:
    """A list of logs besides that at ``ct_logs_url``, in the same format.

    key: the PEM file of the RSA key that signs it; None: Chrome's
    signed: whether it is signed at all; if not, TLS alone vouches for it
    """

    url: str
    key: str | None = None
    signed: bool = True


class AdditionalListKind(Kind[AdditionalList]):
    """A URL, or ``{url: URL, key: path, signed: true or false}``."""

    expected = "a URL, or {url: URL, key: PEM file, signed: true or false}"

    def from_yaml(self, value: object) -> AdditionalList:
        """Either form."""
        if not isinstance(value, dict):
            return super().from_yaml(value)
        kinds: dict[str, Kind[Any]] = {"url": Url(), "key": Nullable(Path()), "signed": Switch()}
        problems: list[tuple[str, str]] = []
        given: dict[str, Any] = {}
        for name, one in value.items():
            with below(f".{place(name)}", problems):
                if name not in kinds:
                    raise Invalid(("", f"unknown key, known are {', '.join(kinds)}"))
                given[name] = kinds[name].from_yaml(one)
        if "url" not in value:
            problems.append((".url", f"expected {Url.expected}, got nothing"))
        if problems:
            raise Invalid(*problems)
        if "signed" not in given:
            given["signed"] = given.get("key") is not None or not _known_unsigned(given["url"])
        return _checked(AdditionalList(**given))

    def from_text(self, text: str) -> AdditionalList:
        """A URL alone: of a list that Chrome signs, or that is known to have no signature."""
        url = Url().from_text(text)
        return _checked(AdditionalList(url=url, signed=not _known_unsigned(url)))


def _known_unsigned(url: str) -> bool:
    return url.startswith(KNOWN_UNSIGNED)


def _checked(found: AdditionalList) -> AdditionalList:
    if not found.signed and found.key is not None:
        raise Invalid((".key", "expected nothing, because signed is false, got a path"))
    if not found.signed and not found.url.startswith("https://"):
        raise Invalid((".url", "expected https://, because nothing else vouches for the list"))
    return found
