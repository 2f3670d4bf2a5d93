"""Runs the measurements named, or all: ``python -m benchmarks [parse] [start] [ingest]``."""

import sys

from benchmarks import ingest, parse, start

MEASUREMENTS = {"parse": parse.main, "start": start.main, "ingest": ingest.main}

for name in sys.argv[1:] or MEASUREMENTS:
    print(f"\n## {name}\n", flush=True)
    MEASUREMENTS[name]()
