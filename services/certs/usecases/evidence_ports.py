"""What evidence needs from the outside: cases, entrustments, copies, searches, the log's proofs, signed statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.certs.domain.evidence.annotation import Annotation
from services.certs.domain.licence import Licence
from services.certs.domain.log.sidecar import LeafProof
from services.certs.domain.status import StatusChange
from services.certs.domain.use_code import CasePart, Entrustment
from services.certs.domain.use_code.entrustment import Person, Standing

Place = tuple[datetime, str]
"""Where a page ends: when the licence came in, and its id."""


class CaseParts(Protocol):
    """The parts of cases that intake told of."""

    async def know(self, parts: Sequence[CasePart], now: datetime) -> None:
        """Keep parts; again is no change."""

    async def close(self, case_id: str, now: datetime) -> None:
        """Note that a case is over."""

    async def find(self, case_id: str, item_code: str, department_code: str) -> CasePart | None:
        """Return the part of a case in which a department handles an item."""

    async def is_known(self, case_id: str) -> bool:
        """Say whether a case was handed in, as far as the registry was told."""

    async def is_closed(self, case_id: str) -> bool:
        """Say whether a case is known and over."""


class CaseParties(Protocol):
    """Whose licences a case is about; asked of intake, which alone knows."""

    async def of_part(self, case_id: str, item_code: str, department_code: str) -> Sequence[Person]:
        """Return the parties of an open case in which a department handles an item; none of any other."""


class NobodyKnown:
    """Where intake is not asked: no case has a party, no duty reaches anybody's licence."""

    async def of_part(self, case_id: str, item_code: str, department_code: str) -> Sequence[Person]:
        """Return nobody."""
        del case_id, item_code, department_code
        return ()


class Entrustments(Protocol):
    """The entrustments on record; the two persons only as blind indexes."""

    async def record(self, entrustment: Entrustment, statement_sha256: bytes) -> bool:
        """Keep an entrustment; False if another one stands under its id."""

    async def standing(self, entrustment_id: str, grantor: Person, agent: Person) -> Standing | None:
        """Return an entrustment as it stands towards two persons. Raises ROW_ALTERED."""

    async def end_of(self, entrustment_id: str) -> tuple[datetime, datetime | None] | None:
        """Return when an entrustment ends by its term and when it was taken back. Raises ROW_ALTERED."""

    async def revoke(self, entrustment_id: str, grantor: Person, reason: str, now: datetime) -> bool:
        """Take a grantor's entrustment back; False if there is none of his. Raises ROW_ALTERED."""


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """A copy that was made: enough to make the same bytes again."""

    annotation: Annotation
    licence_id: str
    licence_version: int
    usage_id: str
    copy_sha256: str


class Copies(Protocol):
    """The record of annotated copies; append-only."""

    async def add(self, copy: CopyRecord, ticket: bytes | None, ticket_expires_at: datetime | None) -> None:
        """Keep a record, and the digest of the ticket by which it may be fetched once."""

    async def take(self, ticket: bytes, consumer_code: str, now: datetime) -> CopyRecord | None:
        """Use a ticket up and return its copy; None for one spent, expired or another's. Raises ROW_ALTERED."""


@dataclass(frozen=True, slots=True)
class Sees:
    """What a reader may know of: everything, what it issued, what is published."""

    everything: bool
    issuer_code: str
    published: bool


class Searches(Protocol):
    """Ways to a licence beside the holder's and the identifier's."""

    async def of_holder(
        self, holder: Person, type_codes: Sequence[str], sees: Sees, before: Place | None, limit: int
    ) -> list[Place]:
        """Return the licences of a holder, newest arrival first, older than the given place."""

    async def of_number(
        self, number: str, type_codes: Sequence[str], sees: Sees, before: Place | None, limit: int
    ) -> list[Place]:
        """Return the licences of a number, the same way."""

    async def changes(self, licence_id: str) -> list[StatusChange]:
        """Return the status history in the order of effect. Raises ROW_ALTERED."""

    async def index_numbers(self, after: str, limit: int) -> tuple[str, int]:
        """Index the numbers of licences that earlier releases stored without, up to ``limit`` after an id.

        Return where the next page begins, empty where it begins anew, and how many cannot be read. The rows are
        held meanwhile, so that processes that do this at the same time share the work.
        """


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it, within one open transaction."""

    cases: CaseParts
    entrustments: Entrustments
    copies: Copies
    searches: Searches


class EntrustmentReader(Protocol):
    """Reads what intake signed."""

    def read(self, statement: str) -> dict[str, Any]:
        """Return the claims of an entrustment signed by intake. Raises SIGNATURE_WRONG."""


class LogProofs(Protocol):
    """The transparency log, asked what shows that a licence's present state is in it."""

    async def proof_of(self, licence: Licence) -> LeafProof | None:
        """Return leaf and proof of the state that a licence is in; None while no published tree has it."""


class NoLog:
    """Where no log is kept: statements go without a proof."""

    async def proof_of(self, licence: Licence) -> LeafProof | None:
        """Return None."""
        del licence
        return None
