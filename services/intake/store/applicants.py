"""Identity as cases need it: who applies, and for which organisations they may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.intake.domain.cases.applicant import UNIFIED_CODE, Applicant
from services.intake.domain.entrustment import Entrustment, Power
from services.intake.store.identity.entrustments import EntrustmentRows
from services.intake.store.identity.persons import ApplicantRows, PersonRows
from services.intake.store.identity.work import RepresentationRows


class Applicants:
    """The port ``Persons`` of cases, within one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._applicants = ApplicantRows(tx, cipher)
        self._persons = PersonRows(tx, cipher)
        self._representations = RepresentationRows(tx, cipher)
        self._entrustments = EntrustmentRows(tx, cipher)

    async def load(self, person_id: str) -> Applicant | None:
        """Return the person in clear, or None."""
        return await self._applicants.load(person_id)

    async def represents(self, person_id: str, uscc: str) -> bool:
        """Return whether the person may act now for the organisation with this code."""
        organisation = await self._persons.find(UNIFIED_CODE, uscc)
        if organisation is None:
            return False
        found = await self._representations.load(organisation.person_id, person_id)
        return found is not None and found.active

    async def entrustment(self, entrustment_id: str) -> Entrustment | None:
        """Return an entrustment as it stands, or None."""
        return await self._entrustments.read(entrustment_id)

    async def entrusted_to_apply(self, agent: Applicant, now: datetime, limit: int) -> Sequence[str]:
        """Return the ids of entrustments in force now under which the agent may apply, the newest."""
        holder = agent.id_type_code, agent.id_number
        found = await self._entrustments.of(holder, agent.person_id, None, limit, "received", now)
        return [each.entrustment_id for each in found if Power.APPLY in each.wish.powers]
