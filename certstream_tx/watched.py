"""Looking at a file from time to time: polling, which sees every way of replacing one.

Editors write a new file and rename it, Kubernetes swaps a link to a folder, network file systems
report no events: what stands at a path afterwards is another file, or has other times.
"""

from itertools import islice
from os import scandir, stat, stat_result

MAX_ENTRIES = 1000
"""of a folder that are looked at"""

Mark = tuple[object, ...] | None
"""what tells one state of a file from another; None when it is not there"""


class Watched:
    """A file, or a folder with the files in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.take()

    def take(self) -> None:
        """It is about to be read as it is now: that needs not be told of."""
        self._used = self._seen = mark(self.path)

    def look(self) -> bool:
        """Whether it has changed, and not since the last look: what is being written is not whole.

        Every state is told of once. One in which it is not there is not told of.
        """
        now = mark(self.path)
        rested, self._seen = now == self._seen, now
        if not rested or now == self._used or now is None:
            return False
        self._used = now
        return True


def mark(path: str) -> Mark:
    """The state of what a path leads to, over links."""
    try:
        there = _mark(stat(path))
        with scandir(path) as entries:
            inside = [(entry.name, entry.path) for entry in islice(entries, MAX_ENTRIES)]
    except NotADirectoryError:
        return there
    except OSError:
        return None
    return (*there, *((name, mark_of_file(each)) for name, each in sorted(inside)))


def mark_of_file(path: str) -> Mark:
    """The state of a file."""
    try:
        return _mark(stat(path))
    except OSError:
        return None


def _mark(seen: stat_result) -> tuple[int, ...]:
    # A change of rights counts as well: the file may be readable now.
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
