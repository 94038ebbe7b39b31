"""Every change and every use of a licence is a leaf of the log, proved to whoever may know of it (P9)."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.errors import Fault
from chassis.tlog.alignment import Damage
from chassis.tlog.audit import audit
from chassis.tlog.checkpoint import open_checkpoint
from chassis.tlog.note import ED25519, Signer
from chassis.tlog.tree import is_consistent, is_included, leaf_hash
from cli.transparency.reading import read_log, unproved_rows
from services.certs.app.transparency import sequencer
from services.certs.rpc.log import LogDesk, TransparencyServicer
from services.certs.store.log import BookStore
from tests.integration.certs.conftest import FIRE, MARKET, World, purpose
from tests.integration.certs.test_presentations import in_force, present, scan
from tests.integration.certs.test_reading import change
from tests.integration.certs.test_use_codes import consume, issued
from tongban.certs.v1 import licence_pb2
from tongban.certs.v1 import transparency_pb2 as pb

pytestmark = [pytest.mark.promise("P9")]
SIGNER = Signer("tongban.test/certs", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))
NAME = "丰小玉"
NEW_ID = '{"usage_id": "00000000-0000-0000-0000-000000000001"}'
ANOTHER_ROW = (
    f"insert into usage select (jsonb_populate_record(u, '{NEW_ID}')).* from usage u where kind = 'scan'"
)


class Log:
    """The log of a registry: sequenced by hand, asked as different peers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.door = TransparencyServicer(world.desk, LogDesk(BookStore, SIGNER.verifier))
        self._step = sequencer(world.database, SIGNER)

    async def sequence(self) -> None:
        while await self._step():
            pass

    async def leaves(self) -> list[dict[str, Any]]:
        await self.sequence()
        with self.world.as_operator():
            answer = await self.door.ListLeaves(pb.ListLeavesRequest(), None)
        assert all(leaf_hash(each.leaf) == each.hash_in_tree for each in answer.leaves)
        return [json.loads(each.leaf) for each in answer.leaves]

    async def proof(self, **asked: Any) -> pb.GetInclusionProofResponse:
        return await self.door.GetInclusionProof(pb.GetInclusionProofRequest(**asked), None)

    async def unproved(self, statement: str = "", *values: object) -> list[tuple[Damage, str]]:
        """Return what a verification of the database finds after a statement, which is then taken back."""
        await self.sequence()
        async with self.world.database.connection() as connection:
            walk = connection.transaction()
            await walk.start()
            try:
                await connection.execute("set local session_replication_role = replica")
                if statement:
                    await connection.execute(statement, *values)
                found: asyncpg.Connection[Any] = connection
                assert audit(await read_log(found), SIGNER.verifier).findings == []
                return [(each.damage, each.detail.split()[0]) for each in await unproved_rows(found)]
            finally:
                await walk.rollback()


@pytest.fixture
async def log(world: World) -> AsyncIterator[Log]:
    return Log(world)  # type: ignore[return-value]


async def used_in_every_way(world: World) -> tuple[str, str]:
    """Have a licence imported, made, found, consumed, refused, presented, scanned and revoked."""
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    code = await issued(world, licence_id, holder)
    await consume(world, code)
    with suppress(Fault):
        await consume(world, code)
    with suppress(Fault):
        await consume(world, "no such code", case_id=NAME)
    made = await in_force(world, holder)
    shown = await present(world, made, holder)
    await scan(world, shown.code)
    with world.as_department(FIRE):
        question = licence_pb2.FindLicencesRequest(
            holder_id_type_code="111", holder_id_number=holder, purpose=purpose()
        )
        await world.licences.FindLicences(question, None)
    with world.as_department():
        asked = licence_pb2.GetLicenceRequest(licence_id=licence_id, purpose=purpose())
        etag = (await world.licences.GetLicence(asked, None)).licence.etag
        await world.licences.ChangeLicenceStatus(change(licence_id, etag), None)
    return licence_id, holder


async def test_every_change_and_every_use_is_a_leaf_and_none_holds_personal_data(
    world: World, log: Log
) -> None:
    licence_id, holder = await used_in_every_way(world)
    leaves = await log.leaves()
    said = [(each["kind"], each["facts"].get("act") or each["facts"].get("use")) for each in leaves]
    for expected in (
        ("licence", "import"),
        ("licence", "make"),
        ("licence", "seal"),
        ("licence", "revoke"),
        ("use_code", "issue"),
        ("usage", "consume"),
        ("usage", "present"),
        ("usage", "scan"),
        ("usage", "find"),
        ("usage", "read"),
    ):
        assert expected in said, (expected, said)
    outcomes = {each["facts"]["outcome"] for each in leaves if each["kind"] == "usage"}
    assert {"allowed", "USE_CODE_SPENT", "USE_CODE_UNKNOWN"} <= outcomes, "refusals too"
    text = json.dumps(leaves, ensure_ascii=False)
    assert holder not in text
    assert NAME not in text
    assert all(sign.isascii() for sign in text)
    assert [
        e["facts"]["status"] for e in leaves if e["licence_id"] == licence_id and e["kind"] == "licence"
    ] == [
        "valid",
        "revoked",
    ]
    assert await log.unproved() == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "update usage set case_id = case_id, mac = sha256('x') where kind = 'consume'",
            (Damage.ROW_ALTERED, "usage"),
        ),
        ("delete from usage where kind = 'find'", (Damage.LEAF_WITHOUT_ROW, "usage")),
        (ANOTHER_ROW, (Damage.ROW_WITHOUT_LEAF, "usage")),
        ("update licence set status = 'valid' where status = 'revoked'", (Damage.ROW_ALTERED, "licence")),
        ("update licence_status_change set status = 'valid'", (Damage.ROW_ALTERED, "status")),
        ("delete from log_leaf where false", None),
    ],
)
async def test_a_row_that_the_log_does_not_bear_out_is_named(
    world: World, log: Log, statement: str, named: tuple[Damage, str] | None
) -> None:
    await used_in_every_way(world)
    found = await log.unproved(statement)
    assert (named in found) if named else found == []


async def test_proofs_hold_for_whoever_may_know_of_the_leaf_and_are_not_found_by_others(
    world: World, log: Log
) -> None:
    licence_id, _ = await used_in_every_way(world)
    leaves = await log.leaves()
    for as_peer in (world.as_department, world.as_intake, world.as_operator):
        with as_peer():
            found = await log.proof(newest_of_licence_id=licence_id)
        checkpoint, _ = open_checkpoint(found.checkpoint, SIGNER.verifier)
        assert json.loads(found.leaf)["facts"]["status"] == "revoked"
        hashed = leaf_hash(found.leaf)
        assert is_included(found.leaf_index, checkpoint.size, hashed, list(found.hashes), checkpoint.root)
        named = pb.LicenceLeaf(licence_id=licence_id, leaf_hash=hashed)
        with as_peer():
            assert (await log.proof(licence_leaf=named)).leaf_index == found.leaf_index
    with world.as_department(FIRE), pytest.raises(Fault, match="LEAF_NOT_FOUND"):
        await log.proof(newest_of_licence_id=licence_id)
    own = next(n for n, each in enumerate(leaves) if each["facts"].get("consumer") == FIRE)
    with world.as_department(FIRE):
        assert (await log.proof(leaf_index=own)).leaf_index == own
    with world.as_department(MARKET), pytest.raises(Fault, match="LEAF_NOT_FOUND"):
        await log.proof(leaf_index=own)


async def test_the_log_is_read_in_pages_with_its_holes_shown(world: World, log: Log) -> None:
    await used_in_every_way(world)
    total = len(await log.leaves())
    async with world.database.connection() as connection:
        await connection.execute("alter table log_leaf disable trigger all")
        await connection.execute("delete from log_leaf where leaf_index = 2")
    places, token = [], ""
    with world.as_operator():
        while True:
            page = await log.door.ListLeaves(pb.ListLeavesRequest(page_size=3, page_token=token), None)
            places += page.leaves
            token = page.next_page_token
            if not token:
                break
    assert [each.leaf_index for each in places] == list(range(total))
    assert [each.leaf_index for each in places if not each.leaf] == [2]
    assert len(places[2].hash_in_tree) == 32
    notes = (await log.door.ListCheckpoints(pb.ListCheckpointsRequest(), None)).notes
    assert [open_checkpoint(note, SIGNER.verifier)[0].size for note in notes][-1] == total


async def test_the_log_grew_between_any_two_checkpoints(world: World, log: Log) -> None:
    await world.stock_licence(world.citizen())
    await log.sequence()
    old = await log.door.GetCheckpoint(pb.GetCheckpointRequest(), None)
    await used_in_every_way(world)
    await log.sequence()
    new = await log.door.GetCheckpoint(pb.GetCheckpointRequest(), None)
    again = await log.door.GetCheckpoint(pb.GetCheckpointRequest(size=old.size), None)
    assert again.root == old.root
    assert new.verifier_key == str(SIGNER.verifier)
    asked = pb.GetConsistencyProofRequest(old_size=old.size, new_size=new.size)
    hashes = list((await log.door.GetConsistencyProof(asked, None)).hashes)
    assert is_consistent(old.size, old.root, new.size, new.root, hashes)


@pytest.mark.parametrize(
    ("call", "request_", "reason"),
    [
        ("GetCheckpoint", pb.GetCheckpointRequest(size=-1), "INVALID_REQUEST"),
        ("GetCheckpoint", pb.GetCheckpointRequest(size=10**12), "TREE_SIZE_WRONG"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(), "INVALID_REQUEST"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(leaf_index=-1), "INVALID_REQUEST"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(leaf_index=0, size=77), "TREE_SIZE_WRONG"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(newest_of_licence_id="x"), "LEAF_NOT_FOUND"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(newest_of_licence_id=str(uuid.uuid4())), "LEAF_NOT_FOUND"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(licence_leaf=pb.LicenceLeaf()), "INVALID_REQUEST"),
        ("GetConsistencyProof", pb.GetConsistencyProofRequest(old_size=5, new_size=2), "TREE_SIZE_WRONG"),
        ("GetConsistencyProof", pb.GetConsistencyProofRequest(old_size=-1, new_size=0), "TREE_SIZE_WRONG"),
        ("ListLeaves", pb.ListLeavesRequest(page_size=-1), "INVALID_REQUEST"),
        ("ListLeaves", pb.ListLeavesRequest(page_token="x"), "INVALID_REQUEST"),
        ("ListLeaves", pb.ListLeavesRequest(page_token="9" * 30), "INVALID_REQUEST"),
        ("ListCheckpoints", pb.ListCheckpointsRequest(page_token="-1"), "INVALID_REQUEST"),
    ],
)  # fmt: skip
async def test_a_malformed_question_is_refused(
    world: World, log: Log, call: str, request_: Any, reason: str
) -> None:
    await log.sequence()
    with world.as_operator(), pytest.raises(Fault, match=reason):
        await getattr(log.door, call)(request_, None)
