"""The registry and the seal service beside each other, each on a database of its own."""

from __future__ import annotations

from tests.integration.certs.conftest import world
from tests.integration.seal.conftest import world as seal_world

__all__ = ["seal_world", "world"]
