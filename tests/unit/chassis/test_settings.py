from __future__ import annotations

import os
from pathlib import Path

import pytest

from chassis.errors import Fault
from chassis.settings import MigrationSettings, ServiceSettings, explain, load


class IntakeSettings(ServiceSettings, env_prefix="TONGBAN_INTAKE_"):
    certs_address: str


COMPLETE = {
    "TONGBAN_INTAKE_DATABASE_DSN": "postgresql://intake_app:hunter2@db/intake",
    "TONGBAN_BUS": "kafka",
    "TONGBAN_KAFKA_BOOTSTRAP": "kafka:9092",
    "TONGBAN_INTAKE_GRPC_PORT": "7001",
    "TONGBAN_INTAKE_HTTP_PORT": "7002",
    "TONGBAN_CERTS_ADDRESS": "certs:7001",
    "TONGBAN_ENVIRONMENT": "development",
    "TONGBAN_INTAKE_TLS_CERTIFICATE": "certificate.pem",
    "TONGBAN_INTAKE_TLS_KEY": "key.pem",
    "TONGBAN_INTAKE_TLS_AUTHORITY": "authority.pem",
    "TONGBAN_INTAKE_TOKEN_KEYS": "token_keys.json",
    "TONGBAN_INTAKE_FIELD_KEYS": "field_keys.json",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TONGBAN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refused() -> dict[str, str]:
    with pytest.raises(Fault) as caught:
        IntakeSettings()
    assert caught.value.code == "SETTINGS_INCOMPLETE"
    return {v.field_path: v.reason.code for v in caught.value.violations}


def test_every_missing_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGBAN_BUS", "postgres")
    monkeypatch.setenv("TONGBAN_INTAKE_GRPC_PORT", "many")
    assert refused() == {
        "TONGBAN_INTAKE_BUS_DSN": "SETTING_MISSING",
        "TONGBAN_INTAKE_TLS_CERTIFICATE": "SETTING_MISSING",
        "TONGBAN_INTAKE_TLS_KEY": "SETTING_MISSING",
        "TONGBAN_INTAKE_TLS_AUTHORITY": "SETTING_MISSING",
        "TONGBAN_INTAKE_TOKEN_KEYS": "SETTING_MISSING",
        "TONGBAN_INTAKE_FIELD_KEYS": "SETTING_MISSING",
        "TONGBAN_INTAKE_DATABASE_DSN": "SETTING_MISSING",
        "TONGBAN_INTAKE_HTTP_PORT": "SETTING_MISSING",
        "TONGBAN_INTAKE_CERTS_ADDRESS": "SETTING_MISSING",
        "TONGBAN_INTAKE_GRPC_PORT": "SETTING_WRONG",
    }


def test_own_prefix_wins_over_the_shared_one(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("TONGBAN_INTAKE_BUS", "postgres")
    complete.setenv("TONGBAN_INTAKE_BUS_DSN", "postgresql://bus_app@db/bus")
    settings = IntakeSettings()
    assert settings.bus == "postgres"
    assert settings.certs_address == "certs:7001"
    assert IntakeSettings.service() == "intake"


def test_a_secret_comes_from_a_file_and_hides_itself(complete: pytest.MonkeyPatch, tmp_path: Path) -> None:
    complete.delenv("TONGBAN_INTAKE_DATABASE_DSN")
    complete.setenv("TONGBAN_SECRETS_DIR", str(tmp_path))
    (tmp_path / "tongban_intake_database_dsn").write_text("postgresql://from-a-file\n")
    settings = IntakeSettings()
    assert settings.database_dsn.get_secret_value() == "postgresql://from-a-file"
    assert "from-a-file" not in repr(settings)


def test_mutual_tls_is_demanded_in_every_environment(complete: pytest.MonkeyPatch) -> None:
    complete.delenv("TONGBAN_INTAKE_TLS_KEY")
    assert refused() == {"TONGBAN_INTAKE_TLS_KEY": "SETTING_MISSING"}


def test_an_empty_variable_counts_as_missing(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("TONGBAN_INTAKE_DATABASE_DSN", "")
    assert refused() == {"TONGBAN_INTAKE_DATABASE_DSN": "SETTING_MISSING"}


def test_loading_prints_the_names_without_values_and_exits_2(
    complete: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    complete.setenv("TONGBAN_INTAKE_GRPC_PORT", "hunter2-as-a-port")
    complete.delenv("TONGBAN_INTAKE_HTTP_PORT")
    with pytest.raises(SystemExit) as ended:
        load(IntakeSettings)
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert "TONGBAN_INTAKE_GRPC_PORT" in printed
    assert "TONGBAN_INTAKE_HTTP_PORT" in printed
    assert "hunter2" not in printed


def test_the_migration_job_needs_only_the_owner_role(monkeypatch: pytest.MonkeyPatch) -> None:
    class Job(MigrationSettings, env_prefix="TONGBAN_CERTS_"):
        pass

    with pytest.raises(Fault) as caught:
        Job()
    assert "TONGBAN_CERTS_MIGRATOR_DSN" in explain("certs", caught.value)
    monkeypatch.setenv("TONGBAN_CERTS_MIGRATOR_DSN", "postgresql://certs_migrator@db/certs")
    assert Job().migrator_dsn.get_secret_value().startswith("postgresql://")
