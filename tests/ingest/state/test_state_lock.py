"""Tests of :mod:`certstream_tx.ingest.state.state_lock`; what a running server makes of it is in
``test_positions``."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.state.state_lock import StateFileError, StateLock


class StateLockTests(SynchronousTestCase):
    """One holder at a time."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = str(self.folder / "state.json")
        self.lock = StateLock(self.path)
        self.addCleanup(self.lock.release)

    def test_one_holder(self) -> None:
        """A second one is refused, told who has it, and gets it when it was given back."""
        self.assertFalse(self.lock.held)
        self.lock.take()
        self.assertTrue(self.lock.held)
        other = StateLock(self.path)
        self.addCleanup(other.release)
        error = self.assertRaises(StateFileError, other.take)
        self.assertIn(f"in use by another process (process {os.getpid()})", str(error))
        self.assertFalse(other.held)
        self.lock.release()
        self.assertFalse(self.lock.held)
        other.take()

    def test_folder_that_is_not_there(self) -> None:
        """Named, with the way out."""
        lost = StateLock(str(self.folder / "nowhere" / "state.json"))
        error = self.assertRaises(StateFileError, lost.take)
        self.assertIn("nowhere does not exist; create it", str(error))

    def test_giving_back_what_one_has_not(self) -> None:
        """Does nothing."""
        self.lock.release()
        self.lock.take()
        self.lock.release()
        self.lock.release()
