"""Follow one log, and print the DNS names of each certificate as it is logged.

python examples/follow_one_log.py "Argon2027h1" --contact you@example.com
"""

import sys
from argparse import ArgumentParser
from pathlib import Path

from twisted.internet.task import react
from twisted.logger import globalLogBeginner, textFileLogObserver

from certstream_tx import find_log, follow, known_logs, message_of, read_log_list


async def main(reactor, *arguments):
    parser = ArgumentParser(description="Print the DNS names in one log's certificates.")
    parser.add_argument("log", help="name (or a part of it), URL or log id")
    parser.add_argument("--list", help="file with a log list, instead of the one that is built in")
    parser.add_argument("--start", type=int, help="first entry; -100: a hundred before the newest")
    parser.add_argument("--count", type=int, help="end after so many entries")
    parser.add_argument("--contact", help="your address, for the log's operator")
    given = parser.parse_args(arguments)

    logs = known_logs()
    if given.list:
        logs = read_log_list(Path(given.list).read_bytes(), allow_http=True).logs
    try:
        log = find_log(given.log, logs)
    except LookupError as error:
        raise SystemExit(str(error)) from None

    taken = 0
    async with follow(reactor, log, start=given.start, contact=given.contact) as entries:
        async for entry in entries:
            certificate = message_of(entry, log).certificate
            print(entry.index, *certificate.all_domains, flush=True)
            taken += 1
            if taken == given.count:
                break
    print(f"verified: {entries.stats.verified_size} entries", file=sys.stderr)


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    react(main, sys.argv[1:])
