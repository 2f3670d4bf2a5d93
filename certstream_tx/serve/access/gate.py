"""The gate before the data surface: every request and every connection of a stream passes it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from twisted.web.http import UNAUTHORIZED

from certstream_tx.serve.access.policy import Policy


class Refusal(NamedTuple):
    """Why somebody is not let in, as HTTP says it."""

    status: int
    header: tuple[bytes, bytes]


NO_TOKEN = Refusal(UNAUTHORIZED, (b"WWW-Authenticate", b"Bearer"))


@dataclass(slots=True)
class Counts:
    """What the gate did."""

    auth_rejected: int = 0
    let_in: Counter[str] = field(default_factory=Counter)
    """by the label of the token, while tokens are asked for"""


class Gate:
    """Judges by the policy of the moment, which may be replaced at any time."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.counts = Counts()

    def replace_policy(self, policy: Policy) -> None:
        """Judge by this one from now on; who is in stays."""
        self.policy = policy
        labels = policy.tokens.labels if policy.tokens is not None else frozenset()
        for label in self.counts.let_in.keys() - labels:
            del self.counts.let_in[label]

    def refuses(self, tokens: Sequence[bytes]) -> Refusal | None:
        """Why who carries ``tokens`` is not let in; None if it is."""
        if self.policy.tokens is None:
            return None
        label = self.policy.tokens.label_of(tokens)
        if label is None:
            self.counts.auth_rejected += 1
            return NO_TOKEN
        self.counts.let_in[label] += 1
        return None
