"""TransparencyService over gRPC: checkpoints and proofs for all, the whole log for auditors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chassis.db import Transaction
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Violation, refuse
from chassis.rpc.call import caller
from chassis.rpc.moments import stamp
from chassis.tlog.note import Signs, Verifier
from chassis.tlog.tree import HASH_BYTES
from services.certs.rpc.desk import Context, Desk
from services.certs.usecases import log as verbs
from tongban.certs.v1 import transparency_pb2 as pb
from tongban.certs.v1 import transparency_pb2_grpc

DEFAULT_PAGE = 256
LARGEST_PAGE = 2_048
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogDesk:
    """What the log's servicer works with besides the desk."""

    book_of: Callable[[Transaction], verbs.Book]
    verifier: Verifier
    signer: Signs | None = None
    """Whose verifier is told in place of that one: its key may be rotated while the process runs."""


class TransparencyServicer(transparency_pb2_grpc.TransparencyServiceServicer):
    """Answers from the log's tables; every answer is of one transaction."""

    def __init__(self, desk: Desk, log: LogDesk) -> None:
        self._desk, self._log = desk, log

    async def GetCheckpoint(
        self, request: pb.GetCheckpointRequest, context: Context
    ) -> pb.GetCheckpointResponse:
        """Return a checkpoint with its cosignatures."""
        del context
        refuse([FIELD_MALFORMED.at("size")] if request.size < 0 else [])
        async with self._desk.database.transaction() as tx:
            book = self._log.book_of(tx)
            found = await verbs.checkpoint(book, request.size)
            subtrees = await verbs.subtrees(book, found.size)
        return pb.GetCheckpointResponse(
            note=found.cosigned_note,
            size=found.size,
            root=found.root,
            signed_at=stamp(found.signed_at),
            verifier_key=str((self._log.signer or self._log).verifier),
            subtrees=subtrees,
        )

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, context: Context
    ) -> pb.GetInclusionProofResponse:
        """Prove that a leaf is in the log; a leaf that a department may not know of is not found."""
        del context
        refuse(_leaf_mistakes(request))
        peer = caller().peer
        department = peer.name if peer is not None and peer.kind == "department" else ""
        async with self._desk.database.transaction() as tx:
            book = self._log.book_of(tx)
            entry = await self._entry(book, request)
            entry = await verbs.visible(self._desk.registry_of(tx), department, entry)
            proof = await verbs.proof_at(book, entry, request.size)
        return pb.GetInclusionProofResponse(
            leaf_index=proof.entry.index,
            leaf=proof.entry.content,
            hashes=proof.hashes,
            checkpoint=proof.checkpoint.cosigned_note,
            size=proof.checkpoint.size,
        )

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Context
    ) -> pb.GetConsistencyProofResponse:
        """Prove that the log only grew."""
        del context
        async with self._desk.database.transaction() as tx:
            found = await verbs.proof_between(self._log.book_of(tx), request.old_size, request.new_size)
        return pb.GetConsistencyProofResponse(hashes=found)

    async def ListLeaves(self, request: pb.ListLeavesRequest, context: Context) -> pb.ListLeavesResponse:
        """Return a page of the log; a place without a leaf has its hash alone."""
        del context
        size, start = _page(request.page_size, request.page_token)
        async with self._desk.database.transaction() as tx:
            places, total = await verbs.places(self._log.book_of(tx), start, size)
        leaves = [pb.LogLeaf(leaf_index=n, leaf=leaf, hash_in_tree=hashed) for n, leaf, hashed in places]
        following = start + len(places)
        token = str(following) if places and following < total else ""
        return pb.ListLeavesResponse(leaves=leaves, next_page_token=token)

    async def ListCheckpoints(
        self, request: pb.ListCheckpointsRequest, context: Context
    ) -> pb.ListCheckpointsResponse:
        """Return a page of the signed checkpoints, by size."""
        del context
        size, start = _page(request.page_size, request.page_token)
        async with self._desk.database.transaction() as tx:
            found = await self._log.book_of(tx).checkpoints(start, size + 1)
        token = str(found[size].size) if len(found) > size else ""
        notes = [each.cosigned_note for each in found[:size]]
        return pb.ListCheckpointsResponse(notes=notes, next_page_token=token)

    async def _entry(self, book: verbs.Book, request: pb.GetInclusionProofRequest) -> verbs.Entry | None:
        asked = request.WhichOneof("leaf")
        if asked == "leaf_index":
            return await book.entry(request.leaf_index)
        if asked == "licence_leaf":
            return await book.entry_of(request.licence_leaf.licence_id, request.licence_leaf.leaf_hash)
        return await verbs.newest_state(book, request.newest_of_licence_id)


def log_servicer(desk: Desk, log: LogDesk) -> tuple[Callable[[Any, Any], None], object]:
    """Return the servicer with the function that registers it."""
    return transparency_pb2_grpc.add_TransparencyServiceServicer_to_server, TransparencyServicer(desk, log)


def _leaf_mistakes(request: pb.GetInclusionProofRequest) -> list[Violation]:
    asked = request.WhichOneof("leaf")
    wrong = [] if asked else [FIELD_REQUIRED.at("leaf")]
    if request.leaf_index < 0:
        wrong.append(FIELD_MALFORMED.at("leaf_index"))
    if asked == "licence_leaf" and len(request.licence_leaf.leaf_hash) != HASH_BYTES:
        wrong.append(FIELD_MALFORMED.at("licence_leaf.leaf_hash"))
    if request.size < 0:
        wrong.append(FIELD_MALFORMED.at("size"))
    return wrong


def _page(page_size: int, page_token: str) -> tuple[int, int]:
    """Return how many and from where on; a token is a place in the log. Raises INVALID_REQUEST."""
    wrong = [FIELD_MALFORMED.at("page_size")] if page_size < 0 else []
    is_place = page_token.isascii() and page_token.isdigit() and int(page_token[:20]) <= _LARGEST
    if page_token and not (is_place and len(page_token) < 20):
        wrong.append(FIELD_MALFORMED.at("page_token"))
    refuse(wrong)
    return min(page_size or DEFAULT_PAGE, LARGEST_PAGE), int(page_token or 0)
