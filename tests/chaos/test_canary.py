"""The checker is checked: doctored copies of a sound run's evidence must each be found out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from chassis.event import new_event_id
from tests.chaos.evidence import Carried, Evidence, Published, until
from tests.chaos.invariants import check

CASE, PERSON, LICENCE, SIGNATURE = "intake.case.v1", "p1", "certs.licence.v1", "seal.signature.v1"
HANDLED = {
    "intake": {"LicenceIssued", "MessageSent", "CaseClosed"},
    "certs": {"PartDecided", "DocumentSealed"},
    "seal": {"LicenceMade"},
    "notify": {"CaseSubmitted", "PartDecided", "PartCompleted", "CaseClosed"},
}


class Scribe:
    """Writes the evidence of a run in which nothing went wrong."""

    def __init__(self) -> None:
        self.evidence = Evidence(handled=HANDLED, dead=dict.fromkeys(HANDLED, 0))
        self.evidence.seen = {service: [] for service in HANDLED}
        self.versions: dict[tuple[str, str], int] = {}
        self.numbers = iter(range(1_000_000))

    def publish(self, topic: str, name: str, key: str, **body: object) -> Published:
        version = self.versions[topic, key] = self.versions.get((topic, key), 0) + 1
        service, event_id = topic.split(".", maxsplit=1)[0], f"e{next(self.numbers)}"
        event = Published(service, event_id, topic, key, version, f"{service}.{name}.v1", body, sent=True)
        self.evidence.published.append(event)
        self.evidence.carried.append(Carried(topic, 0, len(self.evidence.carried), key, event_id, version))
        for consumer, names in HANDLED.items():
            if name in names:
                self.evidence.seen[consumer].append(event_id)
        return event

    def tell(self, event: Published) -> None:
        for channel, state in (("sms", "sent"), ("inbox", "delivered")):
            message_id = f"m{next(self.numbers)}"
            self.evidence.messages.append((message_id, f"event:{event.event_id}", channel, state))
            if channel == "sms":
                self.evidence.sent_texts.append(message_id)
            self.publish("notify.message.v1", "MessageSent", message_id)

    def case(self, case_id: str) -> None:
        part, licence, number = f"{case_id}-part", f"{case_id}-licence", f"no-{case_id}"
        self.evidence.cases[case_id] = (number, "closed")
        self.evidence.receipts[case_id] = {number}
        self.tell(self.publish(CASE, "CaseSubmitted", case_id))
        self.tell(
            self.publish(CASE, "PartDecided", case_id, part_id=part, approved=True, licence_type_code="R902")
        )
        self.publish(LICENCE, "LicenceMade", licence)
        self.publish(SIGNATURE, "DocumentSealed", f"{case_id}-signature", licence_id=licence)
        self.publish(LICENCE, "LicenceIssued", licence)
        self.evidence.licences.append((licence, part, "valid"))
        self.evidence.ledger += [
            (f"{case_id}-signature", licence, "sealed", "ofd"),
            (f"{case_id}-of-pdf", licence, "sealed", "pdf"),
        ]
        self.tell(self.publish(CASE, "PartCompleted", case_id, licence_name="社会保障卡"))
        self.tell(self.publish(CASE, "CaseClosed", case_id))
        self.publish(CASE, "CaseArchived", case_id)


@pytest.fixture
def sound() -> Evidence:
    scribe = Scribe()
    for number in range(3):
        scribe.case(f"c{number}")
    return scribe.evidence


def a_licence_is_lost(doctored: Evidence) -> None:
    del doctored.licences[1]


def a_licence_is_made_twice(doctored: Evidence) -> None:
    doctored.licences.append(("another", *doctored.licences[0][1:]))


def a_licence_is_not_in_force(doctored: Evidence) -> None:
    doctored.licences[0] = (*doctored.licences[0][:2], "pending_seal")


def a_message_is_written_twice(doctored: Evidence) -> None:
    doctored.messages.append(("another", *doctored.messages[0][1:]))


def a_message_is_never_written(doctored: Evidence) -> None:
    del doctored.messages[2]


def a_text_leaves_twice(doctored: Evidence) -> None:
    doctored.sent_texts.append(doctored.sent_texts[0])


def a_text_is_claimed_but_never_left(doctored: Evidence) -> None:
    del doctored.sent_texts[0]


def two_events_of_a_key_change_places(doctored: Evidence) -> None:
    first, second = (n for n, each in enumerate(doctored.carried) if each.key == "c1" and each.version < 3)
    doctored.carried[first], doctored.carried[second] = doctored.carried[second], doctored.carried[first]


def an_event_never_left_the_outbox(doctored: Evidence) -> None:
    doctored.published[4] = replace(doctored.published[4], sent=False)


def an_event_is_lost_on_the_way(doctored: Evidence) -> None:
    del doctored.carried[5]


def an_event_is_on_the_bus_twice(doctored: Evidence) -> None:
    doctored.carried.append(doctored.carried[5])


def an_event_is_lost_from_the_outbox(doctored: Evidence) -> None:
    gone = next(n for n, each in enumerate(doctored.published) if each.key == "c2" and each.version == 2)
    del doctored.published[gone]


def an_event_was_not_heard(doctored: Evidence) -> None:
    doctored.seen["seal"].pop()


def an_event_was_heard_twice(doctored: Evidence) -> None:
    doctored.seen["seal"].append(doctored.seen["seal"][0])


def a_document_is_sealed_twice(doctored: Evidence) -> None:
    doctored.ledger.append(("another", *doctored.ledger[0][1:]))


def a_pdf_is_sealed_twice(doctored: Evidence) -> None:
    doctored.ledger.append(("another", *doctored.ledger[1][1:]))


def a_pdf_is_sealed_of_nothing(doctored: Evidence) -> None:
    doctored.ledger.append(("another", "no-licence", *doctored.ledger[1][2:]))


def a_document_is_sealed_without_its_event(doctored: Evidence) -> None:
    doctored.published = [
        each for each in doctored.published if (each.name, each.body.get("licence_id")) != SEALED_OF_C0
    ]


SEALED_OF_C0 = ("DocumentSealed", "c0-licence")


def a_case_is_submitted_twice(doctored: Evidence) -> None:
    doctored.receipts["c0"].add("no-other")


def an_acknowledged_case_is_gone(doctored: Evidence) -> None:
    del doctored.cases["c0"]


def a_case_stays_open(doctored: Evidence) -> None:
    doctored.cases["c0"] = ("no-c0", "in_progress")


def a_case_is_not_archived(doctored: Evidence) -> None:
    doctored.unarchived.append("c0")


def an_event_is_parked(doctored: Evidence) -> None:
    doctored.dead["certs"] = 1


DOCTORINGS = (
    a_licence_is_lost,
    a_licence_is_made_twice,
    a_licence_is_not_in_force,
    a_message_is_written_twice,
    a_message_is_never_written,
    a_text_leaves_twice,
    a_text_is_claimed_but_never_left,
    two_events_of_a_key_change_places,
    an_event_never_left_the_outbox,
    an_event_is_lost_on_the_way,
    an_event_is_on_the_bus_twice,
    an_event_is_lost_from_the_outbox,
    an_event_was_not_heard,
    an_event_was_heard_twice,
    a_document_is_sealed_twice,
    a_pdf_is_sealed_twice,
    a_pdf_is_sealed_of_nothing,
    a_document_is_sealed_without_its_event,
    a_case_is_submitted_twice,
    an_acknowledged_case_is_gone,
    a_case_stays_open,
    a_case_is_not_archived,
    an_event_is_parked,
)


def test_sound_evidence_breaks_no_invariant(sound: Evidence) -> None:
    assert check(sound) == []


@pytest.mark.parametrize("doctor", DOCTORINGS, ids=lambda doctor: doctor.__name__)
def test_doctored_evidence_is_found_out(sound: Evidence, doctor: Callable[[Evidence], None]) -> None:
    doctored = copy.deepcopy(sound)
    doctor(doctored)
    problems = check(doctored)
    print(problems)
    assert problems


def test_a_bus_that_repeats_is_allowed_to_repeat_but_not_to_invert(sound: Evidence) -> None:
    sound.bus_repeats = True
    sound.carried += sound.carried[3:9]
    assert check(sound) == []
    two_events_of_a_key_change_places(sound)
    assert check(sound)


def test_what_is_sent_while_the_evidence_is_read_is_no_ghost_what_was_there_before_is_one() -> None:
    early, known, late = (Carried(CASE, 0, at, "c", str(new_event_id()), at) for at in range(3))
    found = Evidence(
        published=[Published("intake", known.event_id, CASE, "c", 1, "intake.X.v1", {}, sent=True)]
    )
    assert until(time.time() + 1, found, [early, known, late]) == [early, known, late]
    assert until(time.time() - 1, found, [early, known, late]) == [known]
