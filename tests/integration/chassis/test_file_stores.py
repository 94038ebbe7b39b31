"""One suite for every file store: a directory, obstore's memory and directory, and a real S3 server over TLS."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from obstore.store import LocalStore, MemoryStore, S3Store
from pydantic_settings import SettingsConfigDict
from werkzeug.serving import make_server

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore, KeptFiles
from chassis.keyring import new_keyring, parse_keyring, with_new_key
from chassis.object_files import ObjectFiles, open_files
from chassis.settings import ServiceSettings
from cli.local.authority import Authority, open_authority

BUCKET, KEY_ID, SECRET_KEY = "tongban-files", "key-of-this-test", "secret-of-this-test"
PERSONAL = b"11010519491231002X" * 10
KINDS = ("directory", "memory", "local", "s3")
NOW = datetime(2026, 1, 5, tzinfo=UTC)


class CertsLike(ServiceSettings):
    """Settings of a service, given as they are in the environment."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_CERTS_")


@dataclass
class Server:
    """An S3 server on this machine."""

    endpoint: str
    authority: Authority

    def settings(self, folder: Path, prefix: str) -> ServiceSettings:
        """Return the settings of a service that keeps its files here."""
        nothing = folder / "unused"
        return CertsLike(
            database_dsn="x",
            bus="postgres",
            bus_dsn="x",
            grpc_port=0,
            http_port=0,
            tls_certificate=nothing,
            tls_key=nothing,
            tls_authority=nothing,
            token_keys=nothing,
            field_keys=nothing,
            files=f"s3://{BUCKET}/{prefix}",
            files_endpoint=self.endpoint,
            files_key_id=KEY_ID,
            files_secret_key=SECRET_KEY,
            files_authority=self.authority.root_file,
        )

    def raw(self) -> S3Store:
        """Return the bucket itself."""
        return S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=KEY_ID,
            secret_access_key=SECRET_KEY,
            client_options={"root_certificate": self.authority.root_file.read_text()},
        )


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    authority = open_authority(tmp_path_factory.mktemp("authority"))
    files = authority.leaf("s3", "s3", authority.local_names)
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, ssl_context=(str(files.certificate), str(files.key))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found = Server(f"https://127.0.0.1:{server.server_port}", authority)
    _make_bucket(found)
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def _make_bucket(server: Server) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET_KEY,
        verify=str(server.authority.root_file),
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()


Make = Callable[[FieldCipher | None], KeptFiles]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Return how to open the one store of this test, again and again."""
    memory = MemoryStore()
    if request.param == "s3":
        server: Server = request.getfixturevalue("s3")
        settings = server.settings(
            tmp_path, f"t/{tmp_path.name}-{hashlib.sha256(request.node.name.encode()).hexdigest()}"
        )
        return lambda cipher: open_files(settings, "documents", cipher)
    if request.param == "memory":
        return lambda cipher: ObjectFiles(memory, cipher)
    if request.param == "local":
        return lambda cipher: ObjectFiles(LocalStore(tmp_path / "objects", mkdir=True), cipher)
    return lambda cipher: DirectoryStore(tmp_path / "objects", cipher)


def a_cipher() -> FieldCipher:
    return FieldCipher(parse_keyring(new_keyring(NOW)), service="certs")


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4_096], ids=["empty", "one", "a megabyte"])
async def test_what_was_put_comes_back_under_its_digest_and_putting_again_changes_nothing(
    make: Make, data: bytes
) -> None:
    store = make(None)
    key = await store.put(data)
    assert key == hashlib.sha256(data).hexdigest() == await store.put(data)
    assert await make(None).get(key) == data
    assert list(store.keys()) == [key]


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 64])
async def test_a_key_not_made_by_the_store_finds_nothing(make: Make, key: str) -> None:
    store = make(None)
    for ask in (store.stored, store.beginning):
        with pytest.raises(Fault, match="FILE_NOT_FOUND"):
            ask(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        await store.get(key)


async def test_a_removed_file_is_gone_and_removing_again_is_no_error(make: Make) -> None:
    store = make(None)
    key = await store.put(b"x")
    await store.remove(key)
    await store.remove(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        await store.get(key)
    assert list(store.keys()) == []


async def test_a_changed_file_is_found_out_and_put_again_mends_it(make: Make) -> None:
    store = make(None)
    key = await store.put(b"licence")
    store.rewrite(key, lambda _: b"another")
    with pytest.raises(Fault, match="FILE_BROKEN"):
        await store.get(key)
    await store.put(b"licence")
    assert await store.get(key) == b"licence"


async def test_nothing_personal_is_stored_in_clear_and_a_flipped_bit_is_found(make: Make) -> None:
    store = make(a_cipher())
    key = await store.put(PERSONAL)
    assert key == hashlib.sha256(PERSONAL).hexdigest() == await store.put(PERSONAL)
    assert await store.get(key) == PERSONAL
    sealed = store.stored(key)
    assert b"11010519491231002X" not in sealed
    assert sealed.startswith(store.beginning(key))
    store.rewrite(key, lambda old: old[:-1] + bytes([old[-1] ^ 1]))
    with pytest.raises(Fault, match="FILE_BROKEN"):
        await store.get(key)


async def test_a_file_moves_to_a_new_field_key_and_keeps_its_name(make: Make) -> None:
    old = new_keyring(NOW)
    first = FieldCipher(parse_keyring(old), service="certs")
    key = await make(first).put(PERSONAL)
    second = FieldCipher(parse_keyring(with_new_key(old, NOW)), service="certs")
    store = make(second)
    assert second.needs_rewrap(store.beginning(key))
    store.rewrap(key)
    assert not second.needs_rewrap(store.beginning(key))
    assert await store.get(key) == PERSONAL


async def test_what_a_change_refuses_changes_nothing_and_a_removed_file_does_not_come_back(
    make: Make,
) -> None:
    store = make(None)
    key = await store.put(b"x")

    def refuse(_: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.rewrite(key, refuse)
    assert await store.get(key) == b"x"
    await store.remove(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        store.rewrite(key, lambda old: old)


async def test_an_oversized_file_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("chassis.files", "chassis.object_files"):
        monkeypatch.setattr(f"{module}.MAX_FILE_BYTES", 3)
    with pytest.raises(Fault, match="FILE_TOO_LARGE"):
        await make(None).put(b"four")


async def test_a_file_removed_while_it_is_rewrapped_stays_removed(s3: Server, tmp_path: Path) -> None:
    store = open_files(s3.settings(tmp_path, "removed"), "documents")
    key = await store.put(b"x")

    def removed_meanwhile(old: bytes) -> bytes:
        import obstore

        obstore.delete(s3.raw(), f"removed/certs/documents/{key[-2:]}/{key}")
        return old + b"y"

    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        store.rewrite(key, removed_meanwhile)
    assert list(store.keys()) == []


async def test_a_store_that_does_not_answer_or_is_not_trusted_is_unavailable_not_empty(
    s3: Server, tmp_path: Path
) -> None:
    gone = s3.settings(tmp_path, "x").model_copy(update={"files_endpoint": "https://127.0.0.1:1"})
    stranger = s3.settings(tmp_path, "x").model_copy(update={"files_authority": None})
    for settings in (gone, stranger):
        store = open_files(settings, "documents")
        with pytest.raises(Fault, match="FILE_STORE_FAILED"):
            await store.get("0" * 64)
        with pytest.raises(Fault, match="FILE_STORE_FAILED"):
            await store.put(b"x")


def test_an_object_store_without_its_keys_is_no_complete_setting(s3: Server, tmp_path: Path) -> None:
    given = s3.settings(tmp_path, "x").model_dump()
    with pytest.raises(Fault) as refused:
        CertsLike(**{**given, "files_key_id": None})
    assert [each.field_path for each in refused.value.violations] == ["TONGBAN_CERTS_FILES_KEY_ID"]
    with pytest.raises(Fault, match="SETTINGS_INCOMPLETE"):
        CertsLike(**{**given, "files_endpoint": "http://plain.example"})
