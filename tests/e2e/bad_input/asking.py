"""How the kiosk's tests ask: one bad request, right but for what is wrong in it, and the refusal it meets."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.e2e.bad_input.bench import ANSWERS, COUNTY, ITEM, Bench
from tests.e2e.bad_input.refusals import Fields, problem

JSON = {"content-type": "application/json"}
DRAFT = {"target": {"kind": "item", "id": ITEM}, "county": COUNTY, "answers": ANSWERS, "form": {}}
NOBODY = str(uuid.UUID(int=7))
MIB = 1024 * 1024


@dataclass(frozen=True)
class Bad:
    """A request and the refusal it meets."""

    what: str
    ask: Callable[[Bench], httpx.Response]
    status: int
    reason: str = "INVALID_REQUEST"
    fields: Fields = field(default_factory=dict)


def other_last(value: str) -> str:
    """Return a value whose last character is another one, so that the check character is wrong."""
    return value[:-1] + ("1" if value[-1] != "1" else "2")


def draft(bench: Bench, key: str | None = "fresh", **changed: object) -> httpx.Response:
    return bench.ask("POST", "/v1/cases", bench.holder, key, json=DRAFT | changed)


def of_draft(bench: Bench, method: str, path: str, **given: object) -> httpx.Response:
    return bench.ask(method, f"/v1/cases/{bench.draft_id}{path}", bench.holder, **given)


def of_submitted(bench: Bench, method: str, path: str, **given: object) -> httpx.Response:
    return bench.ask(method, f"/v1/cases/{bench.submitted['case_id']}{path}", bench.holder, **given)


def supply(bench: Bench, material: str, **choice: object) -> httpx.Response:
    return of_draft(bench, "PUT", f"/materials/{material}", json={"supply": choice})


def upload(bench: Bench, name: str, content: bytes) -> httpx.Response:
    return of_draft(bench, "POST", "/materials/photo/file", files={"file": (name, content, "image/png")})


def empty_draft(bench: Bench) -> str:
    """Return a draft with nothing in it."""
    if not bench.empty_draft_id:
        bench.empty_draft_id = draft(bench).json()["case_id"]
    return bench.empty_draft_id


def refused_whole(bench: Bench, bad: Bad) -> None:
    """Assert that the request meets its refusal, that nothing is kept, and that no name comes back."""
    empty_draft(bench)  # made before anything is counted
    with bench.nothing_kept():
        answer = bad.ask(bench)
    problem(answer, bad.status, bad.reason, bad.fields)
    assert bench.holder.person.name not in answer.text
