"""What the cases of bad input share: two persons, a department, their cases, and counts of what is kept."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import grpc
import httpx

from chassis.auth import sign_assertion, signing_key_from_pem
from chassis.clock import system_clock
from chassis.rpc.channel import service
from chassis.rpc.peer import Peer
from chassis.rpc.tls import channel_credentials
from cli.clients.kiosk import AUDIENCE, CardReading
from cli.demo.people import SyntheticPerson, make_person
from cli.departments import Office, office_by_id, read_offices
from cli.local.authority import open_authority
from cli.local.credentials import migrator_dsn
from cli.local.postgres import EmbeddedPostgres
from cli.reach import Reach
from tests.e2e.command import Command
from tongban.intake.v1 import part_pb2

COUNTY, OTHER_COUNTY = "361103", "422827"
TERMINAL, OTHER_TERMINAL, FREE_TERMINAL = "KIOSK-361103-01", "KIOSK-422827-01", "KIOSK-361123-02"
ITEM, ANSWERS = "social-security-card", {"applied_by_agent": "self"}
QUIET_READS = 5
"""Equal counts, half a second apart, after which nothing is on its way any more."""
KEPT: Mapping[str, tuple[str, ...]] = {
    "intake": (
        "service_case",
        "case_part",
        "part_signature",
        "part_change",
        "case_timeline",
        "case_rating",
        "rectification",
        "person",
        "representation",
        "login_session",
        "login_challenge",
        "stored_answer",
        "event_log",
        "dead_letter",
    ),
    "certs": (
        "licence",
        "licence_past",
        "licence_type",
        "use_code",
        "presentation",
        "stored_answer",
        "event_log",
        "dead_letter",
    ),
    "notify": ("message", "event_log", "dead_letter"),
    "seal": ("sealed_document", "event_log", "dead_letter"),
}
"""What no refusal may add to. Terminals' used assertions, budgets and the registry's record of who asked grow."""
VERSIONS = {
    "intake": "select coalesce(sum(version), 0) + (select coalesce(sum(version), 0) from case_part) from service_case",
    "certs": "select coalesce(sum(version), 0) + (select coalesce(sum(uses_left), 0) from use_code) from licence",
}


@dataclass
class Someone:
    """A person logged in at a terminal."""

    person: SyntheticPerson
    terminal_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}", "x-terminal-id": self.terminal_id}


@dataclass
class Bench:
    """Everything the tests ask through, and what they compare."""

    command: Command
    reach: Reach
    runner: asyncio.Runner
    http: httpx.Client
    channels: dict[tuple[str, str], grpc.Channel] = field(default_factory=dict)
    databases: dict[str, asyncpg.Connection] = field(default_factory=dict)
    holder: Someone = None  # type: ignore[assignment]
    other: Someone = None  # type: ignore[assignment]
    draft_id: str = ""
    empty_draft_id: str = ""
    submitted: dict[str, Any] = field(default_factory=dict)
    submitted_key: str = field(default_factory=lambda: str(uuid.uuid4()))
    part: part_pb2.Part = field(default_factory=part_pb2.Part)
    """The part of the submitted case as its department sees it, with a use-code."""
    licence_id: str = ""
    others_licence_id: str = ""

    @property
    def offices(self) -> tuple[Office, ...]:
        return read_offices(self.reach.state.catalogue)

    @property
    def labour(self) -> Office:
        """The department that decides the submitted case."""
        return office_by_id(self.offices, f"{COUNTY}-labour")

    @property
    def stranger(self) -> Office:
        """A department that has nothing to do with it."""
        return office_by_id(self.offices, f"{OTHER_COUNTY}-labour")

    def ask(
        self, method: str, path: str, by: Someone | None = None, key: str | None = "fresh", **given: Any
    ) -> httpx.Response:
        """Send a request as the kiosk's pages do."""
        headers = dict(by.headers) if by else {}
        if key is not None and method != "GET":
            headers["idempotency-key"] = str(uuid.uuid4()) if key == "fresh" else key
        headers |= given.pop("headers", {})
        return self.http.request(method, path, headers=headers, **given)

    def channel(self, office: Office, name: str) -> grpc.Channel:
        """Return a department's connection to a service, with its certificate."""
        if (office.uscc, name) not in self.channels:
            tls = open_authority(self.reach.layout.certificates).identity(Peer("department", office.uscc))
            self.channels[office.uscc, name] = grpc.secure_channel(
                self.reach.state.services[name].grpc,
                channel_credentials(tls),
                [
                    ("grpc.ssl_target_name_override", service(name).host_name),
                    ("grpc.max_send_message_length", -1),
                ],
            )
        return self.channels[office.uscc, name]

    def reading(self, person: SyntheticPerson, **changed: str) -> dict[str, str]:
        return CardReading(person.id_number, person.name).values() | changed

    def log_in_body(
        self, reading: Mapping[str, str], terminal_id: str = FREE_TERMINAL, **more: Any
    ) -> dict[str, Any]:
        """Return the body of a log-in, with an assertion of a real terminal that fits the reading."""
        tls = open_authority(self.reach.layout.certificates).identity(Peer("terminal", terminal_id))
        assertion = sign_assertion(
            signing_key_from_pem(tls.key.read_bytes()),
            terminal_id,
            audience=AUDIENCE,
            now=system_clock(),
            bound_to=reading,
        )
        return {"assertion": assertion, "reading": dict(reading), **more}

    @property
    def token_key(self) -> Any:
        """The key intake signs tokens with, to make one that is right but for one thing."""
        return signing_key_from_pem((self.reach.layout.secrets("intake") / "token_key.pem").read_bytes())

    def log_in(self, person: SyntheticPerson, terminal_id: str) -> Someone:
        """Have a person logged in with card and one-time code."""
        body = self.log_in_body(self.reading(person), terminal_id, phone=person.phone)
        session = self.ask("POST", "/v1/sessions", json=body).json()["session_id"]
        verified = self.ask(
            "POST",
            f"/v1/sessions/{session}/verify",
            json={"code": self._code_sent_to(person.phone)},
            headers={"x-terminal-id": terminal_id},
        )
        return Someone(person, terminal_id, verified.json()["access_token"])

    def _code_sent_to(self, phone: str) -> str:
        at = f"http://{self.reach.state.services['notify'].http}/sandbox/messages/search"
        for _ in range(100):
            found = self.http.post(at, json={"phone": phone}).json()
            if found:
                return re.search(r"(?<!\d)\d{6}(?!\d)", found[0]["text"])[0]
            time.sleep(0.1)
        raise TimeoutError

    def counts(self) -> dict[str, int]:
        """Return what is kept now: rows by table, sums of versions, stored files."""
        return self.runner.run(self._counts()) | {
            f"files of {name}": sum(1 for each in self.reach.layout.data(name).rglob("*") if each.is_file())
            for name in KEPT
        }

    def settle(self) -> None:
        """Wait until what was begun has reached every service."""
        before: dict[str, int] = {}
        equal = 0
        while equal < QUIET_READS:
            time.sleep(0.5)
            after = self.counts()
            equal = equal + 1 if after == before else 0
            before = after

    @contextmanager
    def nothing_kept(self) -> Iterator[None]:
        """Assert that the block left every count as it was."""
        before = self.counts()
        yield
        after = self.counts()
        assert {name: (before[name], after[name]) for name in before if before[name] != after[name]} == {}

    def sql(self, database: str, statement: str, *values: object) -> Any:
        """Return the first value of a statement: where time must have passed."""
        return self.runner.run(self._fetchval(database, statement, *values))

    def close(self) -> None:
        for each in self.channels.values():
            each.close()
        for each in self.databases.values():
            self.runner.run(each.close())
        self.runner.close()
        self.http.close()

    async def _fetchval(self, database: str, statement: str, *values: object) -> Any:
        if database not in self.databases:
            layout = self.reach.layout
            dsn = migrator_dsn(layout, EmbeddedPostgres(layout.postgres).server_dsn, database)
            self.databases[database] = await asyncpg.connect(dsn)
        return await self.databases[database].fetchval(statement, *values)

    async def _counts(self) -> dict[str, int]:
        found = {}
        for database, tables in KEPT.items():
            counted = ", ".join(f"'{table}', (select count(*) from {table})" for table in tables)
            row = json.loads(await self._fetchval(database, f"select json_build_object({counted})"))
            found |= {f"{database}.{table}": number for table, number in row.items()}
        for database, statement in VERSIONS.items():
            found[f"versions of {database}"] = int(await self._fetchval(database, statement))
        return found


def new_persons() -> tuple[SyntheticPerson, SyntheticPerson]:
    """Return a holder and someone else; nobody's number comes twice on one stack."""
    rng = random.Random()
    return make_person(rng, COUNTY), make_person(rng, OTHER_COUNTY)
