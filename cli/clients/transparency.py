"""The registry's transparency log as an auditor reads it: over mutual TLS, page by page."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from chassis.tlog.audit import Log
from chassis.tlog.packed import Hashes
from chassis.tlog.tree import leaf_hash
from tongban.certs.v1 import transparency_pb2 as pb
from tongban.certs.v1 import transparency_pb2_grpc

CALL_SECONDS = 20.0
PAGE = 2_048


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A leaf with the hashes that lead from it to the root of a checkpoint."""

    index: int
    leaf: bytes
    hashes: Sequence[bytes]
    checkpoint: str
    size: int


class Auditor:
    """TransparencyService as an operator uses it. Use it as an async context manager.

    Every call raises what the service refuses with, or PEER_UNAVAILABLE.
    """

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._peer = open_channel(address, service_peer("certs"), tls, limit_seconds=CALL_SECONDS)
        self._stub: Any = transparency_pb2_grpc.TransparencyServiceStub(self._peer.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._peer.close()

    async def checkpoint(self, size: int = 0) -> tuple[str, str]:
        """Return a checkpoint with its cosignatures, and the key that the service says it is signed with."""
        answer = await self._peer.call(self._stub.GetCheckpoint, pb.GetCheckpointRequest(size=size))
        return answer.note, answer.verifier_key

    async def edge(self) -> tuple[str, list[bytes]]:
        """Return the newest checkpoint with its cosignatures, and the subtrees that its tree consists of."""
        answer = await self._peer.call(self._stub.GetCheckpoint, pb.GetCheckpointRequest())
        return answer.note, list(answer.subtrees)

    async def inclusion(self, *, licence_id: str = "", index: int = 0, size: int = 0) -> Inclusion:
        """Return the proof of a licence's newest state, or of a leaf by its index."""
        asked = {"newest_of_licence_id": licence_id} if licence_id else {"leaf_index": index}
        request = pb.GetInclusionProofRequest(size=size, **asked)
        answer = await self._peer.call(self._stub.GetInclusionProof, request)
        return Inclusion(answer.leaf_index, answer.leaf, list(answer.hashes), answer.checkpoint, answer.size)

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log only grew."""
        request = pb.GetConsistencyProofRequest(old_size=old, new_size=new)
        return list((await self._peer.call(self._stub.GetConsistencyProof, request)).hashes)

    async def whole(self, anchors: Sequence[str] = ()) -> Log:
        """Return the whole log: first its checkpoints, so that none is newer than the leaves."""
        notes = await self.notes()
        leaves, indices, hashes = Hashes(), array("q"), Hashes()
        async for index, leaf, hashed in self.places():
            hashes.append(hashed)
            if leaf:
                indices.append(index)
                leaves.append(leaf_hash(leaf))
        return Log(leaves, indices, hashes, notes, tuple(anchors))

    async def notes(self) -> list[str]:
        """Return every checkpoint that the log signed, with its cosignatures."""
        notes: list[str] = []
        token = ""
        while True:
            asked = pb.ListCheckpointsRequest(page_size=PAGE, page_token=token)
            answer = await self._peer.call(self._stub.ListCheckpoints, asked)
            notes += answer.notes
            token = answer.next_page_token
            if not token:
                return notes

    async def places(self) -> AsyncIterator[tuple[int, bytes, bytes]]:
        """Yield index, leaf (empty where it is missing) and hash in the tree of every place of the log."""
        token = ""
        while True:
            asked = pb.ListLeavesRequest(page_size=PAGE, page_token=token)
            answer = await self._peer.call(self._stub.ListLeaves, asked)
            for each in answer.leaves:
                yield each.leaf_index, each.leaf, each.hash_in_tree
            token = answer.next_page_token
            if not token:
                return
