"""``twistd`` with a clock that each SIGUSR2 sets by the next number of ``CLOCK_JUMPS``."""

import os
import signal
import sys
import time

_real = time.time
_jumps = [float(each) for each in os.environ["CLOCK_JUMPS"].split()]
_ahead = 0.0


def _time() -> float:
    return _real() + _ahead


def _jump(*_: object) -> None:
    global _ahead
    _ahead += _jumps.pop(0)


if __name__ == "__main__":
    # Before Twisted takes it: its reactor reads the time of day.
    time.time = _time
    signal.signal(signal.SIGUSR2, _jump)
    from twisted.scripts.twistd import run

    sys.argv[0] = "twistd"
    run()
