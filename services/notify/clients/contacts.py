"""Contacts of persons, from intake."""

from __future__ import annotations

from chassis.rpc.channel import PeerChannel
from services.notify.usecases.ports import Contact
from tongban.intake.v1 import contact_pb2, contact_pb2_grpc


class IntakeContacts:
    """Where persons are reached."""

    def __init__(self, intake: PeerChannel) -> None:
        self._intake = intake
        self._stub = contact_pb2_grpc.ContactServiceStub(intake.channel)

    async def of(self, person_id: str, case_id: str) -> Contact:
        """Return a person's contact for one case. Raises what intake answers, or PEER_UNAVAILABLE."""
        answer = await self._intake.call(
            self._stub.GetContact,
            contact_pb2.GetContactRequest(person_id=person_id, purpose=f"case:{case_id}"),
        )
        return Contact(
            answer.person_id, answer.phone, answer.masked_name, answer.language or "zh", answer.email
        )
