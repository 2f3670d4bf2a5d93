"""Runs the measurements named, or all: ``python -m benchmarks [NAME ...]``."""

import sys

from benchmarks import fanout, ingest, parse, start, tls

MEASUREMENTS = {
    "parse": parse.main,
    "start": start.main,
    "ingest": ingest.main,
    "fanout": fanout.main,
    "tls": tls.main,
}

for name in sys.argv[1:] or MEASUREMENTS:
    print(f"\n## {name}\n", flush=True)
    MEASUREMENTS[name]()
