"""Files that are replaced in every way there is."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.watched import MAX_ENTRIES, Watched


class WatchedTests(SynchronousTestCase):
    """A change is told of once, when it has rested from one look to the next."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "config.yaml"
        self.path.write_text("a")

    def assert_told_once(self, watched: Watched) -> None:
        self.assertEqual([watched.look() for _ in range(4)], [False, True, False, False])

    def test_unchanged(self) -> None:
        """Nothing to tell."""
        watched = Watched(str(self.path))
        self.assertEqual([watched.look() for _ in range(3)], [False] * 3)

    def test_written_in_place(self) -> None:
        """As ``echo >`` does, also with the same size."""
        watched = Watched(str(self.path))
        self.path.write_text("b")
        os.utime(self.path, ns=(1, 1))
        self.assert_told_once(watched)

    def test_renamed_over(self) -> None:
        """As most editors do, also with the same size and times."""
        watched = Watched(str(self.path))
        other = self.folder / "config.yaml.tmp"
        other.write_text("b")
        times = os.stat(self.path)
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        other.rename(self.path)
        self.assert_told_once(watched)

    def test_swapped_link(self) -> None:
        """As Kubernetes does: the file is a link into a folder that is a link itself."""
        for version in ("1", "2"):
            (self.folder / version).mkdir()
            (self.folder / version / "config.yaml").write_text("a")
        data = self.folder / "..data"
        data.symlink_to("1")
        self.path.unlink()
        self.path.symlink_to("..data/config.yaml")
        watched = Watched(str(self.path))
        new = self.folder / "..data_tmp"
        new.symlink_to("2")
        new.rename(data)
        self.assert_told_once(watched)

    def test_while_it_is_written(self) -> None:
        """What changes from look to look is not whole yet."""
        watched = Watched(str(self.path))
        looks = []
        for i in range(1, 5):
            self.path.write_text("x" * i)
            looks.append(watched.look())
        self.assertEqual(looks, [False] * 4)
        self.assertTrue(watched.look())

    def test_taken(self) -> None:
        """What was read meanwhile for another reason is not told of; what comes later is."""
        watched = Watched(str(self.path))
        self.path.write_text("bb")
        watched.take()
        self.assertEqual([watched.look() for _ in range(3)], [False] * 3)
        self.path.write_text("ccc")
        self.assert_told_once(watched)

    def test_gone(self) -> None:
        """That it is away is nothing to act on; what comes instead is."""
        watched = Watched(str(self.path))
        self.path.unlink()
        self.assertEqual([watched.look() for _ in range(3)], [False] * 3)
        self.path.write_text("b")
        self.assert_told_once(watched)

    def test_comes_into_being(self) -> None:
        """It need not be there at the beginning."""
        watched = Watched(str(self.folder / "later"))
        self.assertFalse(watched.look())
        (self.folder / "later").write_text("x")
        self.assert_told_once(watched)

    def test_rights(self) -> None:
        """What could not be read may be readable now."""
        watched = Watched(str(self.path))
        self.path.chmod(0o600)
        self.assert_told_once(watched)

    def test_folder(self) -> None:
        """Of a folder, the files in it."""
        watched = Watched(str(self.folder))
        self.path.write_text("other")
        self.assert_told_once(watched)
        (self.folder / "more").write_text("")
        self.assert_told_once(watched)
        (self.folder / "dangling").symlink_to("nowhere")
        self.assert_told_once(watched)

    def test_large_folder(self) -> None:
        """No more of it than can be looked at in passing."""
        for i in range(MAX_ENTRIES + 10):
            (self.folder / f"{i}").touch()
        watched = Watched(str(self.folder))
        self.assertEqual([watched.look() for _ in range(2)], [False] * 2)
