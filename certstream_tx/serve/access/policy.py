"""What the configuration says about access, made ready for use."""

from dataclasses import dataclass
from typing import Self

from certstream_tx.config import Config
from certstream_tx.serve.access.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Policy:
    """Never changed, only replaced as a whole: nobody is judged by half of it."""

    tokens: Tokens | None = None
    """None: everybody is let in"""
    header_name: bytes = b"Authorization"
    """the header that may carry one"""

    @classmethod
    def of(cls, config: Config) -> Self:
        """What ``config`` says."""
        auth = config.auth
        return cls(
            tokens=Tokens(auth.tokens) if auth.enabled else None,
            header_name=auth.header_name.encode("ascii"),
        )
