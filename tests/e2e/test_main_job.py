"""The main job, once on each transport, through the real command: every number and every file."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from chassis.clock import system_clock
from chassis.errors import Fault
from cli.clients.citizen import new_key
from cli.demo.applying import choose_bundle, log_in
from cli.demo.importing import import_stock
from cli.demo.registers import BROKEN, COUNTIES
from cli.demo.run import open_story
from cli.demo.supplying import supply_materials
from cli.verification import verify_file
from standards.identifiers import check_case_number, check_licence_identifier_for_issuing
from tests.e2e.conftest import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
READY_WITHIN_SECONDS = 15.0
"""On a machine that does nothing else; a crowded one may take its share longer."""
BELOW_BYTES = 1024**3


def test_the_demo_runs_all_ten_steps(told: Told):
    assert told.status == 0, (told.figures.get("failed"), told.command.logs())
    assert "failed" not in told.figures


@pytest.mark.promise("P1")
def test_up_is_quick_and_the_stack_is_small(told: Told):
    assert told.started["started_seconds"] < READY_WITHIN_SECONDS * told.crowding
    assert told.status_after["ready"]
    assert told.status_after["pss_bytes"] < BELOW_BYTES


def test_every_register_row_is_answered_and_only_the_broken_ones_are_refused(told: Told):
    figures = told.figures
    assert figures["refused_rows"] == len(BROKEN) * len(COUNTIES)
    assert min(figures["imported_by_county"].values()) >= 200
    assert sum(figures["imported_by_county"].values()) == figures["imported"]
    for county in COUNTIES:
        results = next((told.out / "build" / "registers").glob(f"{county}.*.results.jsonl"))
        answers = [json.loads(line) for line in results.read_text().splitlines()]
        assert [each["row_number"] for each in answers] == list(range(1, len(answers) + 1))
        refused = [each for each in answers if each["outcome"] == "refused"]
        assert len(refused) == len(BROKEN)
        assert all(each["problems"] for each in refused)


def test_licences_of_two_other_counties_stand_in_for_paper(told: Told):
    figures = told.figures
    assert figures["materials_by_county"] == {"361103": 2, "422827": 1}
    assert figures["materials_from_licences"] == 3
    assert sum(figures["materials_by_way"].values()) == figures["materials_demanded"]
    assert {"promise", "tolerance", "upload", "licence"} == set(figures["materials_by_way"])


def test_three_departments_decide_within_two_signatures_each(told: Told):
    departments = told.figures["departments"]
    assert {each["department"] for each in departments} == {"361123-market", "361123-urban", "361123-fire"}
    assert [1 <= each["signatures"] <= 2 for each in departments] == [True] * 3
    assert all(each["licences_used"] >= 2 for each in departments)
    assert all(each["promised_due"] <= each["statutory_due"] for each in departments)


def test_the_numbers_carry_right_check_characters(told: Told):
    assert check_case_number(told.figures["case_no"]).valid
    identifiers = told.figures["licence_identifiers"]
    assert len(set(identifiers)) == 3
    assert told.figures["licence_identifier"] in identifiers
    assert all(check_licence_identifier_for_issuing(each).valid for each in identifiers)


def test_the_timeline_names_every_service_and_stands_in_order(told: Told):
    timeline = json.loads((told.out / "timeline.json").read_text())
    assert timeline == told.figures["timeline"]
    assert [each["at"] for each in timeline] == sorted(each["at"] for each in timeline)
    assert {"intake", "certs", "seal", "notify"} <= {each["service"] for each in timeline}
    happened = [each["what"] for each in timeline]
    for what, times in {
        "case_submitted": 1,
        "part_accepted": 3,
        "part_decided": 3,
        "licence_made": 3,
        "document_sealed": 3,
        "licence_issued": 3,
        "licence_used": 7,
        "case_closed": 1,
        "case_archived": 1,
        "case_rated": 1,
    }.items():
        assert happened.count(what) == times, what


def test_the_inspector_of_another_province_is_told_valid_online_and_offline(told: Told):
    assert told.figures["presentation"] == {"online": "VALID", "offline": "valid"}
    assert told.figures["verify"]["verdict"] == "VALID"
    (signature,) = told.figures["verify"]["signatures"]
    assert {each["result"] for each in signature["checks"]} <= {"valid", "not_applicable"}


def test_a_bad_rating_opened_a_rectification_order(told: Told):
    rating = told.figures["rating"]
    assert (rating["grade"], bool(rating["order_id"])) == (2, True)


@pytest.mark.parametrize("name", ["licence.ofd", "receipt.json", "archive.zip"])
def test_what_the_demo_leaves_verifies_offline(told: Told, name: str):
    done = told.command.run("verify", str(told.out / name), "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "VALID"), done.stdout


def test_a_flipped_byte_is_found_wherever_it_is(told: Told, tmp_path: Path):
    document = (told.out / "licence.ofd").read_bytes()
    for place in places(document):
        broken = bytearray(document)
        broken[place] ^= 1
        file = tmp_path / "licence.ofd"
        file.write_bytes(broken)
        report = verify_file(file, told.reach.layout.home / "trust", system_clock())
        assert report.verdict == "INVALID", place
    done = told.command.run("verify", str(tmp_path / "licence.ofd"), "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "INVALID")


def places(document: bytes) -> list[int]:
    """Return the middle of every file in the package, its first and last byte, and some in between."""
    with zipfile.ZipFile(io.BytesIO(document)) as package:
        files = [
            info.header_offset + 30 + len(info.filename.encode()) + info.compress_size // 2
            for info in package.infolist()
        ]
    return sorted({0, len(document) - 1, *files})


def test_a_changed_receipt_and_a_changed_package_are_invalid(told: Told, tmp_path: Path):
    trust = told.reach.layout.home / "trust"
    receipt = json.loads((told.out / "receipt.json").read_text())
    receipt["document"]["case_no"] = receipt["document"]["case_no"][:-1] + "?"
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    assert verify_file(tmp_path / "receipt.json", trust, system_clock()).verdict == "INVALID"
    package = bytearray((told.out / "archive.zip").read_bytes())
    package[len(package) // 2] ^= 1
    (tmp_path / "archive.zip").write_bytes(package)
    assert verify_file(tmp_path / "archive.zip", trust, system_clock()).verdict == "INVALID"


def test_submitting_again_gives_the_same_receipt_and_nothing_twice(told: Told, tmp_path: Path, run_in_loop):
    async def work() -> None:
        async with open_story(told.reach, tmp_path, 77) as story:
            for step in (import_stock, log_in, choose_bundle, supply_materials):
                await step(story)
            person, key = story.person, new_key()
            first = await person.submit(story.case_id, key)
            assert await person.submit(story.case_id, key) == first
            with pytest.raises(Fault) as again:
                await person.submit(story.case_id, new_key())
            assert again.value.code == "CASE_ALREADY_SUBMITTED"
            other = await person.create_case("bundle", "open-restaurant", "361123", ANSWERS_OF_NOBODY, {})
            with pytest.raises(Fault) as reused:
                await person.submit(str(other["case_id"]), key)
            assert reused.value.code == "REQUEST_ID_REUSED"
            submitted = [
                each for each in await person.timeline(story.case_id) if each["what"] == "case_submitted"
            ]
            assert len(submitted) == 1
            await person.leave()
            with pytest.raises(Fault) as left:
                await person.case(story.case_id)
            assert left.value.code == "NOT_AUTHENTICATED"

    run_in_loop(work())


ANSWERS_OF_NOBODY = {
    "premises_tenure": "own",
    "food_special_area": "true",
    "sign_on_shared_building": "true",
    "fire_promise": "inspection",
}


def test_parked_events_there_are_none(told: Told):
    for service in ("intake", "certs", "seal", "notify"):
        status, answer = told.command("dead-letters", "list", "--service", service)
        assert (status, answer["causes"]) == (0, []), service


def test_replayed_events_change_nothing(told: Told):
    status, answer = told.command("replay", "--service", "certs", "--since", "2020-01-01T00:00:00")
    assert status == 0
    assert answer["republished"] > 0
