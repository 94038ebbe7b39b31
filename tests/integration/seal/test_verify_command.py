"""`tongban verify` on sealed files: offline with a trust directory, and by the running service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.rpc.channel import service
from chassis.rpc.server import RpcServer
from cli.commands import verify as command
from cli.main import app
from services.seal.app.pdf_judge import PadesJudge
from services.seal.rpc import VerificationServicer, add_verification_service
from services.seal.usecases.verify import Verifier
from tests.integration.seal.doors import OPERATOR, Doors, doors
from tests.integration.seal.test_register import trust_files
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import suites
from tongban.seal.v1 import use_pb2

__all__ = ["doors"]


async def run(*words: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["verify", *words])
    return done.exit_code, done.stdout


@pytest.fixture
async def sealed(doors: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A sealed OFD, a sealed PDF, a trust directory; the service running where an operator's settings say."""
    monkeypatch.setattr(command, "system_clock", doors.world.clock)
    await doors.grant()
    made = {"trust": await trust_files(doors.world, tmp_path / "trust")}
    for name, content, how in (
        ("ofd", None, {}),
        ("pdf", plain_pdf(), {"format": use_pb2.DOCUMENT_FORMAT_PDF}),
    ):
        _, document = await (doors.seal(**how) if content is None else doors.seal(content, **how))
        made[name] = tmp_path / f"sealed.{name}"
        made[name].write_bytes(document)
    (tmp_path / "plain.pdf").write_bytes(plain_pdf(2))
    made["plain"] = tmp_path / "plain.pdf"
    return made


@pytest.fixture
async def service_at(doors: Doors, monkeypatch: pytest.MonkeyPatch):
    world = doors.world
    server = RpcServer(doors.authority.identity(service("seal")), reflect=False)
    verifier = Verifier(world.unit, suites(), PadesJudge())
    server.register(add_verification_service, VerificationServicer(verifier, world.clock))
    port = await server.start("127.0.0.1:0")
    identity = doors.authority.identity(OPERATOR)
    told = {
        "SEAL_ADDRESS": f"127.0.0.1:{port}", "CERTIFICATE": identity.certificate, "KEY": identity.key,
        "AUTHORITY": identity.authority,
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(f"TONGBAN_OPERATOR_{name}", str(value))
    yield port
    await server.drain(notice_seconds=0, grace_seconds=0.5)


async def test_offline_an_ofd_is_valid_and_a_pdf_waits_for_the_register(sealed: dict[str, Path]):
    trust = ("--trust", str(sealed["trust"]))
    status, said = await run(str(sealed["ofd"]), *trust, "--json")
    found: dict[str, Any] = json.loads(said)
    assert (status, found["verdict"]) == (0, "VALID"), said
    (one,) = found["signatures"]
    assert (len(one["checks"]), one["now_verdict"], one["coverage"]["closed"]) == (13, "VALID", True)
    assert one["checks"][3]["clause"].startswith("GB/T 38540-2020")
    status, said = await run(str(sealed["pdf"]), *trust, "--json")
    found = json.loads(said)
    assert (status, found["verdict"]) == (2, "INDETERMINATE"), said
    results = {each["name"]: each["result"] for each in found["signatures"][0]["checks"]}
    sound = ("container", "references", "digests", "signature", "signer_chain", "revocation", "coverage")
    assert {results[each] for each in sound} == {"valid"}, results
    assert results["certlist"] == "indeterminate"


async def test_a_person_reads_a_numbered_plan_chinese_first(sealed: dict[str, Path]):
    _, said = await run(str(sealed["ofd"]), "--trust", str(sealed["trust"]))
    assert "✓ 有效 VALID" in said
    assert "13" in said
    assert said.count("✓") >= 12
    assert said.index("通过") < said.index("valid")


async def test_several_files_have_the_worst_verdict_and_exit_status(sealed: dict[str, Path], tmp_path: Path):
    broken = tmp_path / "broken.ofd"
    content = bytearray(sealed["ofd"].read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    trust = ("--trust", str(sealed["trust"]))
    for names, status, verdict in (
        ([sealed["ofd"], sealed["ofd"]], 0, "VALID"),
        ([sealed["ofd"], sealed["plain"]], 2, "UNSIGNED"),
        ([sealed["ofd"], broken, sealed["plain"]], 1, "INVALID"),
    ):
        done, said = await run(*map(str, names), *trust, "--json")
        found = json.loads(said)
        assert (done, found["verdict"]) == (status, verdict), said
        assert [each["file"] for each in found["files"]] == [str(each) for each in names]


async def test_online_the_service_judges_both_kinds(sealed: dict[str, Path], service_at: int):
    status, said = await run(str(sealed["ofd"]), str(sealed["pdf"]), "--online", "--json")
    found = json.loads(said)
    assert (status, found["verdict"]) == (0, "VALID"), said
    for each in found["files"]:
        (one,) = each["signatures"]
        assert (len(one["checks"]), one["now_verdict"]) == (13, "VALID")
        assert one["proved_at"]
    status, said = await run(str(sealed["pdf"]), "--online")
    assert (status, "✓ 有效 VALID" in said) == (0, True), said
