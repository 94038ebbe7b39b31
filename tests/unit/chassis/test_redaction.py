from __future__ import annotations

import dataclasses
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from chassis import logs
from chassis.redaction import redact, redact_text

CITIZEN = "11010519491231002X"
MOBILE = "19900000001"
CARD = "6222020000000000005"
MAIL = "wang.fang@example.cn"
NUMBERS = st.sampled_from([CITIZEN, CITIZEN.lower(), "440524188001010014", MOBILE, CARD])


def values(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3)
            | st.dictionaries(st.text(max_size=8), inner, min_size=1, max_size=3)
            | st.tuples(inner, inner)
        ),
        max_leaves=6,
    )


def rendered(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


@given(number=NUMBERS, before=st.text(), after=st.text())
def test_a_number_never_appears_whatever_stands_around_it(number: str, before: str, after: str) -> None:
    assert number not in redact_text(before + number + after)


@given(number=NUMBERS, data=st.data())
def test_a_number_never_appears_from_any_nesting(number: str, data: st.DataObject) -> None:
    leaf = (
        st.text(max_size=5).map(lambda text: f"{text}{number}") | st.just(number) | st.just(number.encode())
    )
    shown = rendered(redact(data.draw(values(leaf))))
    assert number not in shown


@given(number=NUMBERS)
def test_a_number_never_appears_as_a_figure_or_a_key(number: str) -> None:
    if number.isdecimal():
        assert number not in rendered(redact({"n": int(number), "f": float(number)}))
    assert number not in rendered(redact({number: 1}))


@given(number=NUMBERS, separator=st.sampled_from([" ", "-"]))
def test_separators_inside_a_number_do_not_help_it(number: str, separator: str) -> None:
    grouped = separator.join(number[at : at + 4] for at in range(0, len(number), 4))
    assert grouped not in redact_text(f"call {grouped}!")
    assert number[6:14] not in redact_text(grouped).replace(separator, "")


def test_two_hidden_numbers_can_be_told_apart() -> None:
    assert redact_text(f"{MOBILE} {MAIL}") == "******01 w***@example.cn"


@pytest.mark.parametrize(
    "key",
    ["holder_name", "holderName", "phone", "applicant", "address", "Authorization", "otp_code", "bus_dsn"],
)
def test_a_known_key_hides_whatever_it_holds(key: str) -> None:
    assert "张三丰住址七八九十百" not in rendered(
        redact({key: "张三丰住址七八九十百", "x": {key: ["张三丰住址七八九十百"]}})
    )


@pytest.mark.parametrize(
    "harmless",
    [
        {"case_id": "0190c2f0-7d4e-7a10-8123-123456789012"},
        {"text": "case 0190c2f0-7d4e-7a10-8123-123456789012 closed"},
        {"digest": "12345678901234567890123456789012"},
        {"code": "LICENCE_NOT_FOUND", "seconds": 12.5, "rows": 1_000_000},
        {"event_name": "LicenceIssued", "item_code": "11370800MB285"},
        {"at": "2026-11-22T09:30:00.123456Z"},
    ],
)
def test_ids_reasons_and_times_stay_readable(harmless: dict[str, object]) -> None:
    assert redact(harmless) == harmless


def test_secrets_in_texts_are_hidden() -> None:
    shown = redact_text(
        "postgresql://intake_app:hunter2@db/intake Bearer abc.def-1 eyJhbGciOi.eyJzdWIi.c2ln"
        " -----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"
    )
    for secret in ("hunter2", "abc.def", "eyJzdWIi", "MIIB"):
        assert secret not in shown


def test_models_and_dataclasses_are_redacted_by_their_fields() -> None:
    class Person(BaseModel):
        holder_name: str

    @dataclasses.dataclass
    class Call:
        phone: str

    assert redact([Person(holder_name="王小明"), Call(MOBILE)]) == [
        {"holder_name": "***"},
        {"phone": "***"},
    ]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("intake", stream=stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object_with_time_service_and_bound_ids(lines: io.StringIO) -> None:
    with logs.bound(case_id="c-1"):
        logs.get_logger("intake.cases").info("case_submitted", holder_name="王小明", note="第一行\n第二行")
    (line,) = lines.getvalue().splitlines()
    shown = json.loads(line)
    assert shown["event"] == "case_submitted"
    assert shown["service"] == "intake"
    assert shown["level"] == "info"
    assert shown["case_id"] == "c-1"
    assert shown["holder_name"] == "***"
    assert shown["ts"].endswith("Z")


def test_what_libraries_log_is_redacted_too(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("sent to %s", MOBILE, extra={"phone": MOBILE})
    shown = json.loads(lines.getvalue())
    assert MOBILE not in lines.getvalue()
    assert shown["event"] == "sent to ******01"
    assert shown["service"] == "intake"


def test_a_traceback_shows_neither_numbers_nor_values_of_rows(lines: io.StringIO) -> None:
    class Row(BaseModel):
        age: int

    name = "王小明"
    try:
        try:
            Row.model_validate({"age": name})
        except ValidationError as problem:
            raise RuntimeError(f"{CITIZEN}\nDETAIL:  Key (name)=({name}) already exists.") from problem
    except RuntimeError:
        logs.get_logger("x").exception("failed", cause=CITIZEN)
    shown = lines.getvalue()
    assert "RuntimeError" in shown
    assert CITIZEN not in shown
    assert name not in shown


def test_a_value_that_cannot_be_read_is_hidden_not_raised(lines: io.StringIO) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError(CITIZEN)

    logs.get_logger("x").info("odd", thing=Hostile())
    assert json.loads(lines.getvalue())["thing"] == "<unreadable RuntimeError>"
