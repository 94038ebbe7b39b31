"""One bench per transport, on the stack that all end-to-end tests share."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chassis.clock import CHINA_TIME, system_clock
from cli.demo.licence_rows import Registrar
from cli.demo.people import SyntheticPerson
from cli.departments import office_by_id, registry_keeper
from tests.e2e.bad_input.bench import (
    ANSWERS,
    COUNTY,
    ITEM,
    OTHER_COUNTY,
    OTHER_TERMINAL,
    TERMINAL,
    Bench,
    new_persons,
)
from tests.e2e.conftest import Told
from tests.stacks.applicants import PHOTO
from tongban.certs.v1 import licence_pb2, licence_pb2_grpc
from tongban.intake.v1 import part_pb2, part_pb2_grpc


@pytest.fixture(scope="session")
def bench(told: Told) -> Iterator[Bench]:
    """A holder with a licence, a draft and a submitted case; someone else with a licence; departments."""
    at = f"http://{told.reach.state.services['intake'].http}"
    made = Bench(
        told.command, told.reach, asyncio.Runner(), httpx.Client(base_url=at, timeout=30.0, trust_env=False)
    )
    try:
        furnish(made)
        made.settle()
        yield made
    finally:
        made.close()


def furnish(bench: Bench) -> None:
    holder, other = new_persons()
    bench.licence_id = registered(bench, COUNTY, holder)
    bench.others_licence_id = registered(bench, OTHER_COUNTY, other)
    bench.holder = bench.log_in(holder, TERMINAL)
    bench.other = bench.log_in(other, OTHER_TERMINAL)
    bench.draft_id = begun(bench)["case_id"]
    bench.submitted = submitted(bench)
    parts = part_pb2_grpc.PartServiceStub(bench.channel(bench.labour, "intake"))
    bench.part = parts.GetPart(part_pb2.GetPartRequest(part_id=bench.submitted["parts"][0]["part_id"])).part


def registered(bench: Bench, county: str, person: SyntheticPerson) -> str:
    """Have the identity card of a person in the registry; return the licence's id."""
    police = {"police": office_by_id(bench.offices, f"{county}-police")}
    today = system_clock().astimezone(CHINA_TIME).date()
    row = Registrar(county, police, random.Random(), today).identity_card(person)
    stub = licence_pb2_grpc.LicenceImportServiceStub(
        bench.channel(registry_keeper(bench.offices, county), "certs")
    )
    rows = [licence_pb2.ImportRow(row_number=1, fields=row)]
    request = licence_pb2.ImportLicencesRequest(batch_id=str(uuid.uuid4()), rows=rows)
    ((result,),) = [answer.results for answer in stub.ImportLicences(iter([request]))]
    assert result.outcome == licence_pb2.IMPORT_OUTCOME_CREATED, result
    return str(result.licence_id)


def begun(bench: Bench) -> dict[str, Any]:
    """Return a draft of the holder whose form is complete."""
    form = {"home_address": bench.holder.person.address, "contact_mobile": bench.holder.person.phone}
    body = {"target": {"kind": "item", "id": ITEM}, "county": COUNTY, "answers": ANSWERS, "form": form}
    answer = bench.ask("POST", "/v1/cases", bench.holder, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def submitted(bench: Bench) -> dict[str, Any]:
    """Return a case of the holder, submitted under `bench.submitted_key`, with a licence as a material."""
    case = begun(bench)
    at = f"/v1/cases/{case['case_id']}"
    supply = {"kind": "licence", "agreed": True, "licence_id": bench.licence_id, "consent_version": "2026.1"}
    steps = (
        bench.ask("PUT", f"{at}/materials/identity_card", bench.holder, json={"supply": supply}),
        bench.ask(
            "POST", f"{at}/materials/photo/file", bench.holder, files={"file": ("p.png", PHOTO, "image/png")}
        ),
        bench.ask("POST", f"{at}/submit", bench.holder, key=bench.submitted_key),
    )
    assert [each.status_code for each in steps] == [200, 200, 200], [each.text for each in steps]
    return case
