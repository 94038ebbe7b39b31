"""What one service asks of another: the answering use case runs in a transaction of the service that is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData
from services.certs.usecases.make import SealedDocument, get_unsealed_document
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.catalogue.model import Catalogue
from services.intake.usecases.cases.issuing import get_issue_data
from services.notify.usecases.ports import Contact
from services.seal.usecases.ports import UnsealedDocument
from tests.simulator.services import certs, intake, seal
from tests.simulator.world import World


class Answering(Protocol):
    """The run, as far as calls between services need it."""

    world: World
    files: dict[str, intake.MemoryFiles]
    known: dict[str, Applicant]
    catalogue: Catalogue

    def peer(self, name: str) -> Callable[[], Any]:
        """Return calls to a service."""
        ...


class RegistryOfCerts:
    """What intake asks of certs."""

    def __init__(self, run: Answering) -> None:
        self._run = run

    async def document(self, licence_id: str, **_: str) -> bytes:
        async with self._run.peer("certs")() as tx:
            return await certs.sealed_document(certs.registry_of(tx), self._run.files["certs"], licence_id)

    async def revoke_use_codes(self, case_id: str, reason: str, request_id: str) -> int:
        del reason, request_id
        async with self._run.peer("certs")() as tx:
            await certs.registry_of(tx).licences.by_part(case_id)
        return 0


class AskedByCerts:
    """What certs asks of intake and of seal."""

    def __init__(self, run: Answering) -> None:
        self._run = run

    async def of_part(self, part_id: str) -> IssueData:
        async with self._run.peer("intake")() as tx:
            work: Any = intake.MemoryWork(tx, self._run.known)
            data = await get_issue_data(work, self._run.catalogue, part_id)
        item, holder = data.part.item, data.holder
        return IssueData(
            data.case.case_id,
            part_id,
            item.item_code,
            data.licence_type_code,
            item.county_code,
            item.department_code,
            item.department_name,
            Holder(holder.id_type_code, holder.id_number, holder.name),
            dict(data.face),
            data.validity_years,
            data.decided_at,
        )

    async def of_signature(self, signature_id: str) -> SealedDocument:
        async with self._run.peer("seal")() as tx:
            found = await seal.work_of(tx).ledger.document(signature_id)
        assert found is not None, "the event left with the document"
        return SealedDocument(signature_id, found.ofd, found.sha256, "VALID", self._run.world.now())


class DocumentsOfCerts:
    """What seal asks of certs."""

    def __init__(self, run: Answering) -> None:
        self._run = run

    async def unsealed(self, licence_id: str) -> UnsealedDocument:
        async with self._run.peer("certs")() as tx:
            licence, ofd = await get_unsealed_document(
                certs.registry_of(tx), self._run.files["certs"], licence_id
            )
        return UnsealedDocument(
            ofd, licence.issuer_code, licence.case_id, licence.sealing.seal_x_mm, licence.sealing.seal_y_mm
        )


class ContactsOfIntake:
    """What notify asks of intake."""

    def __init__(self, run: Answering) -> None:
        self._run = run

    async def of(self, person_id: str, case_id: str) -> Contact:
        async with self._run.peer("intake")() as tx:
            found = await intake.MemoryWork(tx, self._run.known).persons.load(person_id)
        del case_id
        assert found is not None
        return Contact(person_id, found.phone, "测**", "zh")
