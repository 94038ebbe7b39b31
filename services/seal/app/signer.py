"""The signer: a process without database and network that opens the private keys, and its jobs."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import grpc
from pydantic_settings import SettingsConfigDict

from chassis import logs
from chassis.errors import Fault, Kind, declare
from chassis.notifier import wait_for
from chassis.readiness import Readiness
from chassis.rpc.faults import MAX_MESSAGE_BYTES
from chassis.run import Part, run
from chassis.settings import Sourced, load
from services.seal.clients import RemoteSigner
from services.seal.domain.suite import Suites
from services.seal.keystore import SoftwareKeystore
from services.seal.providers import load_suites
from services.seal.settings import SealSignerSettings
from services.seal.signer import SignerServicer, SoftwareVault, Vault, add_signer_service, prove_vault
from services.seal.signer.open_keys import OpenKeys

if TYPE_CHECKING:
    from services.seal.signer.token_vault import TokenVault

PURPOSE = "seal"
"""Of the software keystore: part of what its key is derived from, never to be changed."""
GRACE_SECONDS = 10.0
SWEEP_SECONDS = 1.0
_LONGEST_SOCKET = 90
"""Characters; the system allows 107, and a fresh one's name is longer by some."""
_log = logs.get_logger(__name__)

SOCKET_NOT_CLOSED = declare(
    "SIGNER_SOCKET_NOT_CLOSED",
    Kind.FAILED_PRECONDITION,
    "套接字目录 {directory} 属于他人或对他人开放，或路径过长",
    "The socket's directory {directory} is another user's or open to others, or its path is too long",
)
NO_TOKEN = declare(
    "SIGNER_WITHOUT_TOKEN",
    Kind.FAILED_PRECONDITION,
    "签名进程未配置 PKCS#11 令牌",
    "The signer has no PKCS#11 token",
)


async def serve_signer() -> int:
    """Run the signer until it is told to stop; return the exit status. It listens once it has proved itself.

    Raises SEAL_CRYPTOGRAPHY_UNSOUND, SIGNER_UNAVAILABLE (the token), KEYSTORE_SECRET_SHORT, SIGNER_SOCKET_NOT_CLOSED.
    """
    settings = load(SealSignerSettings)
    logs.configure("sealsigner", level=settings.log_level, log_format=settings.log_format)
    readiness = Readiness("selftest", "socket", ready_file=settings.ready_file, beside_another=True)
    suites = await asyncio.to_thread(load_suites)
    vault = make_vault(settings, suites)
    await asyncio.to_thread(prove_vault, vault, suites)
    readiness.set("selftest", holds=True)

    async def listen(stop: asyncio.Event) -> None:
        server = await asyncio.to_thread(open_door, settings, vault)
        readiness.set("socket", holds=True)
        _log.info("listening", vault=vault.kind)
        await stop.wait()
        await asyncio.to_thread(server.stop(GRACE_SECONDS).wait)

    async def sweep(stop: asyncio.Event) -> None:
        while not stop.is_set():
            vault.sweep()
            await wait_for(stop, SWEEP_SECONDS)

    return await run([Part("sweep", sweep), Part("socket", listen)], ready=readiness)


def make_vault(settings: SealSignerSettings, suites: Suites) -> Vault:
    """Return the vault that is set up: of the token where there is one, else of software."""
    opened = OpenKeys(kept_seconds=settings.keep_open_seconds)
    former = None
    if settings.keystore_key is not None:
        former = SoftwareKeystore(
            settings.keystore_key.get_secret_value(), purpose=PURPOSE, ask=_keystore_secret
        )
    if settings.pkcs11_module is None:
        assert former is not None, "the settings demand it"
        return SoftwareVault(suites, former, opened)
    from services.seal.signer.token_sessions import TokenSessions  # noqa: PLC0415 - most have no token
    from services.seal.signer.token_vault import TokenVault  # noqa: PLC0415

    assert settings.pkcs11_token, "the settings demand it"
    assert settings.pkcs11_pin, "the settings demand it"
    sessions = TokenSessions(
        str(settings.pkcs11_module), settings.pkcs11_token, settings.pkcs11_pin.get_secret_value()
    )
    return TokenVault(suites, sessions, former=former, opened=opened)


def open_door(settings: SealSignerSettings, vault: Vault) -> grpc.Server:
    """Have the signer listen on its socket, which only our own user can reach; return its server.

    The socket takes the place of an older one in one step: a predecessor ends what it holds, new calls come here.
    Raises SIGNER_SOCKET_NOT_CLOSED.
    """
    socket = _closed(settings.socket)
    fresh = socket.with_name(f"{socket.name}.{os.getpid()}")
    server = grpc.server(
        ThreadPoolExecutor(settings.threads, thread_name_prefix="sign"),
        options=(
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ),
        maximum_concurrent_rpcs=settings.waiting,
    )
    add_signer_service(SignerServicer(vault), server)
    before = os.umask(0o177)
    try:
        server.add_secure_port(f"unix:{fresh}", grpc.local_server_credentials(grpc.LocalConnectionType.UDS))
    finally:
        os.umask(before)
    server.start()
    fresh.replace(socket)
    return server


class SignerDoorSettings(Sourced):
    """Where the signer listens: all that asking after it needs."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEALSIGNER_")

    socket: Path


async def signer_health() -> int:
    """Ask the signer over its socket whether it could sign now; status 0 if so."""
    signer = RemoteSigner(load(SignerDoorSettings).socket, Suites([]), deadline_seconds=4)
    try:
        await asyncio.to_thread(signer.check)
    except Fault as fault:
        _log.warning("signer_down", reason=fault.code, text=fault.en)
        return 1
    return 0


async def new_token_key() -> int:
    """Have a fresh key-encryption key in the token: the first step of its rotation. Raises SIGNER_WITHOUT_TOKEN."""
    _token_vault().add_kek()
    _log.info("token_key_added", hint="now run tongban keys rewrap --service seal --what keystore")
    return 0


async def drop_token_keys() -> int:
    """Have only the newest key-encryption key in the token: the last step. Raises SIGNER_WITHOUT_TOKEN."""
    _log.info("token_keys_dropped", count=_token_vault().drop_keks())
    return 0


def _token_vault() -> TokenVault:
    settings = load(SealSignerSettings)
    logs.configure("sealsigner", level=settings.log_level, log_format=settings.log_format)
    if settings.pkcs11_module is None:
        raise NO_TOKEN()
    return cast("TokenVault", make_vault(settings, load_suites()))


def _closed(socket: Path) -> Path:
    directory = socket.parent
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077 or len(str(socket)) > _LONGEST_SOCKET:
        raise SOCKET_NOT_CLOSED(directory=directory)
    return socket


def _keystore_secret() -> str:
    secret = SealSignerSettings().keystore_key
    return secret.get_secret_value() if secret else ""
