"""Simulation 2: the four services as a whole, from the application to the message that tells of its end.

Real: relay, consumers, handlers, use cases and domain of intake, certs, seal and notify, and the stream that
departments watch. Stood in for: stores (in memory, behind the ports), drawing and signing of documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import services.certs.usecases.make
import services.notify.usecases.deliver
import services.seal.usecases.stamping
from chassis.auth.person import ActingPerson
from chassis.bus.port import NewRecord
from chassis.db import Database
from chassis.errors import ETAG_MISMATCH, Fault
from chassis.inbox import Handler
from chassis.worker import repeating
from events.intake import PartDecided
from services.certs import consumers as certs_consumers
from services.certs.app import read_catalogue
from services.intake import consumers as intake_consumers
from services.intake.catalogue_files import load_catalogue
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.materials import Supplied, SupplyKind
from services.intake.domain.cases.part import Decision, Part
from services.intake.domain.cases.plan import CasePlan, plan_case
from services.intake.domain.cases.states import PartState
from services.intake.domain.catalogue.model import Catalogue
from services.intake.usecases.cases import deciding, submitting
from services.intake.usecases.cases.following import withdraw
from services.notify import consumers as notify_consumers
from services.notify.domain.routing import Routing
from services.notify.domain.template import Channel
from services.notify.templates import read_templates
from services.notify.usecases.deliver import Carriage, deliver_due
from services.seal import consumers as seal_consumers
from standards.identifiers import build_uscc
from tests.simulator.seams import timed_by
from tests.simulator.services import certs, intake, notify, seal
from tests.simulator.services.peers import AskedByCerts, ContactsOfIntake, DocumentsOfCerts, RegistryOfCerts
from tests.simulator.services.stores import peer, recorded
from tests.simulator.stage import Stage
from tests.simulator.watching import Watcher, watch
from tests.simulator.world import Process

SERVICES = ("intake", "certs", "seal", "notify")
CATALOGUE = Path(__file__).parents[2] / "catalogue"
TARGETS = (("item", "social-security-card", "361103"), ("bundle", "open-restaurant", "361123"))
PERSON = Applicant("person-1", "natural", "测试人", "111", "11010519491231002X", "19900000000")
ACTOR = ActingPerson("person-1", 4)


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """Return the real catalogue."""
    return load_catalogue(CATALOGUE)


@lru_cache(maxsize=1)
def known_texts() -> tuple[Any, Any, Any]:
    """Return the real licence types, message templates and names of departments."""
    return (read_catalogue(CATALOGUE)[0], *read_templates(CATALOGUE))


@lru_cache(maxsize=8)
def planned(kind: str, target: str, county: str) -> tuple[CasePlan, dict[str, str]]:
    """Return the plan of a case and a form that fits it."""
    known = catalogue()
    questions = known.bundles[target].questions if kind == "bundle" else known.item_questions(target)
    answers = {each.question_id: each.answers[0].value for each in questions}
    plan = plan_case(known, kind, target, county, answers)
    return plan, {each.code: _filled(each) for each in plan.form}


class Choreography(Stage):
    """One run: a few cases, four services, departments that decide and watch."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        chance = self.world.chance
        self.cases = [f"case-{number}" for number in range(chance.choice((1, 2, 3)))]
        self.instances = {name: chance.choice((1, 1, 2)) for name in SERVICES}
        self.files = {name: intake.MemoryFiles() for name in ("intake", "certs")}
        self.catalogue = catalogue()
        self.known = {PERSON.person_id: PERSON}
        self.gateways = [notify.Gateway(self.world, f"gateway-{number}") for number in (1, 2)]
        self.watchers: list[Watcher] = []
        self.types, self.templates, self.departments = known_texts()
        self.heard: dict[str, list[str]] = {}
        """The event types that each service has handlers for."""

    def run(self) -> None:
        """Run with the stand-ins of drawing and signing in place."""
        with ExitStack() as stack:
            for module, name, stand_in in (
                (services.certs.usecases.make, "render", certs.drawn),
                (services.seal.usecases.stamping, "seal_ofd", seal.stamped),
            ):
                stack.enter_context(patch.object(module, name, stand_in))
            stack.enter_context(timed_by(self.world, services.notify.usecases.deliver))
            super().run()

    async def play(self) -> None:
        """Perform the run."""
        await self._provision()
        await self._draft_cases()
        for name in SERVICES:
            for number in range(self.instances[name]):
                build = getattr(self, f"_{name}")
                self.start(f"{name}-{number}", build)
        if self.world.chance.random() < 0.5:
            self.start("operator-0", lambda _: [self.keep_operating(name) for name in SERVICES])
        people = Process(self.world, "people", mortal=False)
        living = [people.spawn(self._live(case_id)) for case_id in self.cases]
        await self.break_things(self.world.chance.uniform(6, 20))
        await asyncio.wait(living)
        self.mended = True
        for _ in range(8):
            if not await self.until(self.at_rest, "events wait, are unread, or messages are due"):
                return
            if not any(self.server(name).tables["parked_key"] for name in SERVICES):
                break
            for name in SERVICES:
                await self.operate(name, self.database(name), self.handlers_of(name))
        await self.until(
            lambda: all(each.caught_up(self.server("intake")) for each in self.watchers), "watchers"
        )

    def at_rest(self) -> bool:
        """Say whether nothing is on its way, messages included."""
        due = any(row["kept"].next_attempt_at for row in self.server("notify").tables["message"].values())
        return super().at_rest() and not due

    def poison(self) -> None:
        """Append a record of a living aggregate that cannot be read."""
        chance = self.world.chance
        key = chance.choice(self.cases)
        headers = tuple(self.envelope(PartDecided.TYPE, key, 1).headers())
        self.world.note("POISON", key)
        self.bus.write(NewRecord(PartDecided.TOPIC, key.encode(), headers, b"{"))

    def handlers_of(self, name: str) -> list[Handler[Any, Any]]:
        """Return the real handlers of a service over its stores in memory."""
        db = self.database(name)
        made: tuple[Handler[Any, Any], ...] = getattr(self, f"_{name}_handlers")(db)
        self.heard[name] = [handler.event.TYPE for handler in made]
        return [recorded(handler) for handler in made]

    def _common(self, name: str, stop: asyncio.Event) -> tuple[Database, list[Any]]:
        db = self.database(name)
        return db, [self.relay(name, db, stop), self.consumer(name, db, self.handlers_of(name), stop)]

    def _intake(self, process: Process) -> list[Any]:
        db, parts = self._common("intake", process.stop)
        works = intake.MemoryWorks(db, self.known)
        number = int(process.name[-1])
        watchers = [each for each in self.watchers if each.number % self.instances["intake"] == number]
        return [*parts, *(watch(self.world, works, each) for each in watchers)]

    def _certs(self, process: Process) -> list[Any]:
        return self._common("certs", process.stop)[1]

    def _seal(self, process: Process) -> list[Any]:
        return self._common("seal", process.stop)[1]

    def _notify(self, process: Process) -> list[Any]:
        db, parts = self._common("notify", process.stop)
        providers = {each.name: each for each in self.gateways}
        carriage = Carriage(Channel.SMS, providers, Routing(list(providers)))
        unit = notify.messages_unit(db)

        async def deliver() -> bool:
            return await deliver_due(unit, carriage, self.world.now) > 0

        worker = repeating("deliver", deliver, every_seconds=2.0)
        return [*parts, worker.run(process.stop)]

    def _intake_handlers(self, db: Database) -> tuple[Handler[Any, Any], ...]:
        works = intake.MemoryWorks(db, self.known)
        licences: Any = RegistryOfCerts(self)
        return intake_consumers.handlers(
            intake_consumers.Following(
                works, works.within, licences, self.files["intake"], lambda _, kind: kind
            )
        )

    def _certs_handlers(self, db: Database) -> tuple[Handler[Any, Any], ...]:
        del db
        asked: Any = AskedByCerts(self)
        return certs_consumers.handlers(
            certs_consumers.Hearing(
                certs.registry_of, self.files["certs"], self.types, asked, asked, self.world.now
            )
        )

    def _seal_handlers(self, db: Database) -> tuple[Handler[Any, Any], ...]:
        documents: Any = DocumentsOfCerts(self)
        drawer: Any = seal.Drawer()
        return seal_consumers.handlers(seal.unit_of(db), seal.work_of, drawer, documents)

    def _notify_handlers(self, db: Database) -> tuple[Handler[Any, Any], ...]:
        del db
        contacts: Any = ContactsOfIntake(self)
        store_of: Any = notify.MemoryMessages
        return notify_consumers.handlers(
            notify_consumers.Telling(self.templates, self.departments, contacts, store_of, lambda: None)
        )

    def peer(self, name: str) -> Callable[[], Any]:
        """Return calls to a service."""
        return peer(self.world, self.database(name), name)

    async def _provision(self) -> None:
        for name in SERVICES:
            handlers = self.handlers_of(name)
            topics = sorted({handler.event.TOPIC for handler in handlers})
            await self.bus.create_topics(topics, 2)
            self.bus.groups[name].topics = tuple(topics)
        # What nobody hears of is sent all the same.
        others = (
            "intake.case.v1",
            "certs.licence.v1",
            "certs.usage.v1",
            "seal.signature.v1",
            "notify.message.v1",
        )
        await self.bus.create_topics(others, 2)

    async def _draft_cases(self) -> None:
        departments: dict[str, None] = {}
        works = intake.MemoryWorks(self.database("intake"), self.known)
        calm, self.world.calm = self.world.calm, True
        for case_id in self.cases:
            plan, form = planned(*self.world.chance.choice(TARGETS))
            parts = [Part(f"{case_id}-{item.item_id}", item) for item in plan.items]
            case = Case(
                case_id, PERSON.person_id, plan, parts, self.world.now(), assurance=4, form=dict(form)
            )
            for need in plan.needs:
                if need.supplied_by is None:
                    case.supplies[need.material.code] = Supplied(SupplyKind.PROMISE, self.world.now())
            async with works() as work:
                await work.cases.add(case)
            departments |= dict.fromkeys(item.department_code for item in plan.items)
        self.world.calm = calm
        self.watchers = [Watcher(number, code) for number, code in enumerate(departments)]

    async def _live(self, case_id: str) -> None:
        """Apply, be decided, or change one's mind; everybody tries again until they are told that it is done."""
        works = intake.MemoryWorks(self.database("intake"), self.known)
        await asyncio.sleep(self.world.chance.uniform(0, 4))
        await self._until_done(lambda: self._submit(works, case_id))
        if self.world.chance.random() < 0.15:
            await self._until_done(lambda: self._withdraw(works, case_id))
            return
        case = await self._load(works, case_id)
        for part in case.parts:
            await asyncio.sleep(self.world.chance.uniform(0, 3))
            approve = self.world.chance.random() < 0.85
            for position in (0, 1, 2):
                await self._until_done(lambda: self._decide(works, part.part_id, position, approve))  # noqa: B023

    async def _until_done(self, step: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await step()
            except Fault as fault:
                if fault.kind.name not in ("UNAVAILABLE", "ABORTED") and fault.reason is not ETAG_MISMATCH:
                    raise
                await asyncio.sleep(0.5)

    async def _submit(self, works: Any, case_id: str) -> None:
        async with works() as work:
            case = await work.cases.load(case_id)
            if case.submitted_at is None:
                await submitting.submit(work, lambda _, kind: kind, ACTOR, case_id)

    async def _withdraw(self, works: Any, case_id: str) -> None:
        licences: Any = RegistryOfCerts(self)
        await withdraw(works, licences, ACTOR, case_id)

    async def _decide(self, works: Any, part_id: str, position: int, approve: bool) -> None:
        async with works() as work:
            case = await work.cases.load_by_part(part_id)
            part = case.part(part_id)
            staff = catalogue().department_by_uscc(part.item.department_code).staff[position].staff_id
            command = deciding.PartCommand(part.item.department_code, part_id, deciding.etag_of(part), staff)
            if position == 0 and part.state is PartState.SUBMITTED:
                await deciding.accept_part(work, catalogue(), command)
            signed = staff in [each.staff_id for each in part.signatures]
            if position > 0 and part.state in (PartState.ACCEPTED, PartState.REVIEWED) and not signed:
                said = Decision.APPROVE if approve else Decision.REJECT
                await deciding.decide_part(work, catalogue(), command, said, "按规定办理")

    async def _load(self, works: Any, case_id: str) -> Case:
        async def load() -> Case:
            async with works() as work:
                found: Case = await work.cases.load(case_id)
                return found

        found: Case = await self._until_done(load)
        return found


def _filled(field: Any) -> str:
    """Return a value that a form field takes."""
    match field.type.value:
        case "choice":
            return str(field.choices[0].value)
        case "number":
            return str(field.minimum if field.minimum is not None else 1)
        case "uscc":
            return build_uscc("92", "361123", "MATB0001")
    fitting = {"date": "2026-03-01", "mobile": "19900000000", "citizen_id": "11010519491231002X"}
    return fitting.get(field.type.value, "测试"[: field.max_length])
