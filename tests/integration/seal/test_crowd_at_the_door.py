"""A hundred callers at the real serving process, over mutual TLS, while keys rotate and the signer is killed (SIGKILL).

Every signature that came back is judged by another implementation, and each has exactly one row of the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from chassis.clock import system_clock
from chassis.db import Database
from chassis.rpc.channel import PeerChannel
from chassis.rpc.peer import Peer
from cli.keeping import key_files
from services.seal.app.rewrapping import count_keystore, rewrap_keystore
from services.seal.clients import RemoteSigner
from tests.integration.seal.crowd_room import (
    CALLERS,
    KILLS,
    Tally,
    judged_by_others,
    keep_killing,
    until_done,
)
from tests.integration.seal.process_room import DEPARTMENT, Stack, prepared, serving, signer, stack
from tests.integration.seal.signer_room import SignerProcess
from tests.unit.seal.sealing_room import ofd_files, pack, suites
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc, use_pb2

__all__ = ["prepared", "serving", "signer", "stack"]
pytestmark = [pytest.mark.timeout(600)]
TURNS = 3
DOWN_SECONDS = 1.5  # longer than a caller's own channel tries again, so that the callers learn of it
KNOWN = {
    "SIGNER_UNAVAILABLE",
    "KEY_REWRAPPED",
    "PEER_UNAVAILABLE",
}  # the last: no connection of the pool was free


async def granted(serving: Stack, department: PeerChannel) -> str:
    """Return the seal that the department may use for notices from now on."""
    (seal,) = (
        await department.call(
            seal_pb2_grpc.SealServiceStub(department.channel).ListSeals, pb.ListSealsRequest()
        )
    ).seals
    operator = serving.channel(Peer("operator", "ops-1"))
    request = use_pb2.GrantSealUseRequest(
        request_id=str(uuid.uuid4()), seal_id=seal.seal_id, grantee_kind=use_pb2.GRANTEE_KIND_DEPARTMENT,
        grantee=DEPARTMENT, document_type=use_pb2.DOCUMENT_TYPE_NOTICE, service_item="item-1", operator="张三",
        second_person="李四", reason="年度授权",
    )  # fmt: skip
    await operator.call(seal_pb2_grpc.SignatureServiceStub(operator.channel).GrantSealUse, request)
    await operator.close()
    return str(seal.seal_id)


async def sealed(department: PeerChannel, seal_id: str, request_id: str, document: bytes) -> bytes:
    """Have one document sealed over the wire."""
    place = use_pb2.Placement(at=use_pb2.Placement.At(page=1, x_mm=130, y_mm=220))
    task = use_pb2.SealTask(
        seal_id=seal_id, document_type=use_pb2.DOCUMENT_TYPE_NOTICE, service_item="item-1", case_id="case-1",
        placements=[place],
    )  # fmt: skip

    async def requests() -> AsyncIterator[use_pb2.SealDocumentRequest]:
        yield use_pb2.SealDocumentRequest(request_id=request_id, task=task)
        yield use_pb2.SealDocumentRequest(chunk=document)

    stub = seal_pb2_grpc.SignatureServiceStub(department.channel)
    answers = [each async for each in department.exchange(stub.SealDocument, requests(), timeout_seconds=60)]
    return b"".join(each.chunk for each in answers if each.WhichOneof("part") == "chunk")


async def rotate_until(over: asyncio.Event, serving: Stack, running: SignerProcess) -> int:
    """Rotate the secret of the keystore and encrypt every private key anew, again and again; return how often."""
    database = await Database.open(serving.database_dsn, now=system_clock, write_events=None, max_size=1)
    count = 0
    with contextlib.closing(RemoteSigner(running.socket, suites())) as signer:
        while not over.is_set():
            key_files.rotate_secret(running.secret)

            async def again() -> None:
                await rewrap_keystore(database, signer)
                assert (await count_keystore(database, signer))[1] == 0

            await until_done(again, Tally())
            key_files.retire_secrets(running.secret)
            count += 1
    await database.close()
    return count


@pytest.mark.promise("P10")
async def test_a_hundred_callers_of_the_service_while_keys_rotate_and_the_signer_is_killed(
    serving: Stack, signer: SignerProcess
) -> None:
    channels = [serving.channel(Peer("department", DEPARTMENT)) for _ in range(4)]
    seal_id = await granted(serving, channels[0])
    document = pack(ofd_files())
    total, tally, over = CALLERS * TURNS, Tally(), asyncio.Event()
    returned: dict[str, bytes] = {}

    async def call(number: int) -> None:
        for _ in range(TURNS):
            request_id = str(uuid.uuid4())

            async def once(request_id: str = request_id) -> None:
                returned[request_id] = await sealed(
                    channels[number % len(channels)], seal_id, request_id, document
                )

            await until_done(once, tally)

    rotating = asyncio.create_task(rotate_until(over, serving, signer))
    killing = asyncio.create_task(keep_killing(signer, tally, total, down_seconds=DOWN_SECONDS))
    await asyncio.gather(*(call(number) for number in range(CALLERS)))
    assert await killing == KILLS
    over.set()
    assert await rotating > 1
    assert len(returned) == tally.done == total
    assert set(tally.refused) <= KNOWN
    assert tally.refused["SIGNER_UNAVAILABLE"] > 0

    signatures = {request_id: judged_by_others(each) for request_id, each in returned.items()}
    connection = await asyncpg.connect(serving.database_dsn)
    rows = await connection.fetch(
        "select outcome, signature_sm3, unsealed_sha256, request_id from seal_use join seal_use_detail using (sequence)"
    )
    assert {(row["outcome"], row["unsealed_sha256"]) for row in rows} == {
        ("sealed", hashlib.sha256(document).hexdigest())
    }
    assert sorted((row["request_id"], row["signature_sm3"]) for row in rows) == sorted(signatures.items())
    assert len(set(signatures.values())) == total
    for request_id in list(returned)[::50]:
        again = await sealed(channels[0], seal_id, request_id, document)
        assert again == returned[request_id], "a repetition gives the same signature"
    assert await connection.fetchval("select count(*) from seal_use") == total
    checked = serving.job("verify-ledger")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    verification = seal_pb2_grpc.VerificationServiceStub(channels[0].channel)
    for each in list(returned.values())[::50]:
        report = await channels[0].call(verification.VerifyDocument, pb.VerifyDocumentRequest(document=each))
        assert report.verdict == "VALID"
    await asyncio.gather(connection.close(), *(each.close() for each in channels))
