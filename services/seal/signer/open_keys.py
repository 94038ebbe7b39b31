"""Keys that were opened a moment ago: opening one costs as much as signing with it."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from services.seal.domain.suite import SigningKey

KEPT_SECONDS = 10.0
MOST_KEPT = 64


class OpenKeys:
    """Keeps opened keys for some seconds after their last use; ``sweep`` lets go of the others.

    What is let go is wiped by the library that holds it. Under another id or another encryption it is another key.
    """

    def __init__(
        self, *, kept_seconds: float = KEPT_SECONDS, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept_seconds, self._now = kept_seconds, now
        self._keys: OrderedDict[bytes, tuple[SigningKey, float]] = OrderedDict()
        self._lock = Lock()

    def take(
        self, suite: str, key_id: str, wrapped_key: bytes, open_key: Callable[[], SigningKey]
    ) -> SigningKey:
        """Return the key, opened now unless it is open; whatever opening raises is raised."""
        name = hashlib.sha256(f"{suite}|{key_id}|".encode() + wrapped_key).digest()
        with self._lock:
            found = self._keys.get(name)
        key = found[0] if found else open_key()
        if self._kept_seconds:
            with self._lock:
                self._keys[name] = (key, self._now() + self._kept_seconds)
                self._keys.move_to_end(name)
                if len(self._keys) > MOST_KEPT:
                    self._keys.popitem(last=False)
        return key

    def sweep(self) -> None:
        """Let go of every key whose time is over."""
        now = self._now()
        with self._lock:
            for name in [name for name, (_, until) in self._keys.items() if until <= now]:
                del self._keys[name]

    def clear(self) -> None:
        """Let go of all keys."""
        with self._lock:
            self._keys.clear()

    def __len__(self) -> int:
        """Return how many keys are open."""
        return len(self._keys)
