"""Time-stamping authorities behind real sockets: our process, and a stranger's server. Not a test module."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.clock import system_clock
from chassis.rpc.channel import service
from chassis.web import bind, serve_web
from cli.local.authority import open_authority
from cli.local.ports import free_port
from services.seal.domain.pki import DevelopmentPki, make_development_pki
from services.seal.domain.stamping_keys import StampingRequest
from services.seal.domain.suite import Suites
from services.seal.tsa.exchange import StampingExchange
from services.seal.usecases.certify_stamping import StampingIssuer, stamping_certificate
from tests.unit.seal.sealing_room import sm2, suites

ROOT = Path(__file__).parents[3]
REPLY = "application/timestamp-reply"
Answer = Callable[[bytes], bytes]


def present_pki() -> DevelopmentPki:
    """Return a PKI of now: the processes run on the machine's clock."""
    return make_development_pki(sm2(), (), system_clock() - timedelta(days=1))


class TsaProcess:
    """Our component as a process of its own, in a directory."""

    def __init__(self, home: Path) -> None:
        self.home, self.exchange = home, home / "exchange"
        self.address = f"127.0.0.1:{free_port()}"
        self.authority = open_authority(home / "certificates")
        self.pki = present_pki()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        tls = self.authority.identity(service("tsa"))
        own = {
            "KEYSTORE_KEY": "t" * 43, "DIRECTORY": str(self.home / "tsa"), "EXCHANGE_DIR": str(self.exchange),
            "HTTP_PORT": self.address.rpartition(":")[2], "READY_FILE": str(self.home / "tsa.ready"),
            "ALIVE_FILE": str(self.home / "tsa.alive"),
            "TLS_CERTIFICATE": str(tls.certificate), "TLS_KEY": str(tls.key), "TLS_AUTHORITY": str(tls.authority),
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
        return {
            **kept,
            "TONGBAN_SECRETS_DIR": str(self.home / "nowhere"),
            **{f"TONGBAN_TSA_{name}": value for name, value in own.items()},
        }

    def job(self, word: str) -> None:
        command = [sys.executable, "-m", "services.seal", word]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=60)

    def certify(self, known: Suites | None = None) -> list[StampingRequest]:
        """Do the maker's part without its database."""
        desk = StampingExchange(self.exchange, known or suites())
        issuer = StampingIssuer(sm2(), self.pki.maker_ca)
        found = list(desk.open_requests())
        for request in found:
            desk.give(
                request.key_id, stamping_certificate(issuer, request, system_clock().replace(microsecond=0))
            )
        return found

    def start(self, *, ready: bool = True) -> None:
        with (self.home / "tsa.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.seal", "tsa"],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + 30
        while ready and not (self.home / "tsa.ready").exists():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> int:
        if self._process is None:
            return 0
        self._process.kill() if kill else self._process.terminate()
        status = self._process.wait(30)
        self._process = None
        (self.home / "tsa.ready").unlink(missing_ok=True)
        return status

    def log(self) -> str:
        return (self.home / "tsa.log").read_text()


@asynccontextmanager
async def strangers_server(home: Path, answer: Answer, path: str = "/tsr", **response) -> AsyncIterator[str]:
    """Serve another's authority over https without client certificates; yield its URL."""
    slow = response.pop("seconds", 0.0)

    async def stamp(request: Request) -> Response:
        query = await request.body()
        await asyncio.sleep(slow)
        given = {"media_type": REPLY, **response}
        return Response(answer(query), **given)

    authority = open_authority(home / "certificates")
    tls = authority.leaf("stranger", "stranger", list(authority.local_names))
    listener = bind("127.0.0.1", 0)
    port, stop = listener.getsockname()[1], asyncio.Event()
    app = Starlette(routes=[Route(path, stamp, methods=["POST"])])
    serving = asyncio.create_task(
        serve_web(app, "127.0.0.1", port, stop, tls=tls, listener=listener, grace_seconds=1)
    )
    try:
        yield f"https://127.0.0.1:{port}{path}"
    finally:
        stop.set()
        await serving
