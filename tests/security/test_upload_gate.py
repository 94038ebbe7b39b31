"""Hostile files are harmless: refused for a stable reason, quickly, in little memory, before anything is kept."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from PIL import Image

from chassis.errors import Fault
from services.intake.clients.inspection import runner
from services.intake.clients.inspection.kinds import media_type_of
from services.intake.clients.inspection.runner import ParserProcesses
from tests.security.hostile_files import CORPUS, Hostile, jpeg, pdf, png, sound
from tests.security.measured import measured

pytestmark = [pytest.mark.promise("P22")]
SECONDS, GROWTH_KIB = 2.0, 300 * 1024


@lru_cache(maxsize=1)
def parsers() -> ParserProcesses:
    """Return those that the tests of this file share: one server for all, as in a service."""
    return ParserProcesses()


@pytest.fixture(autouse=True)
def own_places() -> Iterator[None]:
    """Each test has an event loop of its own, which places for files belong to."""
    yield
    parsers()._places = asyncio.Semaphore(runner.AT_ONCE)


async def gate(content: bytes, name: str) -> bytes:
    return (await parsers().inspect_file(content, media_type_of(content, name))).content


@pytest.mark.parametrize("hostile", CORPUS, ids=str)
def test_a_hostile_file_is_refused_for_its_reason_quickly_in_little_memory(
    hostile: Hostile, record_property
) -> None:
    content = hostile.make()
    try:
        kind = media_type_of(content, hostile.name)
    except Fault as refusal:
        assert refusal.code in hostile.refused_as  # noqa: PT017 - the next gate may be the one
        return
    answer, seconds, peak_kib = measured(content, kind)
    verdict = answer[1:].split(b"\n")[0].split(b" ")[0].decode()
    record_property("measured", f"{seconds:.2f} s, {peak_kib // 1024} MiB")
    if hostile.refused_as:
        assert verdict in hostile.refused_as
    else:  # for an upload any bytes are a seal; the verifier judges them
        assert verdict == "ok"
    assert seconds < SECONDS
    assert peak_kib - idle_kib() < GROWTH_KIB


@lru_cache(maxsize=1)
def idle_kib() -> int:
    """Return what the interpreter and the parsers take for a harmless file."""
    return measured(pdf(), "application/pdf")[2]


@pytest.mark.parametrize(
    ("name", "kind", "content"), [*sound()], ids=lambda value: value if isinstance(value, str) else ""
)
async def test_a_sound_file_comes_in_as_what_it_is(name: str, kind: str, content: bytes) -> None:
    assert media_type_of(content, name) == kind
    kept = await gate(content, name)
    if not kind.startswith("image/"):
        assert kept == content


async def test_a_photograph_keeps_its_pixels_and_its_upright_side_and_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "the photographer"
    exif.get_ifd(0x8825)[2] = (28.0, 27.0, 26.0)
    content = jpeg(exif=exif, comment=b"a comment") + b"<script>behind the end</script>"
    kept = await gate(content, "a.jpg")
    for trace in (b"photographer", b"a comment", b"script"):
        assert trace in content
        assert trace not in kept
    with Image.open(io.BytesIO(kept)) as image, Image.open(io.BytesIO(content)) as original:
        assert dict(image.getexif()) == {0x0112: 6}
        assert not image.getexif().get_ifd(0x8825)
        assert image.tobytes() == original.tobytes()


async def test_a_png_keeps_its_pixels_and_no_text() -> None:
    from PIL.PngImagePlugin import PngInfo

    notes, target = PngInfo(), io.BytesIO()
    notes.add_text("Author", "somebody")
    notes.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>place</x:xmpmeta>")
    with Image.open(io.BytesIO(png(64, 64, rows=64))) as image:
        image.save(target, "PNG", pnginfo=notes, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    kept = await gate(target.getvalue() + b"tail", "a.png")
    for trace in (b"tEXt", b"iTXt", b"eXIf", b"somebody", b"tail"):
        assert trace not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert image.size == (64, 64)


async def test_many_files_at_once_wait_for_a_place_and_all_are_judged() -> None:
    content = jpeg()
    kept = await asyncio.gather(*(gate(content, "a.jpg") for _ in range(8)))
    assert len(set(kept)) == 1


DOCTORED = "import os, time\nfrom services.intake.clients.inspection import server\n{}\nserver.main()"


def doctored(monkeypatch: pytest.MonkeyPatch, change: str) -> ParserProcesses:
    """Return parsers whose server was changed by a line of code."""
    monkeypatch.setattr(runner, "COMMAND", (sys.executable, "-c", DOCTORED.format(change)))
    return ParserProcesses()


@pytest.mark.parametrize(
    "change",
    [
        "server.signal.alarm = lambda _, alarm=server.signal.alarm: alarm(1); server.inspect = lambda *_: time.sleep(60)",
        "server.inspect = lambda *_: os.kill(os.getpid(), 11)",
        "server.inspect = lambda *_: bytearray(400 << 20)",
        "server.inspect = lambda *_: [0 for _ in iter(int, 1)]",
        "server.inspect = lambda content, _: server.os._exit(0)",
    ],
    ids=["hangs", "falls", "takes memory", "takes time and memory", "ends silently"],
)
async def test_a_parser_that_is_overcome_refuses_the_file_and_its_server_goes_on(
    monkeypatch, change: str
) -> None:
    broken = doctored(monkeypatch, change)
    for _ in range(2):
        with pytest.raises(Fault, match="FILE_TOO_COMPLEX"):
            await broken.inspect_file(jpeg(), "image/jpeg")
    assert broken._server is not None
    assert broken._server.is_alive()


async def test_a_type_without_a_parser_refuses_the_file_only() -> None:
    with pytest.raises(Fault, match="FILE_TOO_COMPLEX"):
        await parsers().inspect_file(jpeg(), "no/type")  # its process ends with an error
    await gate(jpeg(), "a.jpg")


def test_a_parser_that_ends_before_it_has_read_refuses_the_file_only(monkeypatch) -> None:
    """As in a service: under uvloop, where writing to an ended process raises another error."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        broken = doctored(monkeypatch, "server._judge = lambda _: os._exit(0)")
        for _ in range(20):
            with pytest.raises(Fault, match="FILE_TOO_COMPLEX"):
                loop.run(broken.inspect_file(bytes(4 << 20), "image/jpeg"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_server_that_died_is_started_anew_and_no_file_is_refused_for_it(how: signal.Signals) -> None:
    for pause in (0.0, 0.001, 0.005, 0.02):
        await gate(jpeg(), "a.jpg")
        kept = asyncio.gather(*(gate(jpeg(), "a.jpg") for _ in range(6)))
        await asyncio.sleep(pause)
        server = parsers()._server
        assert server is not None
        server.process.send_signal(how)
        assert len(set(await kept)) == 1


async def test_without_a_server_a_file_waits_for_another_day(monkeypatch) -> None:
    monkeypatch.setattr(runner, "COMMAND", ("/bin/false",))
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await ParserProcesses().inspect_file(jpeg(), "image/jpeg")


async def test_a_server_that_stands_still_is_replaced(monkeypatch) -> None:
    own = ParserProcesses()
    await own.inspect_file(jpeg(), "image/jpeg")
    assert own._server is not None
    own._server.process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(runner, "SECONDS", 0.3)
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await own.inspect_file(jpeg(), "image/jpeg")
    monkeypatch.undo()
    await own.inspect_file(jpeg(), "image/jpeg")


async def test_a_file_costs_no_interpreter_of_its_own(record_property) -> None:
    """A fork each: far below the tenth of a second that starting Python and loading a parser takes."""
    own = ParserProcesses()
    await own.inspect_file(jpeg(), "image/jpeg")
    server = own._server
    assert server is not None
    before = cpu_seconds(server.process.pid)
    for _ in range(20):
        await own.inspect_file(jpeg(), "image/jpeg")
    each = (cpu_seconds(server.process.pid) - before) / 20
    record_property("measured", f"{1000 * each:.1f} ms of processor time per photograph")
    assert each < 0.05


def cpu_seconds(pid: int) -> float:
    """Return what a process and its children used."""
    ticks = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
