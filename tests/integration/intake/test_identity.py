from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import structlog

from chassis import logs
from chassis.auth import new_signing_key
from chassis.errors import Fault
from services.intake.domain.identity.challenge import LIFETIME, MAX_TRIES
from services.intake.usecases.identity.contacts import get_contact
from services.intake.usecases.identity.opening import resend_code
from services.intake.usecases.identity.sweeping import forget_expired
from tests.integration.intake.stage import (
    KIOSK,
    OTHER_KIOSK,
    Stage,
    card,
    headers,
    key,
    open_stage,
)
from tests.stacks.postgres import PostgresServer

PHONE, OTHER_PHONE = "19900000001", "19900000002"


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


@pytest.fixture
def captured_logs() -> Iterator[io.StringIO]:
    """Everything the process logs, at the finest level, through the real pipeline."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("intake", level="debug", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def fail(stage: Stage, session_id: str) -> None:
    code = wrong(stage.handset.sent[-1]["code"])
    for _ in range(MAX_TRIES):
        assert (await stage.verify(session_id, code)).status_code == 401


async def test_a_first_log_in_registers_the_person_and_a_later_one_finds_them(stage: Stage) -> None:
    first = await stage.enter(card(), PHONE)
    me = (await stage.web.get("/v1/me", headers=first)).json()
    assert me["assurance"] == 3
    assert me["name_masked"] == "测**"
    assert me["phone_masked"] == "199****0001"
    stage.pass_time(seconds=61)
    again = await stage.enter(card())
    assert (await stage.web.get("/v1/me", headers=again)).json()["person_id"] == me["person_id"]
    async with stage.database.transaction() as tx:
        events = await tx.fetch("select topic, aggregate_id, version from event_log")
    assert [tuple(each) for each in events] == [("intake.person.v1", me["person_id"], 1)]


async def test_a_code_goes_to_the_stored_phone_whatever_is_given_later(stage: Stage) -> None:
    await stage.enter(card(), PHONE)
    stage.pass_time(seconds=61)
    answer = await stage.open(card(), OTHER_PHONE)
    assert answer.json()["phone_masked"] == "199****0001"
    assert stage.handset.sent[-1]["phone"] == PHONE


async def test_known_and_unknown_persons_get_answers_of_the_same_shape(stage: Stage) -> None:
    await stage.enter(card(), PHONE)
    stage.pass_time(seconds=61)
    known = await stage.open(card(), PHONE)
    unknown = await stage.open(card(77, "测试乙某"), OTHER_PHONE)
    assert known.status_code == unknown.status_code == 202
    assert known.json().keys() == unknown.json().keys()


async def test_a_first_log_in_needs_a_phone(stage: Stage) -> None:
    answer = await stage.open(card())
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["violations"]] == ["phone"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_card_with_another_name_than_registered_is_sent_to_a_window(stage: Stage) -> None:
    await stage.enter(card(), PHONE)
    stage.pass_time(seconds=61)
    answer = await stage.open(card(name="测试丙某"))
    assert (answer.status_code, answer.json()["code"]) == (403, "CARD_NOT_CONFIRMED")


async def test_an_assertion_opens_one_session_only(stage: Stage) -> None:
    body = {"assertion": stage.assertion(card()), "reading": card(), "phone": PHONE}
    assert (await stage.web.post("/v1/sessions", json=body)).status_code == 202
    stage.pass_time(seconds=30)
    assert (await stage.web.post("/v1/sessions", json=body)).status_code == 401


async def test_only_a_fresh_assertion_of_a_registered_terminal_over_this_reading_counts(stage: Stage) -> None:
    reading = card()
    old = stage.assertion(reading)
    cases = [
        stage.assertion(card(99)),
        stage.assertion(reading, bound_to=None),
        stage.assertion(reading, audience="tongban-certs"),
        stage.assertion(reading, key=new_signing_key()),
        stage.assertion(reading, terminal="KIOSK-000000-99", key=stage.terminal_keys[KIOSK]),
        stage.assertion(reading, terminal="KIOSK-361103-01", key=stage.terminal_keys[KIOSK]),
        "no assertion",
    ]
    for assertion in cases:
        answer = await stage.web.post(
            "/v1/sessions", json={"assertion": assertion, "reading": reading, "phone": PHONE}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED")
    stage.pass_time(minutes=3)
    late = {"assertion": old, "reading": reading, "phone": PHONE}
    assert (await stage.web.post("/v1/sessions", json=late)).status_code == 401
    assert stage.handset.sent == []


async def test_a_terminal_whose_key_was_removed_is_shut_out_at_once(stage: Stage) -> None:
    (stage.key_folder / f"{KIOSK}.pem").unlink()
    assert (await stage.open(card(), PHONE)).status_code == 401


async def test_a_wrong_reading_names_every_mistake(stage: Stage) -> None:
    answer = await stage.open({"id_number": "1", "name": "测试", "reader": "camera"}, "123")
    assert answer.status_code == 400
    assert {each["field"] for each in answer.json()["violations"]} == {
        "reading.id_number",
        "reading.reader",
        "phone",
    }


async def test_every_refused_code_gets_the_same_answer(stage: Stage) -> None:
    opened = (await stage.open(card(), PHONE)).json()
    code = stage.handset.sent[-1]["code"]
    answers = [
        await stage.verify(opened["session_id"], wrong(code)),
        await stage.verify(opened["session_id"], code, OTHER_KIOSK),
        await stage.verify("0198d3a5-0000-7000-8000-000000000001", code),
    ]
    assert (await stage.verify(opened["session_id"], code)).status_code == 200
    answers.append(await stage.verify(opened["session_id"], code))
    stage.pass_time(seconds=61)
    later = (await stage.open(card(), PHONE)).json()
    stage.pass_time(seconds=LIFETIME.total_seconds())
    answers.append(await stage.verify(later["session_id"], stage.handset.sent[-1]["code"]))
    shown = [{**each.json(), "trace_id": "", "request_id": ""} for each in answers]
    assert shown[0]["code"] == "CODE_NOT_ACCEPTED"
    assert all(each == shown[0] for each in shown)
    assert {each.status_code for each in answers} == {401}


async def test_five_wrong_tries_lock_the_code(stage: Stage) -> None:
    opened = (await stage.open(card(), PHONE)).json()
    await fail(stage, opened["session_id"])
    assert (await stage.verify(opened["session_id"], stage.handset.sent[-1]["code"])).status_code == 401


async def test_five_failed_log_ins_lock_the_person_for_half_an_hour(stage: Stage) -> None:
    for _ in range(5):
        opened = (await stage.open(card(), PHONE)).json()
        await fail(stage, opened["session_id"])
        stage.pass_time(seconds=61)
    answer = await stage.open(card(), PHONE)
    assert (answer.status_code, answer.json()["code"]) == (429, "LOG_IN_LOCKED")
    assert 1_700 < int(answer.headers["retry-after"]) <= 1_800
    assert (await stage.open(card(78, "测试乙某"), OTHER_PHONE)).status_code == 202
    stage.pass_time(minutes=60)
    await stage.enter(card(), PHONE)


async def test_the_same_code_is_sent_again_after_a_minute(stage: Stage) -> None:
    opened = (await stage.open(card(), PHONE)).json()
    path = f"/v1/sessions/{opened['session_id']}/resend"
    soon = await stage.web.post(path, headers={"x-terminal-id": KIOSK})
    assert (soon.status_code, soon.json()["code"]) == (429, "RESEND_TOO_SOON")
    stage.pass_time(seconds=61)
    elsewhere = await stage.web.post(path, headers={"x-terminal-id": OTHER_KIOSK})
    assert elsewhere.json()["code"] == "CODE_NOT_ACCEPTED"
    assert (await stage.web.post(path, headers={"x-terminal-id": KIOSK})).status_code == 202
    codes = [each["code"] for each in stage.handset.sent]
    assert len(codes) == 2
    assert len(set(codes)) == 1
    assert (await stage.verify(opened["session_id"], codes[0])).status_code == 200


async def test_a_code_sent_again_asks_for_its_budget_with_no_transaction_open(stage: Stage) -> None:
    """Else as many resends at once as the pool has connections wait for each other."""
    opened = (await stage.open(card(), PHONE)).json()
    stage.pass_time(seconds=61)
    pool, asked = stage.database.pool, list[int]()

    class Watching:
        async def check_all(self, wanted: object) -> None:
            asked.append(pool.get_size() - pool.get_idle_size())

    watched = replace(stage.log_in, limits=Watching())
    await resend_code(watched, opened["session_id"], KIOSK)
    assert asked
    assert set(asked) == {0}


async def test_codes_are_limited_for_each_person_and_phone(stage: Stage) -> None:
    assert (await stage.open(card(), PHONE)).status_code == 202
    assert (await stage.open(card(), PHONE)).json()["code"] == "TOO_MANY_REQUESTS"
    assert (await stage.open(card(78, "测试乙某"), PHONE)).json()["code"] == "TOO_MANY_REQUESTS"
    for _ in range(4):
        stage.pass_time(seconds=61)
        assert (await stage.open(card(), PHONE)).status_code == 202
    stage.pass_time(seconds=61)
    answer = await stage.open(card(), PHONE)
    assert (answer.status_code, answer.json()["code"]) == (429, "TOO_MANY_REQUESTS")


async def test_a_token_works_at_its_own_terminal_only(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 200
    for changed in ({"x-terminal-id": OTHER_KIOSK}, {"x-terminal-id": ""}, {"authorization": "Bearer x.y.z"}):
        assert (await stage.web.get("/v1/me", headers=entered | changed)).status_code == 401
    assert (await stage.web.get("/v1/me")).status_code == 401


async def test_an_ended_session_opens_nothing_any_more(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    ended = await stage.web.delete("/v1/sessions/current", headers=entered)
    assert ended.status_code == 204
    assert "storage" in ended.headers["clear-site-data"]
    answer = await stage.web.get("/v1/me", headers=entered)
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED")


async def test_a_session_is_over_after_fifteen_minutes(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    stage.pass_time(minutes=14)
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 200
    stage.pass_time(minutes=1, seconds=1)
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 401


async def test_a_token_signed_by_another_key_is_refused(stage: Stage) -> None:
    from chassis.auth import ActingPerson, TokenSigner
    from chassis.service import TOKEN_ISSUER

    await stage.enter(card(), PHONE)
    forged = TokenSigner(new_signing_key(), TOKEN_ISSUER, now=stage.now).sign(
        ActingPerson("someone", 3, terminal_id=KIOSK, session_id="0198d3a5-0000-7000-8000-000000000001")
    )
    assert (await stage.web.get("/v1/me", headers=headers(forged))).status_code == 401


async def test_reading_a_contact_leaves_a_record_with_its_purpose(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    person_id = (await stage.web.get("/v1/me", headers=entered)).json()["person_id"]
    async with stage.log_in.open_work() as work:
        contact = await get_contact(work, person_id, "service/notify", "case:42")
        with pytest.raises(Fault, match="INVALID_REQUEST"):
            await get_contact(work, person_id, "service/notify", " ")
        with pytest.raises(Fault, match="PERSON_NOT_FOUND"):
            await get_contact(work, "nobody", "service/notify", "case:42")
    assert (contact.phone, contact.masked_name) == (PHONE, "测**")
    async with stage.database.transaction() as tx:
        rows = await tx.fetch("select person_id, reader, purpose from contact_read")
    assert [tuple(each) for each in rows] == [(person_id, "service/notify", "case:42")]


async def test_unknown_fields_are_refused(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    answer = await stage.web.post("/v1/me/organisations", json={"uscc": "x", "admin": True}, headers=entered)
    assert answer.status_code == 400
    assert ("admin", "FIELD_UNKNOWN") in {(e["field"], e["code"]) for e in answer.json()["violations"]}


async def test_answers_are_never_stored_by_browsers_or_proxies(stage: Stage) -> None:
    answer = await stage.open(card(), PHONE)
    assert answer.headers["cache-control"] == "no-store"


async def test_personal_values_are_neither_in_the_database_nor_in_the_logs(
    stage: Stage, captured_logs: io.StringIO
) -> None:
    reading = card(55, "测试丁某")
    entered = await stage.enter(reading, "19900000055")
    code = stage.handset.sent[-1]["code"]
    await stage.web.post("/v1/cases", json={}, headers=entered | key())
    stage.pass_time(seconds=61)
    await stage.open(reading)
    connection = await asyncpg.connect(stage.dsn)
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        rows = [await connection.fetch(f'select t::text from "{each["tablename"]}" t') for each in tables]
    finally:
        await connection.close()
    dump = "".join(str(each) for each in rows)
    for secret in (reading["id_number"], reading["name"], "19900000055"):
        assert secret not in dump
        assert secret.encode().hex() not in dump
        assert secret not in captured_logs.getvalue()
    assert f'"{code}"' not in dump


async def test_what_has_run_out_is_forgotten(stage: Stage) -> None:
    await stage.open(card(), PHONE)
    assert await forget_expired(stage.log_in) == 0
    stage.pass_time(hours=25)
    assert await forget_expired(stage.log_in) >= 2
    async with stage.database.transaction() as tx:
        assert await tx.fetchval("select count(*) from login_challenge") == 0
        assert await tx.fetchval("select count(*) from terminal_assertion") == 0


async def test_of_many_tries_with_the_right_code_at_once_one_gets_in(stage: Stage) -> None:
    opened = (await stage.open(card(), PHONE)).json()
    code = stage.handset.sent[-1]["code"]
    answers = await asyncio.gather(*(stage.verify(opened["session_id"], code) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [200] + [401] * 7


async def test_wrong_tries_at_once_are_each_counted(stage: Stage) -> None:
    opened = (await stage.open(card(), PHONE)).json()
    code = wrong(stage.handset.sent[-1]["code"])
    await asyncio.gather(*(stage.verify(opened["session_id"], code) for _ in range(8)))
    async with stage.database.transaction() as tx:
        row = await tx.fetchrow("select state, wrong_tries, claim from login_challenge")
    assert tuple(row) == ("locked", MAX_TRIES, None)


async def test_two_first_log_ins_of_a_person_at_once_register_one_person(stage: Stage) -> None:
    first = (await stage.open(card(), PHONE)).json()
    stage.pass_time(seconds=61)
    second = (await stage.open(card(), OTHER_PHONE, OTHER_KIOSK)).json()
    codes = [each["code"] for each in stage.handset.sent]
    answers = await asyncio.gather(
        stage.verify(first["session_id"], codes[0]),
        stage.verify(second["session_id"], codes[1], OTHER_KIOSK),
    )
    assert [each.status_code for each in answers] == [200, 200]
    assert len({each.json()["person_id"] for each in answers}) == 1
