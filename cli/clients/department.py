"""A department's system: its certificate, its parts at intake, the registry at certs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.certs.v1 import (
    licence_pb2,
    licence_pb2_grpc,
    presentation_pb2,
    presentation_pb2_grpc,
    source_pb2,
    source_pb2_grpc,
    transparency_pb2,
    transparency_pb2_grpc,
    use_code_pb2,
    use_code_pb2_grpc,
)
from tongban.intake.v1 import part_pb2, part_pb2_grpc
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc

CALL_SECONDS = 20.0
APPROVE = part_pb2.DECISION_APPROVE
BY_LICENCE = part_pb2.SUPPLY_LICENCE
UPLOADED = part_pb2.SUPPLY_UPLOAD
OPERATION = "_operation"
"""The field of a row that says what is asked for; without it the row is stock, which is there afterwards."""
OPERATIONS = {
    "insert": licence_pb2.IMPORT_OPERATION_INSERT,
    "update": licence_pb2.IMPORT_OPERATION_UPDATE,
    "cancel": licence_pb2.IMPORT_OPERATION_CANCEL,
}
_OUTCOMES = {
    number: name.removeprefix("IMPORT_OUTCOME_").lower() for name, number in licence_pb2.ImportOutcome.items()
}


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """The registry's answer to one imported row."""

    row_number: int
    outcome: str
    licence_id: str
    quality_flags: tuple[str, ...]
    problems: tuple[dict[str, str], ...]


class Department:
    """One department (USCC) over mutual TLS; use it as an async context manager."""

    def __init__(self, uscc: str, tls: TlsFiles, addresses: Mapping[str, str]) -> None:
        self.uscc = uscc
        self._peers: dict[str, PeerChannel] = {
            name: open_channel(address, service_peer(name), tls, limit_seconds=CALL_SECONDS)
            for name, address in addresses.items()
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for peer in self._peers.values():
            await peer.close()

    async def import_rows(
        self,
        batch_id: str,
        messages: AsyncIterator[Sequence[tuple[int, Mapping[str, str]]]],
        source_id: str = "",
    ) -> AsyncIterator[RowAnswer]:
        """Yield the answer to every row of every message, in order.

        A row with a field `OPERATION` asks for one of `OPERATIONS`. Without a source it is the department's
        own register.
        """

        async def requests() -> AsyncIterator[licence_pb2.ImportLicencesRequest]:
            async for rows in messages:
                sent = [_import_row(number, row) for number, row in rows]
                yield licence_pb2.ImportLicencesRequest(batch_id=batch_id, rows=sent, source_id=source_id)

        certs = self._peers["certs"]
        stub: Any = licence_pb2_grpc.LicenceImportServiceStub(certs.channel)
        async for answer in certs.exchange(stub.ImportLicences, requests()):
            for each in answer.results:
                yield _row_answer(each)

    async def reconcile_source(
        self, source_id: str, type_code: str, days: Sequence[tuple[str, int, bytes]], first: str, last: str
    ) -> tuple[list[str], list[tuple[str, int, int]]]:
        """Return the equal days, and the differing ones with the source's and the registry's counts.

        ``days`` are day, count and hash of what the source has between the first day and the last.
        """
        request = source_pb2.ReconcileSourceRequest(
            source_id=source_id,
            type_code=type_code,
            first_day=first,
            last_day=last,
            days=[source_pb2.DayTotal(day=day, count=count, hash=each) for day, count, each in days],
        )
        certs = self._peers["certs"]
        stub: Any = source_pb2_grpc.SourceServiceStub(certs.channel)
        answer = await certs.call(stub.ReconcileSource, request)
        differing = [(each.day, each.count, each.registry_count) for each in answer.differing_days]
        return list(answer.equal_days), differing

    async def parts(self) -> list[part_pb2.PartSummary]:
        """Return the department's newest parts."""
        answer = await self._intake("ListParts", part_pb2.ListPartsRequest(page_size=100))
        return list(answer.parts)

    async def part(self, part_id: str) -> part_pb2.Part:
        """Return one part with everything needed to decide it."""
        answer = await self._intake("GetPart", part_pb2.GetPartRequest(part_id=part_id))
        return _part(answer)

    async def watch(
        self, after_revision: int, timeout_seconds: float
    ) -> AsyncIterator[part_pb2.WatchPartsResponse]:
        """Yield every change of the department's parts after a revision, until the time is over."""
        intake = self._peers["intake"]
        stub: Any = part_pb2_grpc.PartServiceStub(intake.channel)
        request = part_pb2.WatchPartsRequest(start_revision=after_revision)
        async for change in intake.stream(stub.WatchParts, request, timeout_seconds=timeout_seconds):
            yield change

    async def material_file(self, part_id: str, material_code: str) -> bytes:
        """Return the bytes of an uploaded material."""
        request = part_pb2.GetMaterialFileRequest(part_id=part_id, material_code=material_code)
        return bytes((await self._intake("GetMaterialFile", request)).content)

    async def claim(self, part: part_pb2.Part, staff_id: str) -> part_pb2.Part:
        """Have a member of staff take the part over."""
        request = part_pb2.ClaimPartRequest(
            request_id=_new_id(), part_id=part.part_id, etag=part.etag, staff_id=staff_id
        )
        return _part(await self._intake("ClaimPart", request))

    async def accept(self, part: part_pb2.Part, staff_id: str) -> part_pb2.Part:
        """Accept the part; its clocks start."""
        request = part_pb2.AcceptPartRequest(
            request_id=_new_id(), part_id=part.part_id, etag=part.etag, staff_id=staff_id
        )
        return _part(await self._intake("AcceptPart", request))

    async def sign(
        self, part: part_pb2.Part, staff_id: str, opinion: str, decision: int = APPROVE
    ) -> part_pb2.Part:
        """Put one signature under the part."""
        request = part_pb2.DecidePartRequest(
            request_id=_new_id(),
            part_id=part.part_id,
            etag=part.etag,
            staff_id=staff_id,
            decision=decision,  # type: ignore[arg-type]  # the stubs want the enum's own type
            opinion=opinion,
        )
        return _part(await self._intake("DecidePart", request))

    async def consume(
        self, use_code: str, item_code: str, case_id: str, use_cause: str
    ) -> use_code_pb2.ConsumeUseCodeResponse:
        """Have a use-code consumed; the licence comes back in clear where the code allows it."""
        certs = self._peers["certs"]
        stub: Any = use_code_pb2_grpc.UseCodeServiceStub(certs.channel)
        request = use_code_pb2.ConsumeUseCodeRequest(
            request_id=_new_id(), use_code=use_code, item_code=item_code, case_id=case_id, use_cause=use_cause
        )
        found: use_code_pb2.ConsumeUseCodeResponse = await certs.call(stub.ConsumeUseCode, request)
        return found

    async def verify_presentation(self, code: str) -> presentation_pb2.VerifyPresentationResponse:
        """Return the registry's answer to a presentation code; it can be scanned once."""
        certs = self._peers["certs"]
        stub: Any = presentation_pb2_grpc.PresentationServiceStub(certs.channel)
        request = presentation_pb2.VerifyPresentationRequest(request_id=_new_id(), code=code)
        found: presentation_pb2.VerifyPresentationResponse = await certs.call(
            stub.VerifyPresentation, request
        )
        return found

    async def presentation_keys(self) -> str:
        """Return the JWKS that verifies QR codes without the network."""
        certs = self._peers["certs"]
        stub: Any = presentation_pb2_grpc.PresentationServiceStub(certs.channel)
        answer = await certs.call(stub.GetPresentationKeys, presentation_pb2.GetPresentationKeysRequest())
        return str(answer.jwks_json)

    async def log_checkpoint(self) -> tuple[str, str, list[bytes]]:
        """Return the log's key as the registry tells it, its newest checkpoint and the subtrees of its tree."""
        certs = self._peers["certs"]
        stub: Any = transparency_pb2_grpc.TransparencyServiceStub(certs.channel)
        answer = await certs.call(stub.GetCheckpoint, transparency_pb2.GetCheckpointRequest())
        return answer.verifier_key, answer.note, list(answer.subtrees)

    async def trust_bundle(self) -> seal_pb2.GetTrustBundleResponse:
        """Return what verifies sealed documents without the network."""
        seal = self._peers["seal"]
        stub: Any = seal_pb2_grpc.SealServiceStub(seal.channel)
        found: seal_pb2.GetTrustBundleResponse = await seal.call(
            stub.GetTrustBundle, seal_pb2.GetTrustBundleRequest()
        )
        return found

    async def _intake(self, method: str, request: Any) -> Any:
        intake = self._peers["intake"]
        stub = part_pb2_grpc.PartServiceStub(intake.channel)
        return await intake.call(getattr(stub, method), request)


def state_name(state: int) -> str:
    """Return the word of a part's state, e.g. ``accepted``."""
    return part_pb2.PartState.Name(state).removeprefix("PART_STATE_").lower()  # type: ignore[arg-type]


def licences_of(part: part_pb2.Part) -> Iterable[part_pb2.Material]:
    """Return the materials of a part that licences stand in for."""
    return (each for each in part.materials if each.supply == BY_LICENCE)


def _part(answer: Any) -> part_pb2.Part:
    found: part_pb2.Part = answer.part
    return found


def _import_row(number: int, row: Mapping[str, str]) -> licence_pb2.ImportRow:
    if OPERATION not in row:
        return licence_pb2.ImportRow(row_number=number, fields=dict(row))
    fields = {name: value for name, value in row.items() if name != OPERATION}
    return licence_pb2.ImportRow(row_number=number, fields=fields, operation=OPERATIONS[row[OPERATION]])


def _row_answer(result: licence_pb2.ImportRowResult) -> RowAnswer:
    outcome = _OUTCOMES[result.outcome]
    problems = tuple(
        {"field": each.field, "reason": each.reason, "zh": each.zh, "en": each.en} for each in result.problems
    )
    return RowAnswer(result.row_number, outcome, result.licence_id, tuple(result.quality_flags), problems)


def _new_id() -> str:
    return str(uuid.uuid4())
