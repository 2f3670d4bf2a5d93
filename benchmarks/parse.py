"""How fast entries become messages, without network and hub: ``python -m benchmarks.parse``.

The entries are the real ones of the fixtures, each many times with a serial number, names, key
identifier and SCTs of its own, as in live logs: what repeats there (issuers, policies, addresses,
chains) repeats here, and nothing else does. Every entry is read once, so that no cache helps more
than it does in service.
"""

import json
import random
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from string import ascii_lowercase

from cryptography import x509

from certstream_tx.certificate import read_certificate
from certstream_tx.ct.entry import Entry, entry_of, read_entry
from certstream_tx.ct.tiles import read_data_tile
from certstream_tx.message.documents import Message, Source, build_message

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
TILE = FIXTURES / "static" / "navigli2025h2" / "tile" / "data" / "000"
COUNT = 4096
"""Entries of a round."""
ROUNDS = 5
"""The fastest counts: what else runs on a machine can only make a round slower."""

RFC6962 = Source("A log", "https://log.example/2026", "Operator", "AA" * 22, "rfc6962")
TILED = Source("Tiles", "https://tiles.example/2026", "Operator", "BB" * 22, "tiled")


def live_entries() -> list[Entry]:
    """The 40 entries of two logs, with their chains."""
    return [
        read_entry(
            record["cert_index"],
            b64decode(record["leaf_input"]),
            b64decode(record["extra_data"]),
        )
        for record in json.loads((FIXTURES / "live_entries.json").read_text())
    ]


def tile_entries() -> list[Entry]:
    """The 256 precertificates of a data tile; its issuers are not among the fixtures."""
    leaves = read_data_tile(TILE.read_bytes(), 0, 256)
    return [entry_of(leaf, index, ()) for index, leaf in enumerate(leaves)]


class Original:
    """An entry, and what in its certificate no other certificate has."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        certificate = x509.load_der_x509_certificate(entry.submitted)
        length = (certificate.serial_number.bit_length() + 7) // 8
        self.numbers = [certificate.serial_number.to_bytes(length, "big")]
        self.names: set[bytes] = set()
        for extension in certificate.extensions:
            value = extension.value
            if isinstance(value, x509.SubjectAlternativeName):
                self.names = {n.encode() for n in value.get_values_for_type(x509.DNSName)}
            elif isinstance(value, x509.SubjectKeyIdentifier):
                self.numbers.append(value.digest)
            elif isinstance(value, x509.PrecertificateSignedCertificateTimestamps):
                self.numbers.extend(sct.signature for sct in value)

    def varied(self, chance: random.Random) -> Entry:
        """A new entry of the same shape; of the chain a copy, as it comes with every page."""
        der = self.entry.submitted
        for number in self.numbers:
            fresh = bytes([chance.randrange(1, 128)]) + chance.randbytes(len(number) - 1)
            der = der.replace(number, fresh)
        letters = "".join(chance.sample(ascii_lowercase, 26))
        table = bytes.maketrans(ascii_lowercase.encode(), letters.encode())
        for name in self.names:
            der = der.replace(name, name.translate(table))
        chain = tuple(bytes(memoryview(certificate)) for certificate in self.entry.chain)
        return self.entry._replace(submitted=der, chain=chain)


def microseconds(
    originals: Sequence[Original], work: Callable[[Entry], object], chance: random.Random
) -> float:
    """The time an entry takes, in the fastest of some rounds over entries never seen before."""
    best = float("inf")
    for _ in range(ROUNDS):
        entries = [original.varied(chance) for original in islice(cycle(originals), COUNT)]
        started = time.perf_counter()
        for entry in entries:
            work(entry)
        best = min(best, time.perf_counter() - started)
    return best / COUNT * 1e6


def works(source: Source) -> dict[str, Callable[[Entry], object]]:
    """What is measured, by name."""

    def message(entry: Entry) -> Message:
        return build_message(entry, source, time.time)

    def all_three(entry: Entry) -> None:
        made = message(entry)
        made.lite()
        made.full()
        made.domains_only()

    return {
        "read alone": lambda entry: read_certificate(entry.submitted),
        "read, lite": lambda entry: message(entry).lite(),
        "read, full": lambda entry: message(entry).full(),
        "read, domains-only": lambda entry: message(entry).domains_only(),
        "read, all three": all_three,
    }


def main() -> None:
    """Print a table."""
    chance = random.Random(1)
    sets = {
        "live logs": ([Original(entry) for entry in live_entries()], RFC6962),
        "static tile": ([Original(entry) for entry in tile_entries()], TILED),
    }
    print(f"{'':12}{'':20}{'us an entry':>12}{'entries/s':>12}")
    for title, (originals, source) in sets.items():
        for name, work in works(source).items():
            time_each = microseconds(originals, work, chance)
            print(f"{title:12}{name:20}{time_each:12.1f}{1e6 / time_each:12,.0f}")
            title = ""


if __name__ == "__main__":
    main()
