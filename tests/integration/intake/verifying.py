"""Intake's web application over a real seal service and PostgreSQL, for the verification page. Not a test module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from chassis.rpc.channel import open_channel, service
from chassis.rpc.server import RpcServer
from chassis.web import web_app
from chassis.web.app import WebOptions
from services.intake.api import api_router
from services.intake.clients.documents import SealDocuments
from services.seal.app.pdf_judge import PadesJudge
from services.seal.rpc import VerificationServicer, add_verification_service
from services.seal.usecases.verify import Verifier
from tests.integration.intake.stage import open_stage
from tests.integration.seal.conftest import stocked, world
from tests.integration.seal.doors import Doors, doors
from tests.stacks.postgres import PostgresServer
from tests.unit.seal.sealing_room import suites

__all__ = ["doors", "stocked", "verification_app", "world"]


@pytest.fixture
async def verification_app(
    doors: Doors, postgres_server: PostgresServer, tmp_path: Path
) -> AsyncIterator[FastAPI]:
    """The application whose verifications a seal service of another port answers; `doors` seals for it."""
    await doors.grant()
    world = doors.world
    server = RpcServer(doors.authority.identity(service("seal")), reflect=False)
    verifier = Verifier(world.unit, suites(), PadesJudge())
    server.register(add_verification_service, VerificationServicer(verifier, world.clock))
    port = await server.start("127.0.0.1:0")
    identity = doors.authority.identity(service("intake"))
    channel = open_channel(f"127.0.0.1:{port}", service("seal"), identity)
    async with open_stage(postgres_server, tmp_path) as stage:
        app = web_app("intake", options=WebOptions(behind_tls=False, show_documentation=True))
        app.include_router(api_router(replace(stage.doors, seals=SealDocuments(channel))))
        yield app
    await channel.close()
    await server.drain(notice_seconds=0, grace_seconds=0.5)
