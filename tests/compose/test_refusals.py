"""What a deployment refuses, and by which name: a lost or wrong secret, a schema too old for the code."""

from __future__ import annotations

import time

import pytest

from tests.compose.deployment import SERVICES, Deployment

pytestmark = [pytest.mark.timeout(600)]
WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def stores(deployment: Deployment) -> Deployment:
    """Database and log, provisioned; no schema yet."""
    deployment.up("postgres", "kafka")
    deployment.up("provision", wait=False)
    deployment.engine.docker("wait", deployment.inspect("provision")["Id"])
    return deployment


def last_words(deployment: Deployment, service: str) -> str:
    return deployment.compose("logs", "--no-color", "--no-log-prefix", "--tail", "8", service).stdout


def refusal_of(deployment: Deployment, service: str, expected: str) -> str:
    """Start a service alone; return what it said once it said that."""
    deployment.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", service)
    deadline = time.monotonic() + WAIT_SECONDS
    while expected not in (said := last_words(deployment, service)):
        assert time.monotonic() < deadline, said
        time.sleep(1)
    deployment.compose("rm", "--force", "--stop", service)
    return said


def test_a_variable_that_is_not_set_stops_compose_with_its_name(deployment):
    environment = deployment.directory / ".env"
    text = environment.read_text()
    for name in ("TONGBAN_UID", "TONGBAN_SECRETS", "TONGBAN_KAFKA_CLUSTER_ID", "TONGBAN_VERSION"):
        environment.write_text(
            "\n".join(line for line in text.splitlines() if not line.startswith(f"{name}="))
        )
        try:
            done = deployment.compose("config", "--quiet", check=False)
        finally:
            environment.write_text(text)
        assert done.returncode != 0
        assert name in done.stderr


def test_a_lost_secret_stops_the_start_with_its_name(stores):
    secret = stores.directory / "secrets" / "certs" / "field_keys.json"
    secret.rename(secret.with_suffix(".away"))
    try:
        done = stores.compose("up", "--detach", "--no-build", "--no-deps", "certs", check=False)
    finally:
        secret.with_suffix(".away").rename(secret)
    assert done.returncode != 0
    assert "certs/field_keys.json" in done.stderr
    stores.compose("rm", "--force", "--stop", "certs")


def test_a_service_refuses_a_database_without_its_schema(stores):
    assert "SCHEMA_OUTDATED" in refusal_of(stores, "notify", "SCHEMA_OUTDATED")


def test_an_emptied_secret_is_named_by_the_service(stores):
    secret = stores.directory / "secrets" / "seal" / "keystore_key"
    kept = secret.read_text()
    secret.write_text("")
    try:
        said = refusal_of(stores, "seal-signer", "TONGBAN_SEALSIGNER_KEYSTORE_KEY")
    finally:
        secret.write_text(kept)
    assert kept not in said


def test_a_wrong_password_is_refused_and_never_shown(stores):
    secret = stores.directory / "secrets" / "notify" / "database_dsn"
    kept = secret.read_text()
    secret.write_text(kept.replace("notify_app:", "notify_app:wrong"))
    try:
        said = refusal_of(stores, "notify", "PEER_UNAVAILABLE")
    finally:
        secret.write_text(kept)
    assert kept.split(":")[2].split("@")[0] not in said


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_waits_for_its_schema_is_never_ready(stores, service):
    stores.compose("up", "--detach", "--no-build", "--no-deps", service)
    try:
        time.sleep(3)
        assert stores.inspect(service)["State"].get("Health", {}).get("Status") != "healthy"
    finally:
        stores.compose("rm", "--force", "--stop", service)
