"""The messages that are shown until there is a real one."""

import json

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import read_entry
from certstream_tx.message.documents import Message
from certstream_tx.message.examples import EXAMPLES
from tests.ct.samples import page_entries
from tests.message.test_documents import SOURCE


class ExampleTests(SynchronousTestCase):
    """One for each stream."""

    def test_examples(self) -> None:
        """An example for each stream has what real messages have."""
        self.assertEqual(EXAMPLES.keys(), {"full", "lite", "domains-only"})
        full, lite = json.loads(EXAMPLES["full"]), json.loads(EXAMPLES["lite"])
        real = json.loads(Message(read_entry(*page_entries()[0]), SOURCE, 1.0).full())
        self.assertEqual(full["data"].keys(), real["data"].keys())
        self.assertEqual(full["data"]["leaf_cert"].keys(), real["data"]["leaf_cert"].keys())
        self.assertEqual(full["data"].keys() - lite["data"].keys(), {"chain"})
        self.assertEqual(len(full["data"]["chain"]), 1)
        self.assertEqual(
            json.loads(EXAMPLES["domains-only"]),
            {"message_type": "dns_entries", "data": ["www.example.com", "example.com"]},
        )
