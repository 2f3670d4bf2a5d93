"""docs/security.md: every claim names tests, and they exist."""

from twisted.trial.unittest import SynchronousTestCase

from tests.named_tests import TESTS, methods_by_class, rows, tests_named

PAGE = TESTS.parent / "docs" / "security.md"


class SecurityPageTests(SynchronousTestCase):
    """The threat model."""

    def test_every_claim_has_a_test(self) -> None:
        """Each name is a file, a class or a method that there is."""
        known = methods_by_class()
        found = rows(PAGE, "| claim | test |")
        self.assertGreater(len(found), 30)
        for claim, cell in found:
            names = tests_named(cell)
            self.assertTrue(names, claim)
            last = ""
            for name in names:
                if name.endswith(".py"):
                    self.assertTrue(
                        (TESTS / name).is_file() or (TESTS / "serve/access" / name).is_file(), name
                    )
                    continue
                cls, _, method = name.partition(".")
                last = cls or last
                self.assertIn(last, known, claim)
                if method:
                    self.assertIn(method, known[last], claim)
