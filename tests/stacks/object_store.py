"""A real S3 server over TLS on this machine, and the settings of a service that keeps its files there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from obstore.store import S3Store
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings
from cli.local.authority import Authority, open_authority

BUCKET, KEY_ID, SECRET_KEY = "tongban-files", "key-of-this-test", "secret-of-this-test"


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
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

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
