"""What every servicer works with: the database, the catalogue, the caller as a reader, stored answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import grpc
import uuid_utils
from google.protobuf.message import Message

from chassis import requests
from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.requests import DEPARTMENT_RETENTION
from chassis.rpc.call import caller
from services.certs.domain.department import Departments
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.usage import Reader
from services.certs.rpc.summary_signer import JwsSigner
from services.certs.usecases.evidence_ports import (
    CaseParties,
    EntrustmentReader,
    LogProofs,
    NobodyKnown,
    NoLog,
)
from services.certs.usecases.import_ports import RowVault
from services.certs.usecases.importing import Importer, PreparedRow
from services.certs.usecases.licence_types import TypeRecords
from services.certs.usecases.ports import Documents, Registry
from tongban.certs.v1 import licence_pb2

Context = grpc.aio.ServicerContext[Any, Any]
Res = TypeVar("Res", bound=Message)

SERVICE_NAMES = {"intake": "政务服务综合受理系统", "seal": "电子印章系统"}
"""How our own services appear in the holder's list of uses."""


class Answers(Protocol):
    """Keeps stored answers secret; they hold use-codes and personal data."""

    def encrypt(self, plain: bytes) -> bytes:
        """Return the ciphertext of an answer."""

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the answer."""

    def fingerprint(self, content: bytes) -> bytes:
        """Return a keyed fingerprint of a request."""


REPEATED_FOR = timedelta(minutes=10)
"""How long a repeat gets the answer of before, where the answer says how things stand: for a lost answer only."""
Prepare = Callable[[Importer, licence_pb2.ImportLicencesRequest, datetime], Awaitable[list[PreparedRow]]]
"""Judges and encrypts the rows of a chunk."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The tools of the servicers."""

    database: Database
    registry_of: Callable[[Transaction], Registry]
    vault: RowVault
    answers: Answers
    documents: Documents
    types: LicenceTypes
    departments: Departments
    signer: JwsSigner
    clock: Clock
    type_records: Callable[[Transaction], TypeRecords]
    statements: EntrustmentReader
    """Reads what intake signed."""
    log_proofs: Callable[[Transaction], LogProofs] = lambda _tx: NoLog()
    """Gives the place of a licence in the transparency log."""
    case_parties: CaseParties = field(default_factory=NobodyKnown)
    """Says whose licences a case is about."""
    prepare: Prepare | None = None
    """Prepares imported rows aside, in processes of their own; None: in a thread of this one."""

    def reader(self) -> Reader:
        """Return who calls: a department with its name, or a service of ours."""
        peer = caller().peer
        if peer is None:
            return Reader("web", "", False)
        if peer.kind == "department":
            return Reader(peer.name, self.departments.find(peer.name).name, True)
        return Reader(str(peer), SERVICE_NAMES.get(peer.name, ""), False)

    async def once(
        self,
        tx: Transaction,
        request: Message,
        answer: type[Res],
        work: Callable[[], Awaitable[Res]],
        retention: timedelta = DEPARTMENT_RETENTION,
    ) -> Res:
        """Return what ``work`` answers, or the stored answer of an equal request; encrypted at rest.

        Raises REQUEST_ID_REUSED, REQUEST_IN_PROGRESS.
        """

        async def serialised() -> bytes:
            return (await work()).SerializeToString()

        content = type(request)()
        content.CopyFrom(request)
        content.ClearField("request_id")
        stored = await requests.once(
            tx,
            caller=caller().key,
            method=request.DESCRIPTOR.full_name,
            request_id=getattr(request, "request_id"),  # noqa: B009 - known to exist, not to the types
            fingerprint=self.answers.fingerprint(content.SerializeToString(deterministic=True)),
            work=serialised,
            cipher=self.answers,
            retention=retention,
        )
        return answer.FromString(stored)


def new_id() -> str:
    """Return a fresh id, ordered by time."""
    return str(uuid_utils.uuid7())  # the one of `compat` is a UUID of the library, and five times as dear
