"""Hundreds of documents through SealBatch of the real process: flat memory, a row for each, no refusal harms another."""

from __future__ import annotations

from tests.integration.seal.batch_room import (
    OWN,
    Watched,
    grant_notices,
    recorded,
    seal_id_of_department,
    send_batch,
)
from tests.integration.seal.process_room import Stack, prepared, serving, signer, stack
from tests.unit.seal.sealing_room import ofd_files, pack
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc

__all__ = ["prepared", "serving", "signer", "stack"]

ITEMS, SETTLED = 400, 100
MOST_GROWN_MIB = 12.0
"""Between the hundredth item and the last; the documents that came by then weigh seven times that, and as much again as answers."""


def documents():
    """Each another; every fiftieth is none. Large enough that keeping them would show."""
    padding = bytes(range(256)) * 1_200
    for number in range(ITEMS):
        item_id = f"item-{number}"
        if number % 50 == 7:
            yield item_id, b"no OFD"
        else:
            files = ofd_files() | {"Doc_0/Res/extra.bin": number.to_bytes(4, "big") + padding}
            yield item_id, pack(files)


async def test_a_batch_of_hundreds_keeps_memory_flat_and_every_signature_has_its_row(serving: Stack):
    seal = Watched(int((serving.home / "ready").read_text()))
    channel = serving.channel(OWN)
    seal_id = await seal_id_of_department(channel)
    await grant_notices(serving, seal_id)
    outcome = await send_batch(channel, seal_id, documents(), seal, (SETTLED, ITEMS))
    assert outcome.wrong == []
    none = {f"item-{number}" for number in range(7, ITEMS, 50)}
    assert set(outcome.refused) == none
    assert outcome.sealed == len(outcome.signature_ids) == ITEMS - len(none)
    found = await recorded(serving.database_dsn)
    assert found.outcomes == {"sealed": outcome.sealed, "OFD_REFUSED": len(none)}
    assert found.signature_ids == outcome.signature_ids
    assert found.documents == outcome.sealed
    assert outcome.resident_mib[ITEMS] - outcome.resident_mib[SETTLED] < MOST_GROWN_MIB
    stub = seal_pb2_grpc.VerificationServiceStub(channel.channel)
    report = await channel.call(stub.VerifyDocument, seal_pb2.VerifyDocumentRequest(document=outcome.last))
    assert report.verdict == "VALID"
    await channel.close()
    done = serving.job("verify-ledger")
    assert done.returncode == 0, done.stdout + done.stderr
