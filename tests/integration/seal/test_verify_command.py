"""`tongban verify` on sealed files: offline with a trust directory, and by the running service."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.rpc.channel import service
from chassis.rpc.server import RpcServer
from cli.commands import verify as command
from cli.main import app
from services.seal.app.pdf_judge import PadesJudge
from services.seal.domain.companion_list import ListedCompanion, make_companion_list
from services.seal.domain.pki import make_development_pki
from services.seal.rpc import VerificationServicer, add_verification_service
from services.seal.usecases.verify import Verifier
from tests.integration.seal.conftest import GUANGFENG, NOW
from tests.integration.seal.doors import OPERATOR, Doors, doors
from tests.integration.seal.test_register import trust_files
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import sm2, suites
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


async def test_offline_an_ofd_and_a_pdf_are_valid(sealed: dict[str, Path]):
    trust = ("--trust", str(sealed["trust"]))
    status, said = await run(str(sealed["ofd"]), *trust, "--json")
    found: dict[str, Any] = json.loads(said)
    assert (status, found["verdict"]) == (0, "VALID"), said
    (one,) = found["signatures"]
    assert (len(one["checks"]), one["now_verdict"], one["coverage"]["closed"]) == (13, "VALID", True)
    assert one["checks"][3]["clause"].startswith("GB/T 38540-2020")
    status, said = await run(str(sealed["pdf"]), *trust, "--json")
    found = json.loads(said)
    assert (status, found["verdict"]) == (0, "VALID"), said
    (one,) = found["signatures"]
    assert one["now_verdict"] == "VALID"
    others = {each["name"]: each["reason"] for each in one["checks"] if each["result"] != "valid"}
    assert others == {
        "seal_signature": "COMPANION_LISTED", "maker_chain": "COMPANION_LISTED", "timestamp": "NO_TIMESTAMP",
    }, others  # fmt: skip


async def test_offline_a_pdf_waits_for_the_register_where_no_list_tells_of_its_certificate(
    sealed: dict[str, Path],
):
    trust = sealed["trust"]
    (trust / "companion-list.der").unlink()  # as a release before wrote the directory
    status, said = await run(str(sealed["pdf"]), str(sealed["ofd"]), "--trust", str(trust), "--json")
    pdf, ofd = json.loads(said)["files"]
    assert (status, pdf["verdict"], ofd["verdict"]) == (2, "INDETERMINATE", "VALID"), said
    checks = {each["name"]: each for each in pdf["signatures"][0]["checks"]}
    sound = ("container", "references", "digests", "signature", "signer_chain", "revocation", "coverage")
    assert {checks[each]["result"] for each in sound} == {"valid"}, checks
    assert (checks["certlist"]["result"], checks["certlist"]["reason"]) == (
        "indeterminate", "COMPANION_UNKNOWN"
    )  # fmt: skip


async def test_offline_a_forged_list_of_certificates_is_refused_by_name(
    doors: Doors, sealed: dict[str, Path]
):
    trust = sealed["trust"]
    stranger = make_development_pki(sm2(), (), NOW - timedelta(days=1)).status
    seal = await doors.world.seal_of(GUANGFENG)
    taken = {seal.seal_id: ListedCompanion(seal.valid_from, seal.valid_until, frozenset({bytes(32)}))}
    now, key = doors.world.clock(), sm2().open_key(stranger.private_key)
    forged = make_companion_list(sm2(), key, stranger.certificate, now, now + timedelta(days=1), taken)
    (trust / "companion-list.der").write_bytes(forged)
    status, said = await run(str(sealed["pdf"]), "--trust", str(trust), "--json")
    found = json.loads(said)
    assert (status, found["verdict"]) == (2, "INDETERMINATE"), said
    (certlist,) = (each for each in found["signatures"][0]["checks"] if each["name"] == "certlist")
    assert certlist["reason"] == "COMPANION_UNKNOWN"
    assert "SEAL_COMPANION_LIST_UNTRUSTED" in certlist["detail"]


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
