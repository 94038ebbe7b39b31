"""How the departments' tests call: right but for what is given, and the refusal a call meets."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cli.departments import Office
from tests.e2e.bad_input.bench import Bench
from tests.e2e.bad_input.refusals import Fields
from tongban.certs.v1 import licence_pb2_grpc, use_code_pb2, use_code_pb2_grpc
from tongban.intake.v1 import part_pb2, part_pb2_grpc


@dataclass(frozen=True)
class Bad:
    """A call and the refusal it meets."""

    what: str
    call: Callable[[Bench], Any]
    code: str
    reason: str
    fields: Fields = field(default_factory=dict)


def fresh() -> str:
    return str(uuid.uuid4())


def parts(bench: Bench, office: Office | None = None) -> part_pb2_grpc.PartServiceStub:
    return part_pb2_grpc.PartServiceStub(bench.channel(office or bench.labour, "intake"))


def change(bench: Bench, verb: str, office: Office | None = None, **given: Any) -> Any:
    """Ask for a change of the submitted part, right but for what is given."""
    caller = office or bench.labour
    right = {
        "request_id": fresh(),
        "part_id": bench.part.part_id,
        "etag": bench.part.etag,
        "staff_id": caller.staff_of("reviewer")[0],
    }
    return getattr(parts(bench, caller), verb)(getattr(part_pb2, f"{verb}Request")(**right | given))


def consume(bench: Bench, office: Office | None = None, **given: str) -> Any:
    """Consume the submitted part's use-code, right but for what is given."""
    (material,) = (each for each in bench.part.materials if each.use_code)
    right = {
        "request_id": fresh(),
        "use_code": material.use_code,
        "item_code": bench.part.item_code,
        "case_id": bench.part.case_id,
        "use_cause": material.use_cause,
    }
    stub = use_code_pb2_grpc.UseCodeServiceStub(bench.channel(office or bench.labour, "certs"))
    return stub.ConsumeUseCode(use_code_pb2.ConsumeUseCodeRequest(**right | given))


def licences(bench: Bench) -> licence_pb2_grpc.LicenceServiceStub:
    return licence_pb2_grpc.LicenceServiceStub(bench.channel(bench.labour, "certs"))
