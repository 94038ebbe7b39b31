"""Make the key pairs of authorities that are due a seal: the signing side's part of making one.

The private half never leaves the signing side's keystore; the maker sees the public half and the proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.errors import Kind, declare
from chassis.event import new_event_id
from services.seal.domain.register import due
from services.seal.domain.suite import Suite
from services.seal.usecases.ports import Authority, KeyRequest, Keystore, UnitOfWork

SEAL_KEY_UNPROVED = declare(
    "SEAL_KEY_UNPROVED",
    Kind.FAILED_PRECONDITION,
    "{owner_code} 的密钥申请未通过持有证明",
    "The key request of {owner_code} does not prove possession of the key",
)


async def request_keys(
    unit: UnitOfWork, suite: Suite, keystore: Keystore, authorities: Iterable[Authority], now: datetime
) -> list[KeyRequest]:
    """Have a key ready for every authority that is due a seal; return the new ones. Again changes nothing."""
    made = []
    async with unit() as work:
        await work.lock_making()
        for authority in authorities:
            if not due(await work.seals.of_owner(authority.code)):
                continue
            if await work.keys.open_request(authority.code) is None:
                request, wrapped = _new_key(suite, keystore, authority.code)
                await work.keys.add(request, wrapped, now)
                made.append(request)
    return made


def check_possession(suite: Suite, request: KeyRequest) -> None:
    """Refuse a request whose sender does not hold the private key. Raises SEAL_KEY_UNPROVED."""
    said = _statement(request.key_id, request.owner_code, request.public_key)
    if not suite.accepts_key(request.public_key) or not suite.verify(request.public_key, request.proof, said):
        raise SEAL_KEY_UNPROVED(owner_code=request.owner_code)


def _new_key(suite: Suite, keystore: Keystore, owner_code: str) -> tuple[KeyRequest, bytes]:
    private_key = suite.generate_key()
    key, key_id = suite.open_key(private_key), str(new_event_id())
    proof = key.sign(_statement(key_id, owner_code, key.public_key))
    return KeyRequest(key_id, owner_code, key.public_key, proof), keystore.wrap(key_id, private_key)


def _statement(key_id: str, owner_code: str, public_key: bytes) -> bytes:
    return f"tongban seal key request 1|{key_id}|{owner_code}|".encode() + public_key
