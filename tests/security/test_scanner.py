"""The malware scanner: ClamAV's own daemon with one signature of ours, and a server that misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chassis.errors import Fault
from chassis.scanner import Clamd, NoScanner, Scanned, open_scanner
from services.intake.clients.files import FileInspector
from services.intake.usecases.uploads import admit_upload
from tests.security.hostile_files import EICAR, pdf
from tests.stacks.needs import unavailable

pytestmark = [pytest.mark.promise("P22")]
START_SECONDS = 60


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running clamd; its database is one file with the digest of the test pattern."""
    program = shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")
    if program is None:
        unavailable("clamd is missing: apt-get install clamav-daemon")
    folder = tmp_path_factory.mktemp("clamd")
    database = folder / "db"
    database.mkdir()
    infected = pdf(catalog=b"/Eicar(" + EICAR.replace(b"(", b"\\(").replace(b")", b"\\)") + b")")
    lines = [f"{hashlib.md5(each).hexdigest()}:{len(each)}:Tongban.Test" for each in (EICAR, infected)]
    (database / "own.hdb").write_text("\n".join(lines) + "\n")
    socket, settings = folder / "s", folder / "clamd.conf"
    settings.write_text(
        f"DatabaseDirectory {database}\nLocalSocket {socket}\nForeground yes\nStreamMaxLength 25M\n"
        "MaxThreads 2\nUser root\n"
    )
    folder.chmod(0o755)
    process = subprocess.Popen(
        [program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + START_SECONDS
        while not socket.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        assert socket.exists(), "clamd did not start"
        yield str(socket)
    finally:
        process.terminate()
        process.wait(10)


async def test_a_real_clamd_passes_what_is_clean_and_finds_what_is_not(clamd: str) -> None:
    scanner = open_scanner(clamd)
    assert await scanner.scan(pdf()) is Scanned.CLEAN
    assert await scanner.scan(os.urandom(300_000)) is Scanned.CLEAN
    with pytest.raises(Fault) as refusal:
        await scanner.scan(EICAR)
    assert refusal.value.code == "FILE_INFECTED"
    assert "Tongban" not in str(refusal.value.metadata)


class NoLimits:
    async def check(self, allowance: object, key: str, *, cost: int = 1) -> None: ...


async def test_an_upload_is_usable_only_once_it_was_scanned(clamd: str) -> None:
    inspector = FileInspector(open_scanner(clamd))
    admitted = await admit_upload(NoLimits(), inspector, "p", pdf(), "a.pdf")
    assert admitted.scan == "clean"
    infected = pdf(catalog=b"/Eicar(" + EICAR.replace(b"(", b"\\(").replace(b")", b"\\)") + b")")
    with pytest.raises(Fault, match="FILE_INFECTED"):
        await admit_upload(NoLimits(), inspector, "p", infected, "a.pdf")


async def test_where_none_is_configured_a_file_is_recorded_as_unscanned() -> None:
    assert isinstance(open_scanner(None), NoScanner)
    admitted = await admit_upload(NoLimits(), FileInspector(), "p", pdf(), "a.pdf")
    assert admitted.scan == "unscanned"


@pytest.fixture
async def answering(tmp_path: Path) -> AsyncIterator:
    """``address, streams = await answering(answer)``: speaks the protocol and says what it is told."""
    opened: list[asyncio.Server] = []

    async def start(answer: bytes) -> tuple[str, list[bytes]]:
        streams: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                assert await reader.readexactly(10) == b"zINSTREAM\0"
                data = b""
                while size := int.from_bytes(await reader.readexactly(4), "big"):
                    data += await reader.readexactly(size)
                streams.append(data)
                if answer == b"silence":
                    await asyncio.sleep(1)
                writer.write(answer)
            finally:
                writer.close()

        opened.append(await asyncio.start_unix_server(serve, str(tmp_path / "s")))
        return str(tmp_path / "s"), streams

    yield start
    for each in opened:
        each.close()


async def test_the_stream_arrives_whole_in_chunks(answering) -> None:
    address, streams = await answering(b"stream: OK\0")
    content = os.urandom(200_001)
    assert await Clamd(address).scan(content) is Scanned.CLEAN
    assert streams == [content]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"silence",
        b"stream: OK",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: OK FOUNDER\0",
        b"OK\0",
    ],
)
async def test_anything_but_a_plain_answer_is_no_pass(answering, answer: bytes) -> None:
    address, _ = await answering(answer)
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await Clamd(address, timeout_seconds=0.3).scan(pdf())


async def test_a_scanner_that_is_away_keeps_uploads_out(tmp_path: Path) -> None:
    inspector = FileInspector(Clamd(str(tmp_path / "nobody")))
    with pytest.raises(Fault) as refusal:
        await admit_upload(NoLimits(), inspector, "p", pdf(), "a.pdf")
    assert refusal.value.kind.http_status == 503
