"""Proofs leave the registry with a licence: in the offline QR code and beside its document; judged without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.errors import Fault
from chassis.tlog.held import HeldLog, read_held
from chassis.tlog.note import COSIGNATURE, ED25519, Signer, Verifier
from services.certs.app.evidence import TravellingProofs
from services.certs.app.offline import check_licence_proof, check_qr
from services.certs.rpc.licences import LicenceServicer
from services.certs.rpc.log import LogDesk, TransparencyServicer
from services.certs.rpc.presentations import PresentationServicer
from services.certs.store.log import BookStore
from services.certs.usecases.log import sequence
from tests.integration.certs.conftest import FIRE, MARKET, World, world
from tests.integration.certs.evidence_room import offline
from tests.integration.certs.test_evidence import document
from tests.integration.certs.test_presentations import in_force
from tests.integration.certs.test_use_codes import set_status
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import transparency_pb2

__all__ = ["world"]
LOG = Signer("tongban.test/certs", ED25519, Ed25519PrivateKey.from_private_bytes(b"l" * 32))
WITNESS = Signer("witness.test", COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"w" * 32))
KEYS = (LOG.verifier, WITNESS.verifier)


@pytest.fixture
def logging(world: World) -> World:
    desk = replace(world.desk, log_proofs=TravellingProofs)
    return replace(world, desk=desk, licences=LicenceServicer(desk), presentations=PresentationServicer(desk))


async def take(world: World, *, witnessed: bool = False) -> None:
    async with world.database.transaction() as tx:
        book = BookStore(tx)
        await sequence(book, LOG, tx.now())
        newest = await book.newest()
        assert newest is not None
        if witnessed:
            line = WITNESS.line(newest.note.partition("\n\n")[0] + "\n").rstrip("\n")
            await book.cosign(newest.size, WITNESS.name, line, tx.now())


async def judged(world: World, licence_id: str, holder: str, held: HeldLog):
    shown = await offline(world, licence_id, holder)
    keys = (await world.presentations.GetPresentationKeys(None, None)).jwks_json
    return check_qr(shown.qr_text, keys, world.clock(), held)[1]


async def held_now(world: World) -> HeldLog:
    """Return what a place takes along from the registry while there is a network."""
    servicer = TransparencyServicer(world.desk, LogDesk(BookStore, LOG.verifier))
    told = await servicer.GetCheckpoint(transparency_pb2.GetCheckpointRequest(), None)
    keys = (Verifier.parse(told.verifier_key), WITNESS.verifier)
    return read_held(HeldLog(keys, told.note, tuple(told.subtrees)).text)


async def test_the_offline_code_proves_the_newest_state_once_the_log_took_it(logging: World):
    holder = logging.citizen()
    licence_id = await in_force(logging, holder)
    assert (await judged(logging, licence_id, holder, HeldLog(KEYS))).standing == "not_taken_yet"
    await take(logging)
    found = await judged(logging, licence_id, holder, HeldLog(KEYS))
    assert (found.standing, dict(found.witnessed_at)) == ("verified", {})
    await take(logging, witnessed=True)
    held = await held_now(logging)
    for _ in range(9):
        await logging.stock_licence(logging.citizen())
        await take(logging)
    found = await judged(logging, licence_id, holder, held)  # the newest cosigned one, for the witness's sake
    assert (found.standing, list(found.witnessed_at), found.compared_with) == (
        "verified",
        [WITNESS.name],
        found.size,
    )
    await take(logging, witnessed=True)
    found = await judged(logging, licence_id, holder, held)
    assert found.size is not None
    assert found.compared_with is not None
    assert found.compared_with < found.size


async def test_a_state_that_waits_for_the_log_is_not_proved_by_the_one_before(logging: World):
    holder = logging.citizen()
    licence_id = await in_force(logging, holder)
    await take(logging)
    await set_status(logging, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    await set_status(logging, licence_id, pb.LICENCE_STATUS_VALID)
    assert (await judged(logging, licence_id, holder, HeldLog(KEYS))).standing == "not_taken_yet"
    await take(logging)
    assert (await judged(logging, licence_id, holder, HeldLog(KEYS))).standing == "verified"


async def test_a_place_that_holds_another_view_of_the_log_refuses_the_code(logging: World):
    holder = logging.citizen()
    licence_id = await in_force(logging, holder)
    await take(logging)
    held = await held_now(logging)
    await take(logging)
    async with logging.database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica")
        tile = await tx.fetchval("select hashes from log_tile where level = 0 and tile_index = 0")
        await tx.execute(
            "update log_tile set hashes = $1 where level = 0 and tile_index = 0", b"x" * 32 + tile[32:]
        )
    await logging.stock_licence(logging.citizen())
    await take(logging)  # the log's key signs the rewritten tree
    with pytest.raises(Fault, match="LOG_CONTRADICTED"):
        await judged(logging, licence_id, holder, held)


async def test_the_proof_goes_with_the_sealed_document_and_names_it(logging: World):
    licence_id = await in_force(logging, logging.citizen())
    assert (await document(logging, licence_id, MARKET)).log_proof == ""
    await take(logging, witnessed=True)
    own = await document(logging, licence_id, MARKET)
    found, signed, note = check_licence_proof(own.log_proof, own.ofd, HeldLog(KEYS))
    assert (found.said["licence_id"], found.said["facts"]["status"]) == (licence_id, "valid")
    assert note.cosigned_at(WITNESS.verifier) is not None
    assert signed.size > found.proof.index
    with pytest.raises(Fault, match="DOCUMENT_OF_ANOTHER"):
        check_licence_proof(own.log_proof, own.ofd + b"x", HeldLog(KEYS))


async def test_with_a_copy_goes_the_proof_of_the_state_and_nothing_that_names_the_original(logging: World):
    licence_id = await in_force(logging, logging.citizen())
    await take(logging)
    other = await document(logging, licence_id, FIRE)
    assert other.is_annotated_copy
    found, _, _ = check_licence_proof(other.log_proof, None, HeldLog(KEYS))
    assert found.said["licence_id"] == licence_id
    assert found.document_salt == b""
    with pytest.raises(Fault, match="DOCUMENT_NOT_NAMED"):
        check_licence_proof(other.log_proof, other.ofd, HeldLog(KEYS))
