"""What the registry's log, its witness and its 36906 door are given in a deployment."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import cast

import pytest
from click import Group
from typer.main import get_command

from chassis.tlog.keys import read_signer
from chassis.tlog.note import ED25519
from cli.main import app
from cli.operations.places import OperationSettings
from services.certs.settings import CertsSettings
from tests.unit.deploy.test_compose import (
    COUNTY,
    DEPLOY,
    PARTS,
    VERIFIER,
    WITNESS,
    filled,
    made,
    settings_in,
    variables,
)

__all__ = ["made"]


def test_the_log_is_named_after_the_county_and_its_witness_told_nothing_but_its_public_key(
    made, tmp_path, monkeypatch
) -> None:
    settings = settings_in("certs", CertsSettings, made, tmp_path, monkeypatch)
    assert settings.log_origin == f"tongban/certs/{COUNTY}"
    known, part = variables(made), PARTS[WITNESS]
    signer = read_signer(settings.log_key.read_bytes(), settings.log_origin, ED25519)
    assert known["TONGBAN_LOG_VERIFIER"] == str(signer.verifier)
    assert filled(part["command"][5], known) == f"--log-key={signer.verifier}"
    assert not {"environment", "secrets", "ports", "depends_on"} & part.keys()
    assert [each["target"] for each in part["volumes"]] == ["/var/lib/witness"]
    assert Path(filled(part["volumes"][0]["source"], known)).is_dir()
    assert part["networks"].keys() == {"inside"}


def test_departments_reach_the_door_of_gb_t_36906_by_certificate(made, tmp_path, monkeypatch) -> None:
    settings = settings_in("certs", CertsSettings, made, tmp_path, monkeypatch)
    assert settings.sharing_host == "0.0.0.0"
    assert f":{settings.sharing_port}" in PARTS["certs"]["ports"][1]
    assert settings.sharing_port not in {settings.grpc_port, settings.http_port, settings.metrics_port}


def test_each_night_the_log_is_verified_for_the_gauge_of_certs(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = settings_in("certs", CertsSettings, made, tmp_path / "certs", monkeypatch)
    certs, part = PARTS["certs"], PARTS[VERIFIER]
    (seen,) = [each for each in certs["volumes"] if isinstance(each, dict) and each["target"] == "/backups"]
    (kept,) = [each for each in part["volumes"] if each["target"] == "/backups"]
    assert (seen["read_only"], kept.get("read_only", False)) == (True, False)
    assert seen["source"] == kept["source"]
    assert str(told.log_verified_file) == "/backups/log-verified.json"
    script, health = part["command"][2], part["healthcheck"]["test"]
    assert f"--state {told.log_verified_file}" in script
    assert health[0] == "CMD-SHELL"
    assert str(told.log_verified_file) in health[1]
    assert not {"ports", "profiles"} & part.keys()
    assert part["networks"] == ["inside"]


def test_the_nightly_run_has_a_reading_role_the_keyring_and_the_public_keys_of_the_log(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(VERIFIER, OperationSettings, made, tmp_path, monkeypatch)
    assert "tongban_backup:" in settings.server_dsn.get_secret_value()
    assert settings.keyrings.keys() == {"certs"}
    assert settings.keyrings["certs"].is_file()
    assert settings.signing_key is None
    part, known = PARTS[VERIFIER], variables(made)
    assert filled(part["environment"]["TONGBAN_LOG_VERIFIER"], known) == known["TONGBAN_LOG_VERIFIER"]
    held = {each["source"] for each in part["secrets"]}
    assert held == {"backup_database_dsn", "certs_field_keys", "certs_log_keys"}


@pytest.mark.parametrize(
    ("age_hours", "began_hours", "verified", "well"),
    [
        (None, 0, True, True),
        (None, 3, True, False),
        (1, 3, False, True),
        (25, 3, True, True),
        (27, 3, True, False),
        (27, 0, True, True),
    ],
)
def test_it_verifies_when_the_verdict_is_a_day_old_and_is_well_while_none_is_overdue(
    tmp_path: Path, age_hours: float | None, began_hours: float, *, verified: bool, well: bool
) -> None:
    part, verdict, began = PARTS[VERIFIER], tmp_path / "verdict.json", tmp_path / "began"
    _aged(verdict, age_hours)
    _aged(began, began_hours)
    assert _run(tmp_path, part["healthcheck"]["test"][1]) == (0 if well else 1)
    _run(tmp_path, part["command"][2])
    assert (tmp_path / "asked").exists() == verified
    if verified:
        words = (tmp_path / "asked").read_text().split("\n")[:-1]
        verify = cast("Group", cast("Group", get_command(app)).commands["log"]).commands["verify"]
        context = verify.make_context("verify", words[3:])
        assert context.params["database"]
        assert context.params["log_key"] == ["the public key"]
        assert context.params["log_keys"] == Path("/run/secrets/log_keys.txt")


def _aged(path: Path, hours: float | None) -> None:
    if hours is not None:
        path.touch()
        moment = time.time() - hours * 3_600
        os.utime(path, (moment, moment))


def _run(place: Path, script: str) -> int:
    """Run what a shell in the container is given, with its paths here; the second rest ends it."""
    (place / "tongban").write_text(f"#!/bin/sh\nprintf '%s\\n' tongban-log \"$@\" > {place}/asked\n")
    (place / "sleep").write_text(f"#!/bin/sh\n[ -e {place}/rested ] && kill $PPID\ntouch {place}/rested\n")
    for name in ("tongban", "sleep"):
        (place / name).chmod(0o755)
    paths = {"/opt/tongban/ready.py": DEPLOY / "ready.py", "/tmp/began": place / "began"}
    text = script.replace("$$", "$").replace("/backups/log-verified.json", str(place / "verdict.json"))
    for there, here in paths.items():
        text = text.replace(there, f"{here}")
    environment = {
        "PATH": f"{place}:{os.environ['PATH']}",
        "TONGBAN_LOG_VERIFY_HOURS": "24",
        "TONGBAN_LOG_VERIFIER": "the public key",
    }
    return subprocess.run(["/bin/sh", "-c", text], env=environment, check=False, timeout=30).returncode
