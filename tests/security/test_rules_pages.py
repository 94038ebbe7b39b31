"""The written rules are those of the code: every route, method, limit, way in and log line stands on its page."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from chassis.errors import declared
from services.intake.domain.identity import challenge, session
from services.intake.usecases.identity import opening
from tests.security.rights import PUBLIC, ROUTES, RPC

ROOT = Path(__file__).resolve().parents[2]
rules_page = importlib.import_module("docs.rules_page")
data_page = importlib.import_module("docs.data_page")
PAGES = {"rules.md": rules_page.rules_page, "data.md": data_page.data_page}
RULES, DATA = (ROOT / "docs/security" / name for name in PAGES)


@pytest.fixture(scope="module", autouse=True)
def everything() -> None:
    """Have every reason and every line declared."""
    importlib.import_module("docs.generate").load_everything()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs/security" / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_who_may_call_what_stands_on_the_page_as_in_the_matrix() -> None:
    text = RULES.read_text(encoding="utf-8")
    for route, right in ROUTES.items():
        who = "anybody" if right == PUBLIC else "a log-in"
        assert f"| {route} | {who} |" in text, route
    for method, (callers, person) in RPC.items():
        path = method.replace(".", ".v1.", 1)
        line = next(each for each in text.splitlines() if each.startswith(f"| {path} |"))
        _, _, said, alone, *_ = (each.strip() for each in line.split("|"))
        assert {each.removeprefix("service ") for each in said.split(", ")} == set(callers.split())
        assert (alone == "yes") is person


def test_every_limit_and_every_defence_of_the_log_in_stands_on_the_page_with_its_value() -> None:
    text = RULES.read_text(encoding="utf-8")
    for each in (*opening.CODES_BY_PERSON, *opening.CODES_BY_PHONE, opening.SESSIONS_BY_TERMINAL):
        assert f"| `{each.name}` | {each.amount} |" in text
    assert f"| wrong tries of one code | {challenge.MAX_TRIES} |" in text
    minutes = int(session.ABSOLUTE_LIFETIME.total_seconds() // 60)
    assert f"from the log-in and whatever is done | {minutes} min |" in text


def test_every_rule_across_fields_names_a_reason_that_is_declared_once() -> None:
    codes = [code for _, code in rules_page.ACROSS]
    assert len(codes) == len(set(codes))
    assert set(codes) <= {each.code for each in declared()}


def test_every_line_of_a_log_in_and_every_encrypted_table_is_in_the_inventory() -> None:
    text = DATA.read_text(encoding="utf-8")
    for event in (
        "log_in_begun",
        "log_in_accepted",
        "log_in_refused",
        "log_out",
        "request_refused",
        "call_refused",
    ):
        assert f"`{event}`" in text
    for service in ("intake", "certs", "seal", "notify"):
        tables = [each.table for each in data_page._tables(service)]
        assert tables
        assert all(re.search(rf"\| {service} \| `{table}` \|", text) for table in tables)


def test_a_page_says_how_soon_a_weakness_is_mended() -> None:
    days = [int(each) for each in re.findall(r"\| (\d+) days \|\n", DATA.read_text(encoding="utf-8"))]
    assert days == sorted(days)
    assert len(days) == 4
