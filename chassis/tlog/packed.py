"""Many hashes side by side in one piece of memory: 32 bytes each, where a list of them takes four times that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from chassis.tlog.tree import HASH_BYTES

_NO_HASH = bytes(HASH_BYTES)


class Hashes(Sequence[bytes]):
    """A sequence of hashes that grows at its end; its slices are views of it, after which it grows no more."""

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        self._content: bytearray | memoryview = bytearray()
        for each in hashes:
            self.append(each)

    def append(self, hashed: bytes) -> None:
        """Add a hash. One of another length is kept as zeroes: no leaf and no node is known to hash to them.

        Raises BufferError once there is a slice.
        """
        if isinstance(self._content, memoryview):
            raise BufferError  # noqa: TRY004 - what its bytearray raises
        self._content += hashed if len(hashed) == HASH_BYTES else _NO_HASH

    def __len__(self) -> int:
        return len(self._content) // HASH_BYTES

    def __iter__(self) -> Iterator[bytes]:
        content = self._content
        return (bytes(content[at : at + HASH_BYTES]) for at in range(0, len(content), HASH_BYTES))

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Hashes: ...
    def __getitem__(self, at: int | slice) -> bytes | Hashes:
        """Return one hash, or those of a slice without a step."""
        if isinstance(at, slice):
            first, end, step = at.indices(len(self))
            if step != 1:
                message = "slices of hashes have no step"
                raise ValueError(message)
            found = Hashes()
            found._content = memoryview(self._content)[first * HASH_BYTES : end * HASH_BYTES]
            return found
        place = range(len(self))[at] * HASH_BYTES
        return bytes(self._content[place : place + HASH_BYTES])
