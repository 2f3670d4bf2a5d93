"""The word that somebody probably meant."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.nearest import SURE, nearest


class NearestTests(SynchronousTestCase):
    """Among a few words."""

    def test_nearest(self) -> None:
        """The one most alike, if it is alike enough."""
        known = ["buffer_size", "batch_size", "port"]
        self.assertEqual(nearest("bufer_size", known), "buffer_size")
        self.assertEqual(nearest("batch_sizes", known), "batch_size")
        self.assertEqual(nearest("batch", known), "batch_size")
        self.assertIsNone(nearest("batch", known, SURE))
        self.assertIsNone(nearest("certificate", known))
