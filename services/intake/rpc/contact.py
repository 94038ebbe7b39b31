"""ContactService over gRPC."""

from __future__ import annotations

from typing import Any

import grpc

from chassis.rpc.call import caller
from services.intake.usecases.identity.contacts import get_contact
from services.intake.usecases.identity.ports import OpenIdentity
from tongban.intake.v1 import contact_pb2, contact_pb2_grpc

add_contact_service = contact_pb2_grpc.add_ContactServiceServicer_to_server
Context = grpc.aio.ServicerContext[Any, Any]


class ContactServicer(contact_pb2_grpc.ContactServiceServicer):
    """Tells notify where persons are reached; each reading is recorded."""

    def __init__(self, open_work: OpenIdentity) -> None:
        self._open_work = open_work

    async def GetContact(
        self, request: contact_pb2.GetContactRequest, context: Context
    ) -> contact_pb2.GetContactResponse:
        """Return a person's contact."""
        reader = str(caller(context).peer)
        async with self._open_work() as work:
            found = await get_contact(work, request.person_id, reader, request.purpose)
        return contact_pb2.GetContactResponse(
            person_id=found.person_id,
            phone=found.phone,
            masked_name=found.masked_name,
            language=found.language,
            email=found.email,
        )
