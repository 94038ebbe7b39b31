"""The partition of a key: the Kafka clients' hash, reading words where theirs, in Python, reads single bytes."""

from __future__ import annotations

import struct
from functools import lru_cache

_SEED, _MIX, _WORD = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


@lru_cache(maxsize=65_536)
def hash_key(key: bytes) -> int:
    """Return the positive murmur2 of a key, as the Kafka clients compute it."""
    whole = len(key) & ~3
    found = _SEED ^ len(key)
    for word in struct.unpack_from(f"<{whole >> 2}I", key):
        mixed = word * _MIX & _WORD
        found = (found * _MIX ^ (mixed ^ mixed >> 24) * _MIX) & _WORD
    if whole < len(key):
        found = (found ^ int.from_bytes(key[whole:], "little")) * _MIX & _WORD
    found = (found ^ found >> 13) * _MIX & _WORD
    return (found ^ found >> 15) & 0x7FFFFFFF
