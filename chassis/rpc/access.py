"""Who may call a method: read once from the option ``tongban.common.v1.access`` of its proto."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, refuse
from chassis.rpc.peer import Peer
from tongban.common.v1 import access_pb2

_KINDS: dict[int, str] = {
    access_pb2.CALLER_DEPARTMENT: "department",
    access_pb2.CALLER_OPERATOR: "operator",
    access_pb2.CALLER_REGISTRY: "registry",
}
_SERVICES: dict[int, str] = {
    access_pb2.CALLER_SERVICE_INTAKE: "intake",
    access_pb2.CALLER_SERVICE_CERTS: "certs",
    access_pb2.CALLER_SERVICE_SEAL: "seal",
    access_pb2.CALLER_SERVICE_NOTIFY: "notify",
}


@dataclass(frozen=True, slots=True)
class Method:
    """A gRPC method and its declared access rule."""

    service: str
    name: str
    callers: frozenset[int]
    acting_person: bool
    object_rule: str
    mutating: bool
    has_request_id: bool

    @property
    def path(self) -> str:
        """The name on the wire and in metrics: ``/package.Service/Method``."""
        return f"/{self.service}/{self.name}"

    def permits(self, peer: Peer) -> bool:
        """Say whether a peer of this identity may call the method at all."""
        return any(_is(peer, caller) for caller in self.callers)


def methods_of(service: str) -> dict[str, Method]:
    """Return the methods of a service by name.

    Raises ValueError naming every method without a usable access option: the server must not start.
    """
    descriptor = Default().FindServiceByName(service)
    wrong = [f"{each.full_name}: {fault}" for each in descriptor.methods if (fault := _fault(each))]
    if wrong:
        raise ValueError("; ".join(wrong))
    return {each.name: _method(service, each) for each in descriptor.methods}


def check_request(method: Method, request: Message) -> None:
    """Refuse a request that no method could take, naming every wrong field.

    That is one with a NUL in a text, which no database keeps, and for a mutating method one whose
    ``request_id`` is missing or no UUID of 36 characters.
    """
    wrong = [FIELD_MALFORMED.at(path) for path in _texts_with_nul(request)]
    if method.mutating and method.has_request_id:
        value: str = getattr(request, "request_id")  # noqa: B009 - known to exist, not to the types
        if not value:
            wrong.append(FIELD_REQUIRED.at("request_id"))
        elif not is_uuid(value) and "\0" not in value:
            wrong.append(FIELD_MALFORMED.at("request_id"))
    refuse(wrong)


def is_uuid(value: str) -> bool:
    """Say whether the text is a UUID in its 36-character form."""
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def _texts_with_nul(message: Message, prefix: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        path = prefix + field.name
        if field.is_repeated and field.message_type and field.message_type.GetOptions().map_entry:
            yield from (path for name, each in value.items() if _has_nul(name) or _has_nul(each))
        elif field.is_repeated:
            for index, each in enumerate(value):
                yield from _nul_at(f"{path}[{index}]", each)
        else:
            yield from _nul_at(path, value)


def _nul_at(path: str, value: object) -> Iterator[str]:
    if isinstance(value, Message):
        yield from _texts_with_nul(value, f"{path}.")
    elif _has_nul(value):
        yield path


def _has_nul(value: object) -> bool:
    return isinstance(value, str) and "\0" in value


def _is(peer: Peer, caller: int) -> bool:
    if caller in _SERVICES:
        return peer.kind == "service" and peer.name == _SERVICES[caller]
    return caller == access_pb2.CALLER_ANYONE or peer.kind == _KINDS.get(caller)


def _method(service: str, descriptor: MethodDescriptor) -> Method:
    access = descriptor.GetOptions().Extensions[access_pb2.access]
    return Method(
        service,
        descriptor.name,
        frozenset(access.callers),
        access.acting_person,
        access.object_rule,
        access.mutating,
        _has_request_id(descriptor),
    )


def _fault(descriptor: MethodDescriptor) -> str | None:
    options = descriptor.GetOptions()
    if not options.HasExtension(access_pb2.access):
        return "no access option"
    access = options.Extensions[access_pb2.access]
    if not access.callers or access_pb2.CALLER_UNSPECIFIED in access.callers:
        return "no callers named"
    if access.mutating and not _has_request_id(descriptor):
        return "mutating without request_id"
    return None


def _has_request_id(descriptor: MethodDescriptor) -> bool:
    field = descriptor.input_type.fields_by_name.get("request_id")
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
