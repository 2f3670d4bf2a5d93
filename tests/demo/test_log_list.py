"""The list of the demonstration logs, as a follower of lists reads it."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import LogListError, read_log_list, verify_log_list
from certstream_tx.demo.answers import Folder
from certstream_tx.demo.log_list import SignedLogList, listed
from tests.demo.http import NOW, ask, demo_log


class LogListTests(SynchronousTestCase):
    """One list of two logs."""

    def setUp(self) -> None:
        self.logs = (
            listed(demo_log("rfc6962", 0), "http://127.0.0.1:1/rfc6962"),
            listed(demo_log("tiled", 0), "http://127.0.0.1:1/static"),
        )

    def test_read_back(self) -> None:
        """The list holds both logs, whole, and nothing that could not be read."""
        found = read_log_list(SignedLogList(self.logs, NOW).body, allow_http=True)
        self.assertEqual(found.logs, self.logs)
        self.assertEqual(found.problems, ())
        self.assertEqual(found.timestamp, NOW)

    def test_names(self) -> None:
        """Names and operator say that these are no real logs."""
        for log in self.logs:
            self.assertIn("demonstration", log.name)
            self.assertIn("demonstration", log.operator or "")
        self.assertEqual(len({log.name for log in self.logs}), 2)

    def test_served_with_its_signature(self) -> None:
        """List, signature and key are served beside each other and belong together."""
        root = Folder()
        SignedLogList(self.logs, NOW).add_to(root)
        body = ask(self, root, "log_list.json").body
        signature = ask(self, root, "log_list.sig").body
        key = ask(self, root, "log_list_pubkey.pem").body
        verify_log_list(body, signature, key)
        self.assertRaises(LogListError, verify_log_list, body + b" ", signature, key)
        self.assertEqual(ask(self, root, "log_list.sig").body, signature)
        self.assertEqual(ask(self, root, "log_list.json/x").status, 404)
