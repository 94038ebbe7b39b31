"""What the registry's log, its witness and its 36906 door are given in a deployment."""

from __future__ import annotations

from pathlib import Path

from chassis.tlog.keys import read_signer
from chassis.tlog.note import ED25519
from services.certs.settings import CertsSettings
from tests.unit.deploy.test_compose import COUNTY, PARTS, WITNESS, filled, made, settings_in, variables

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
