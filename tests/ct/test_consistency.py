"""The judge of consistency proofs, against real vectors and the recursive definition."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.merkle import MAX_SIZE, MerkleError
from tests.ct.consistency import verify_consistency
from tests.ct.samples import (
    PROPERTY,
    decoded,
    decoded_path,
    fixture_json,
    hashes,
    leaves_of,
    naive_consistency,
    naive_root,
)


class ConsistencyTests(SynchronousTestCase):
    """Consistency proofs between all small trees."""

    def test_vectors(self) -> None:
        """Every vector of transparency-dev gets the verdict it must get, good and bad."""
        verdicts = set()
        for name, vector in fixture_json("merkle/consistency.json").items():
            verdicts.add(vector["wantErr"])
            proof = (
                vector["size1"],
                vector["size2"],
                decoded_path(vector),
                decoded(vector, "root1"),
                decoded(vector, "root2"),
            )
            with self.subTest(name):
                if vector["wantErr"]:
                    self.assertRaises(MerkleError, verify_consistency, *proof)
                else:
                    verify_consistency(*proof)
        self.assertEqual(verdicts, {True, False})

    def test_largest_size(self) -> None:
        """Sizes up to 64 bits are sizes."""
        (root,) = leaves_of(1)
        verify_consistency(MAX_SIZE, MAX_SIZE, [], root, root)

    def test_every_pair(self) -> None:
        """The right proof is accepted for all sizes up to 33, and for no other roots."""
        leaves = leaves_of(33)
        for second in range(1, 34):
            root2 = naive_root(leaves[:second])
            for first in range(1, second + 1):
                root1 = naive_root(leaves[:first])
                path = naive_consistency(first, leaves[:second])
                verify_consistency(first, second, path, root1, root2)
                wrong = bytes(32)
                self.assertRaises(
                    MerkleError, verify_consistency, first, second, path, wrong, root2
                )
                self.assertRaises(
                    MerkleError, verify_consistency, first, second, path, root1, wrong
                )
                self.assertRaises(
                    MerkleError, verify_consistency, first, second, [*path, wrong], root1, root2
                )
                if path:
                    self.assertRaises(
                        MerkleError, verify_consistency, first, second, path[:-1], root1, root2
                    )

    @PROPERTY
    @given(
        st.integers(-2, 2**66),
        st.integers(-2, 2**66),
        st.lists(st.one_of(hashes(), st.binary(max_size=40)), max_size=70),
        st.binary(max_size=40),
        st.binary(max_size=40),
    )
    def test_any_proof(
        self, first: int, second: int, path: list[bytes], root1: bytes, root2: bytes
    ) -> None:
        """No input raises anything but MerkleError, and none but equal heads is accepted."""
        try:
            verify_consistency(first, second, path, root1, root2)
        except MerkleError:
            return
        self.assertEqual((first, root1, path), (second, root2, []))
