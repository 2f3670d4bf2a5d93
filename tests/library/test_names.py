"""Tests of the names that ``certstream_tx`` gives."""

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import certstream_tx


def loaded_by(code: str) -> set[str]:
    """The top names of what a fresh interpreter has loaded after this."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


class NamesTests(SynchronousTestCase):
    """Each name is there, and only what is asked for is loaded."""

    def test_every_name(self) -> None:
        """Those that are promised are there, documented, and told by ``dir``."""
        for name in certstream_tx.__all__:
            value = getattr(certstream_tx, name)
            self.assertTrue(value.__doc__, name)
            self.assertIn(name, dir(certstream_tx))

    def test_homes_and_promises_agree(self) -> None:
        """What can be loaded is what is promised."""
        homes = {name for names in certstream_tx._HOMES.values() for name in names}
        self.assertEqual(homes | {"__version__"}, set(certstream_tx.__all__))

    def test_unknown_name(self) -> None:
        """As of any module."""
        with self.assertRaises(AttributeError) as raised:
            certstream_tx.nothing  # noqa: B018
        self.assertIn("nothing", str(raised.exception))

    def test_the_package_alone(self) -> None:
        """Loads nothing but itself: commands and version checks start fast."""
        loaded = loaded_by("import certstream_tx")
        self.assertEqual(loaded & {"twisted", "msgspec", "cryptography", "yaml"}, set())

    def test_parsing_needs_no_reactor(self) -> None:
        """Who only reads certificates and entries does not load Twisted."""
        names = "message_of, read_certificate, read_entry, read_log_list, Log, Source"
        self.assertNotIn("twisted", loaded_by(f"from certstream_tx import {names}"))
