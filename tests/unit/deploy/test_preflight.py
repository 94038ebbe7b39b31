"""preflight.py names everything that is missing, at once, and says so by its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy import init, preflight
from deploy.checking import engine, files, machine
from deploy.checking.finding import Finding

OWNER = init.Owner.current()


@pytest.fixture
def county(tmp_path: Path) -> Path:
    init.make_deployment(tmp_path, OWNER, "测试县")
    return tmp_path


@pytest.fixture
def elsewhere(monkeypatch) -> None:
    """Only the deployment's own files count: the machine and its engine are in order."""
    monkeypatch.setattr(machine, "look", lambda *_: iter([Finding("memory", ok=True, found="enough")]))
    monkeypatch.setattr(engine, "look", lambda: iter([Finding("engine", ok=True, found="26.1")]))


def lacking(directory: Path, *profiles: str) -> dict[str, str]:
    return {each.name: each.found for each in files.look(directory, profiles) if not each.ok}


def test_a_fresh_deployment_lacks_nothing(county):
    assert lacking(county, "observability", "mail", "s3", "idp") == {}


def test_every_missing_secret_is_named_at_once(county):
    (county / "secrets/intake/field_keys.json").unlink()
    (county / "secrets/seal/keystore_key").write_text("")
    assert lacking(county)["secrets"] == "field_keys.json, keystore_key"


def test_a_profiles_secret_counts_only_where_the_profile_is_wanted(county):
    (county / "secrets/grafana/admin_password").unlink()
    assert "secrets" not in lacking(county, "mail")
    assert lacking(county, "observability")["secrets"] == "admin_password"


def test_every_missing_variable_is_named_at_once(county):
    text = (county / ".env").read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("TONGBAN_UID", "TONGBAN_SECRETS"))]
    (county / ".env").write_text("\n".join(kept))
    assert lacking(county)["variables"] == "TONGBAN_SECRETS, TONGBAN_UID"


def test_a_secret_that_others_can_read_is_named(county):
    (county / "secrets/provision/admin_dsn").chmod(0o644)
    assert lacking(county)["secrets closed"] == "admin_dsn"


def test_a_certificate_near_its_end_is_named(county, monkeypatch):
    monkeypatch.setattr(files, "RENEW_BEFORE", files.RENEW_BEFORE * 4)
    assert "intake/tls.pem ends" in lacking(county)["certificates"]


def test_a_certificate_that_its_holder_lacks_is_named(county):
    (county / "secrets/tls/intake/tls.key").unlink()
    (county / "secrets/tls/grafana/tls.pem").unlink()
    assert lacking(county)["secrets"] == "intake/tls.key"
    assert lacking(county, "observability")["secrets"] == "grafana/tls.pem, intake/tls.key"


def test_too_little_of_everything_is_all_named(county, monkeypatch):
    monkeypatch.setattr(machine, "CPUS_AT_LEAST", 10_000)
    monkeypatch.setattr(machine, "MEMORY_AT_LEAST_MIB", {"": 10**9})
    monkeypatch.setattr(machine, "DISK_AT_LEAST_MIB", 10**12)
    monkeypatch.setattr(machine, "_clock_state", lambda: machine.TIME_ERROR)
    monkeypatch.setattr(machine, "_ports", lambda *_: iter(()))
    names = {each.name for each in machine.look(county, ()) if not each.ok}
    assert names >= {"cpu", "memory", "disk", "clock"}


def test_no_engine_and_an_old_one_are_named(monkeypatch):
    monkeypatch.setattr(engine, "ENGINE_AT_LEAST", (999, 0))
    monkeypatch.setattr(engine.shutil, "which", lambda _: None)
    assert [each.name for each in engine.look() if not each.ok] == ["docker"]
    monkeypatch.setattr(engine.shutil, "which", lambda _: "/usr/bin/docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert "engine" in [each.name for each in engine.look() if not each.ok]


@pytest.mark.usefixtures("elsewhere")
def test_the_exit_status_tells_what_kind_of_thing_is_missing(county, tmp_path, capsys):
    assert preflight.main([str(county)]) == 0
    (county / "secrets/token_keys.json").unlink()
    assert preflight.main([str(county)]) == 1
    assert "token_keys.json" in capsys.readouterr().out
    assert preflight.main([str(tmp_path / "none")]) == 2


@pytest.mark.usefixtures("elsewhere")
def test_machines_read_the_same(county, capsys):
    assert preflight.main([str(county), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert {"name", "ok", "found", "zh", "en"} == set(told["checks"][0])
