"""Steps 7 and 8: licences in force, messages out; the QR is shown and an inspector verifies it."""

from __future__ import annotations

import io
from typing import Any

import segno

from chassis.clock import system_clock
from chassis.tlog.note import Verifier
from cli.demo.registers import LAIFENG
from cli.demo.story import Story, expect, follow, or_none, wait_for
from cli.departments import office_by_id
from cli.local.credentials import witness_key_file
from cli.transparency.places import witness_verifier
from cli.trust import keep_trust
from cli.verification import verify_file

FOOD_LICENCE = "11100000MB0143028R901"
IN_FORCE, CLOSED_STATES = "valid", {"closed", "archived"}


async def await_licences(story: Story) -> None:
    """Wait until every approved part has its sealed licence in force and the applicant was told."""

    async def closed() -> dict[str, Any] | None:
        await follow(story)
        case = await story.person.case(story.case_id)
        return case if case["state"] in CLOSED_STATES else None

    case = await wait_for("the case is closed", closed)
    issued = [each["licence_identifier"] for each in case["parts"]]
    expect(all(issued), "every part has its licence")
    licences = [each for each in await story.person.licences() if each["identifier"] in issued]
    expect({each["status"] for each in licences} == {IN_FORCE}, "every result licence is in force")
    main = next(each for each in licences if each["type_code"] == FOOD_LICENCE)
    story.figures |= {
        "licence_identifiers": sorted(issued),
        "licence_identifier": main["identifier"],
        "licence_id": main["licence_id"],
    }
    (story.out / "licence.ofd").write_bytes(await story.person.licence_document(main["licence_id"]))
    (story.out / "licence.pdf").write_bytes(await wait_for("the PDF is sealed", lambda: _pdf(story)))
    told = await wait_for("the applicant is told", lambda: _messages(story))
    story.figures["notifications"] = len(told)
    await follow(story)


async def _pdf(story: Story) -> bytes | None:
    """Return the PDF of the licence once it carries its seal, shortly after the licence is in force."""
    asked = story.person.licence_document(story.figures["licence_id"], "pdf")
    return await or_none(asked, "LICENCE_PDF_NOT_READY")


async def _messages(story: Story) -> list[dict[str, Any]] | None:
    """Return the short messages once the one that the case is closed has come."""
    found = await story.sandbox.messages(story.cast.citizen.phone)
    return found if any("办结" in each["text"] for each in found) else None


async def present(story: Story) -> None:
    """Show the licence as a QR code; an inspector of another province verifies it, online and offline."""
    shown = await story.person.present(story.figures["licence_id"])
    qr = io.BytesIO()
    segno.make(shown["qr_text"], error="m").save(qr, kind="svg")
    (story.out / "presentation.svg").write_bytes(qr.getvalue())
    inspector = office_by_id(story.offices, f"{LAIFENG}-market")
    async with story.reach.department(inspector.uscc) as department:
        keys = await department.presentation_keys()
        answer = await department.verify_presentation(shown["code"])
        again = await or_none(department.verify_presentation(shown["code"]), "PRESENTATION_SCANNED")
        await keep_trust(department, await story.kiosk.jwks(), keys, story.trust, _witnesses(story))
    expect(answer.verdict == "VALID", f"the inspector is told VALID, not {answer.verdict}")
    expect(again is None, "a code is scanned once")
    story.note(LAIFENG, inspector.department_id, "scanned_online", answer.verdict)
    summary = _offline_summary(shown["qr_text"], keys)
    story.note(LAIFENG, inspector.department_id, "scanned_offline", summary)
    report = verify_file(story.out / "licence.ofd", story.trust, system_clock())
    story.figures["verify"] = report.data()
    story.figures["presentation"] = {"online": answer.verdict, "offline": summary}
    expect(report.verdict == "VALID", f"the sealed document verifies offline, not {report.verdict}")
    story.note(LAIFENG, inspector.department_id, "document_verified_offline", report.verdict)


def _witnesses(story: Story) -> list[Verifier]:
    """Return the key of the log's witness, which the inspector has from the witness itself."""
    reach = story.reach
    return [witness_verifier(witness_key_file(reach.layout))] if reach.state.witness else []


def _offline_summary(qr_text: str, keys: str) -> str:
    """Return the status that the QR code proves without the network."""
    from services.certs.app.offline import verify_presentation_offline  # noqa: PLC0415 - only this step needs it

    return verify_presentation_offline(qr_text, keys, system_clock()).status
