"""The port Timestamper over the wire: our own process by mutual TLS, a stranger's server through the one way out."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from chassis.clock import system_clock
from chassis.errors import Fault
from chassis.rpc.channel import service
from services.seal.clients.stamping_places import stamping_places
from services.seal.clients.timestamps import RfcTimestamper
from services.seal.domain.suite import Suite
from services.seal.domain.timestamps import judge_token, time_of, write_request
from tests.integration.seal.stamping_servers import TsaProcess, strangers_server
from tests.unit.seal.sealing_room import sm2
from tests.unit.seal.stamping_room import p256, stamping_authority, trust_of

STAMPED = b"a signature value"
NETWORKS = ("127.0.0.0/8",)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaProcess]:
    process = TsaProcess(tmp_path_factory.mktemp("tsa"))
    process.job("make-tsa-keys")
    process.certify()
    process.start()
    yield process
    process.stop()


class Client:
    """A timestamper over a list of addresses, as the serving process makes it."""

    def __init__(self, home: TsaProcess, *listed: str, suite: Suite | None = None, networks=NETWORKS) -> None:
        places, self.close = stamping_places(
            listed, home.authority.identity(service("seal")), asyncio.get_running_loop(),
            networks=networks, authority=home.authority.root_file,
        )  # fmt: skip
        self.trust = trust_of(home.pki)
        self._timestamper = RfcTimestamper(suite or sm2(), places, lambda _anew: self.trust, system_clock)

    async def token(self, stamped: bytes = STAMPED) -> bytes:
        try:
            return await asyncio.to_thread(self._timestamper.token, stamped)
        finally:
            self.close()


Listed = Callable[[TsaProcess], Awaitable[str]]


@asynccontextmanager
async def listed(kind: str, tsa: TsaProcess) -> AsyncIterator[str]:
    if kind == "ours":
        yield tsa.address
        return
    theirs = stamping_authority(system_clock, tsa.pki)
    async with strangers_server(tsa.home, theirs.answer) as url:
        yield url


@pytest.mark.parametrize("kind", ["ours", "another's"])
@pytest.mark.parametrize("suite", [sm2(), p256()], ids=lambda suite: suite.name)
async def test_a_token_comes_back_over_the_value_and_of_now(kind, suite, tsa: TsaProcess):
    async with listed(kind, tsa) as address:
        client = Client(tsa, address, suite=suite)
        token = await client.token()
        assert judge_token(token, STAMPED, client.trust).fault == ""
        assert judge_token(token, STAMPED + b"x", client.trust).fault == "imprint"
        assert abs((system_clock() - time_of(token)).total_seconds()) < 5


@pytest.mark.parametrize("kind", ["ours", "another's"])
async def test_two_tokens_are_two(kind, tsa: TsaProcess):
    async with listed(kind, tsa) as address:
        tokens = [await Client(tsa, address).token() for _ in range(2)]
    results = [judge_token(token, STAMPED, trust_of(tsa.pki)) for token in tokens]
    assert results[0].serial != results[1].serial
    assert results[0].nonce != results[1].nonce


@pytest.mark.parametrize(
    "response",
    [
        {"status_code": 500}, {"status_code": 302, "headers": {"location": "https://127.0.0.1/"}},
        {"seconds": 6.5}, {"media_type": "text/html"},
    ],
    ids=["500", "redirect", "too slow", "another type"],
)  # fmt: skip
async def test_who_does_not_answer_rightly_is_passed_over_for_the_next(response, tsa: TsaProcess):
    theirs = stamping_authority(system_clock, tsa.pki)
    async with strangers_server(tsa.home, theirs.answer, **response) as url:
        assert await Client(tsa, url, tsa.address).token()
        with pytest.raises(Fault, match=r"TIMESTAMP_(UNAVAILABLE|WRONG)") as raised:
            await Client(tsa, url).token()
        assert raised.value.kind.name == "UNAVAILABLE"


async def test_an_enormous_answer_is_not_read(tsa: TsaProcess):
    async with strangers_server(tsa.home, lambda _query: bytes(1 << 20)) as url:
        with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
            await Client(tsa, url).token()


async def test_a_strangers_server_inside_is_not_asked_unless_an_operator_names_its_network(
    tsa: TsaProcess,
):
    asked = []
    async with strangers_server(tsa.home, lambda query: asked.append(query) or b"") as url:
        with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
            await Client(tsa, url, networks=()).token()
    assert asked == []


async def test_a_name_that_is_not_the_authoritys_is_not_believed(tsa: TsaProcess):
    """Whoever listens where our component should be has a certificate of its own, not the authority's."""
    theirs = stamping_authority(system_clock, tsa.pki)
    async with strangers_server(tsa.home, theirs.answer, path="/tsa") as url:
        with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
            await Client(tsa, url.removeprefix("https://").removesuffix("/tsa")).token()


async def test_stopped_it_is_unavailable_and_started_again_it_stamps_on(tsa: TsaProcess):
    before = await Client(tsa, tsa.address).token()
    assert tsa.stop() == 0
    with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
        await Client(tsa, tsa.address).token()
    tsa.start()
    again = await Client(tsa, tsa.address).token()
    assert time_of(again) >= time_of(before)
    assert (
        judge_token(again, STAMPED, trust_of(tsa.pki)).authority
        == judge_token(before, STAMPED, trust_of(tsa.pki)).authority
    )


async def test_killed_it_comes_back_with_no_time_twice(tsa: TsaProcess):
    before = await Client(tsa, tsa.address).token()
    tsa.stop(kill=True)
    tsa.start()
    for _ in range(40):
        try:
            after = await Client(tsa, tsa.address).token()
            break
        except Fault:
            await asyncio.sleep(0.1)
    assert time_of(after) > time_of(before)


async def test_who_shows_no_certificate_of_ours_gets_nothing(tsa: TsaProcess):
    context = ssl.create_default_context(cafile=str(tsa.authority.root_file))
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(f"https://{tsa.address}/tsa", content=b"x")


async def test_the_door_takes_timestamp_queries_only(tsa: TsaProcess):
    files = tsa.authority.identity(service("seal"))
    context = ssl.create_default_context(cafile=str(files.authority))
    context.load_cert_chain(files.certificate, files.key)
    query = write_request(sm2(), sm2().digest(STAMPED), 7)
    headers = {"content-type": "application/timestamp-query"}
    async with httpx.AsyncClient(
        verify=context, trust_env=False, base_url=f"https://{tsa.address}"
    ) as client:
        good = await client.post("/tsa", content=query, headers=headers)
        assert (good.status_code, good.headers["content-type"]) == (200, "application/timestamp-reply")
        wrong = await client.post("/tsa", content=query, headers={"content-type": "application/json"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "NOT_A_TIMESTAMP_QUERY")
        assert (await client.get("/tsa")).status_code == 405
        assert (await client.post("/tsa", content=bytes(20_000), headers=headers)).status_code == 413
        assert (await client.get("/readyz")).status_code == 200
        assert "tongban_tsa_tokens_total{" in (await client.get("/metrics")).text


async def test_before_its_keys_are_certified_it_is_not_ready_and_says_so(tmp_path: Path):
    tsa = TsaProcess(tmp_path)
    tsa.start(ready=False)
    try:
        for _ in range(100):
            if list((tmp_path / "exchange").glob("*.request")):
                break
            await asyncio.sleep(0.1)
        assert not (tmp_path / "tsa.ready").exists()
        with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
            await Client(tsa, tsa.address).token()
        assert {each.suite for each in tsa.certify()} == {sm2().name, p256().name}
        for _ in range(100):
            if (tmp_path / "tsa.ready").exists():
                break
            await asyncio.sleep(0.1)
        assert await Client(tsa, tsa.address).token()
        assert (tmp_path / "tsa.alive").exists()
    finally:
        tsa.stop()


def test_its_keys_are_encrypted_at_rest_and_nobody_else_reads_them(tsa: TsaProcess):
    keys = list((tsa.home / "tsa").glob("*.key"))
    assert len(keys) == 2
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert all(b"\x30\x81" not in path.read_bytes()[:3] for path in keys)
    done = subprocess.run(
        ["openssl", "pkey", "-inform", "DER", "-in", str(keys[0]), "-noout"], capture_output=True, check=False
    )
    assert done.returncode != 0


async def test_openssl_prints_what_our_process_answers(tsa: TsaProcess, tmp_path: Path):
    (tmp_path / "token").write_bytes(await Client(tsa, tsa.address).token())
    command = ["openssl", "ts", "-reply", "-token_in", "-in", "token", "-text"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Hash Algorithm: sm3" in done.stdout, done.stderr
    assert "Accuracy: 0x01 seconds" in done.stdout
