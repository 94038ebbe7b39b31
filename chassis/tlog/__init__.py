"""Transparency logs: the Merkle tree of RFC 9162 and the texts of C2SP (signed note, checkpoint, witness)."""
