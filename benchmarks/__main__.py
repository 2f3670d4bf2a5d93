"""Runs the measurements named, or all: ``python -m benchmarks [NAME ...]``."""

import sys

from benchmarks import compression, fanout, ingest, parse, start, tls, verification

MEASUREMENTS = {
    "parse": parse.main,
    "verification": verification.main,
    "start": start.main,
    "ingest": ingest.main,
    "fanout": fanout.main,
    "compression": compression.main,
    "tls": tls.main,
}

for name in sys.argv[1:] or MEASUREMENTS:
    print(f"\n## {name}\n", flush=True)
    MEASUREMENTS[name]()
