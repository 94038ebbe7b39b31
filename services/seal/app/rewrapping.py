"""Rotation of what encrypts the private keys: what is under which, and encrypting anew, through the signer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chassis.db import Database
from services.seal.clients import RemoteSigner
from services.seal.domain.suite import Suites
from services.seal.store.keys import KeyTable
from services.seal.usecases.ports import Rewrapping

BATCH_KEYS = 50


def open_rewrapping(signer_socket: Path) -> Rewrapping:
    """Return the signer that listens there."""
    return RemoteSigner(signer_socket, Suites([]))


async def count_keystore(database: Database, signer: Rewrapping) -> tuple[int, int]:
    """Return how many private keys are under the newest secret, and how many under an older one.

    Raises KEYSTORE_UNREADABLE for a key that nothing opens, SIGNER_UNAVAILABLE, PEER_UNAVAILABLE.
    """
    newest, older, _ = await _walk(database, signer, change=False)
    return newest, older


async def rewrap_keystore(database: Database, signer: Rewrapping) -> int:
    """Have every private key under the newest secret; return how many were encrypted anew.

    Raises KEYSTORE_UNREADABLE for a key that nothing opens, SIGNER_UNAVAILABLE, PEER_UNAVAILABLE.
    """
    return (await _walk(database, signer, change=True))[2]


async def _walk(database: Database, signer: Rewrapping, *, change: bool) -> tuple[int, int, int]:
    newest = older = changed = 0
    after = ""
    while True:
        async with database.transaction() as tx:
            page = await KeyTable(tx).wrapped(after, BATCH_KEYS)
        for key_id, wrapped in page:
            again = await asyncio.to_thread(signer.rewrap, key_id, wrapped)
            if again == wrapped:
                newest += 1
                continue
            older += 1
            if change:
                async with database.transaction() as tx:
                    await KeyTable(tx).rewrap(key_id, wrapped, again)
                changed += 1
        if len(page) < BATCH_KEYS:
            return newest, older, changed
        after = page[-1][0]
