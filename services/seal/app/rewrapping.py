"""Rotation of the signing side's keystore secret: what is wrapped under which, and wrapping anew."""

from __future__ import annotations

from chassis.db import Database
from services.seal.keystore import SoftwareKeystore
from services.seal.store.keys import KeyTable

BATCH_KEYS = 50


async def count_keystore(database: Database, secret: str) -> tuple[int, int]:
    """Return how many private keys the first secret opens, and how many it does not.

    Raises KEYSTORE_SECRET_SHORT, PEER_UNAVAILABLE.
    """
    newest, older, _ = await _walk(database, SoftwareKeystore(secret, purpose="seal"), change=False)
    return newest, older


async def rewrap_keystore(database: Database, secret: str) -> int:
    """Have every private key under the first secret; return how many were wrapped anew.

    Raises KEYSTORE_UNREADABLE for a key that no secret opens, KEYSTORE_SECRET_SHORT, PEER_UNAVAILABLE.
    """
    return (await _walk(database, SoftwareKeystore(secret, purpose="seal"), change=True))[2]


async def _walk(database: Database, keystore: SoftwareKeystore, *, change: bool) -> tuple[int, int, int]:
    newest = older = changed = 0
    after = ""
    while True:
        async with database.transaction() as tx:
            keys = KeyTable(tx)
            page = await keys.wrapped(after, BATCH_KEYS)
            for key_id, wrapped in page:
                if keystore.is_newest(key_id, wrapped):
                    newest += 1
                    continue
                older += 1
                if change:
                    await keys.rewrap(
                        key_id, wrapped, keystore.wrap(key_id, keystore.unwrap(key_id, wrapped))
                    )
                    changed += 1
        if len(page) < BATCH_KEYS:
            return newest, older, changed
        after = page[-1][0]
