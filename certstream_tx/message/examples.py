"""What a message of each stream looks like, to be shown until there is a real one."""

from typing import Final

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.structs import PRECERT_ENTRY
from certstream_tx.message.documents import Message
from certstream_tx.message.fields import Source
from certstream_tx.x509.example import EXAMPLE_ISSUER, EXAMPLE_PRECERTIFICATE


def _examples() -> dict[str, bytes]:
    moment = 1779302893.443
    entry = Entry(
        index=1111014090,
        timestamp=int(moment * 1000),
        entry_type=PRECERT_ENTRY,
        submitted=EXAMPLE_PRECERTIFICATE,
        chain=(EXAMPLE_ISSUER,),
        leaf_hash=b"",
    )
    source = Source("Example log", "https://log.example/2026", "Example Trust", None, "rfc6962")
    message = Message(entry, source, moment)
    return {
        "full": message.full(),
        "lite": message.lite(),
        "domains-only": message.domains_only() or b"",
    }


EXAMPLES: Final = _examples()
"""by the name of the stream"""
