"""A plain reader over a part, for what wants a file object: tar."""

from __future__ import annotations

from collections.abc import Callable


class PartReader:
    """Has ``read(size)`` as a stream has it."""

    def __init__(self, following: Callable[[], bytes]) -> None:
        self._following, self._rest = following, b""

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all of the rest for a negative one; fewer only at the end."""
        pieces, held = [self._rest], len(self._rest)
        while size < 0 or held < size:
            more = self._following()
            if not more:
                break
            pieces.append(more)
            held += len(more)
        whole = b"".join(pieces)
        taken = whole if size < 0 else whole[:size]
        self._rest = whole[len(taken) :]
        return taken
