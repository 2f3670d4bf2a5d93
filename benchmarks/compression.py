"""What sharing compression costs and saves: ``python -m benchmarks.compression``.

Messages of entries as in ``benchmarks.parse``: those of a real data tile, and the live ones varied,
each with serial number, names, key and signatures of its own. The compressor goes on through all of
them, so the sizes are the same at every rate of messages. Sizes are of whole WebSocket frames.
"""

import random
import time
import zlib
from collections.abc import Callable
from itertools import cycle, islice

from benchmarks.parse import RFC6962, TILED, Original, live_entries, tile_entries
from certstream_tx.ct.entry import Entry
from certstream_tx.deflate import LEVEL, MEMORY, STRATEGY, WINDOW_BYTES, alone
from certstream_tx.framing import websocket_deflated, websocket_text
from certstream_tx.message.documents import Message, Source

COUNT = 1024
ROUNDS = 5
LEVELS = (1, 4, 5, 6, 7, 8, 9)
STRATEGIES = {"default": zlib.Z_DEFAULT_STRATEGY, "filtered": zlib.Z_FILTERED}
WORST_BYTES = 1 << 20
"""the largest message"""


def streams() -> dict[str, list[bytes]]:
    """Documents by name of the stream they are of."""
    chance = random.Random(1)

    def varied(entries: list[Entry]) -> list[Entry]:
        originals = [Original(entry) for entry in entries]
        chance.shuffle(originals)
        return [each.varied(chance) for each in islice(cycle(originals), COUNT)]

    def messages(entries: list[Entry], source: Source) -> list[Message]:
        return [
            Message(
                Entry(
                    index=1_111_014_090 + place,
                    timestamp=entry.timestamp,
                    entry_type=entry.entry_type,
                    submitted=entry.submitted,
                    chain=entry.chain,
                    leaf_hash=entry.leaf_hash,
                ),
                source,
                1779302893 + place / 400,
            )
            for place, entry in enumerate(entries)
        ]

    tile = messages(tile_entries(), TILED)
    live = messages(varied(live_entries()), RFC6962)
    return {
        "lite, a log's tile": [m.lite() for m in tile],
        "lite, live logs": [m.lite() for m in live],
        "full, live logs": [m.full() for m in live],
        "domains, live logs": [d for m in live if (d := m.domains_only()) is not None],
    }


def fastest(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest round."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best


def deflated(documents: list[bytes], level: int, strategy: int) -> list[bytes]:
    """Every document, by one compressor."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, MEMORY, strategy)
    return [compressor.compress(d) + compressor.flush(zlib.Z_SYNC_FLUSH) for d in documents]


def mean(frames: list[bytes]) -> float:
    """Bytes of a frame, once the window is full."""
    settled = frames[len(frames) // 4 :]
    return sum(map(len, settled)) / len(settled)


def window(documents: list[bytes]) -> list[bytes]:
    """The newest documents that fill the window."""
    newest: list[bytes] = []
    for document in reversed(documents):
        if sum(map(len, newest)) >= WINDOW_BYTES:
            break
        newest.insert(0, document)
    return newest


def main() -> None:
    """Print tables."""
    documents = streams()
    for name, of_stream in documents.items():
        print(f"{name}: plain {mean([websocket_text(d) for d in of_stream]):,.0f} bytes")
        for title, strategy in STRATEGIES.items():
            for level in LEVELS:
                chosen = " *" if (level, strategy) == (LEVEL, STRATEGY) else ""
                size = mean([websocket_deflated(d) for d in deflated(of_stream, level, strategy)])
                seconds = fastest(lambda: deflated(of_stream, level, strategy))  # noqa: B023
                each = seconds / len(of_stream) * 1e6
                print(f"  {title:9} {level}: {size:7.1f} bytes {each:6.1f} us{chosen}")
        newest = window(of_stream)
        primer = sum(map(len, alone(newest)))
        seconds = fastest(lambda: alone(newest))  # noqa: B023
        print(f"  primer of {len(newest)}: {primer:,} bytes, {seconds * 1e3:.2f} ms\n")
    worst = bytes(random.Random(1).choices(b"ab", k=WORST_BYTES))
    print("the worst message of a megabyte:")
    for level in LEVELS:
        seconds = fastest(lambda: deflated([worst], level, STRATEGY))  # noqa: B023
        print(f"  level {level}: {seconds * 1e3:,.0f} ms")


if __name__ == "__main__":
    main()
