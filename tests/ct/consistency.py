"""Consistency proofs, verified as RFC 9162 2.1.4.2 has it: the judge of those that logs make."""

from collections.abc import Sequence

from certstream_tx.ct.merkle import HASH_SIZE, MAX_SIZE, MerkleError, node_hash


def verify_consistency(
    first: int, second: int, path: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check that the tree of ``second`` leaves is an extension of the tree of ``first``.

    Raises MerkleError when that is not proven (RFC 9162 2.1.4.2). Trees without leaves are refused:
    they are consistent with every tree and so prove nothing.
    """
    if not 0 < first <= second <= MAX_SIZE:
        raise MerkleError(f"no proof leads from {first} to {second} leaves")
    if first == second:
        if path or root1 != root2:
            raise MerkleError(f"two trees of {first} leaves differ")
        return
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    steps = iter(path)
    # The proof leaves out the first node where it is the old root itself.
    seed = root1 if first & (first - 1) == 0 else next(steps, b"")
    _check_hash(seed)
    old = new = seed
    for node in steps:
        _check_hash(node)
        if sn == 0:
            raise MerkleError("a consistency proof is too long")
        if fn & 1 or fn == sn:
            old = node_hash(node, old)
            new = node_hash(node, new)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            new = node_hash(new, node)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise MerkleError("a consistency proof is too short")
    if old != root1 or new != root2:
        raise MerkleError(f"the tree of {second} leaves does not extend that of {first}")


def _check_hash(value: bytes) -> None:
    if len(value) != HASH_SIZE:
        raise MerkleError(f"a hash has {HASH_SIZE} bytes, not {len(value)}")
