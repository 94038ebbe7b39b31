"""What Compose itself makes of the file, all profiles and each alone, and whether what it mounts is fit to be read."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import preflight
from deploy.making.environment import project_version
from tests.compose.deployment import COMPOSE_FILE, SERVICES, Deployment
from tests.stacks.engine import Engine
from tests.stacks.needs import unavailable

CORE = {
    *(
        *SERVICES,
        "postgres",
        "kafka",
        "provision",
        "seal-signer",
        "seal-keys",
        "seal-tsa-keys",
        "seal-tsa",
        "seal-maker",
        "log-verify",
    ),
    *(f"migrate-{name}" for name in SERVICES),
}
PROFILES = {
    "observability": {"collector", "prometheus", "grafana"},
    "witness": {"witness"},
    "mail": {"mailpit"},
    "s3": {"s3"},
    "idp": {"idp"},
    "tools": {"tools", "backup", "restore"},
}


@pytest.fixture(scope="module")
def made(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment as init.py makes it; nothing is started, no image is needed."""
    found = Deployment(docker_engine, tmp_path_factory.mktemp("county"), project_version())
    found.make()
    yield found
    shutil.rmtree(found.directory, ignore_errors=True)


def configuration(made: Deployment, *profiles: str) -> dict[str, Any]:
    """Return what Compose would run, as an operator asks: the deployment's file alone, no test's beside it."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    given = ("--file", str(COMPOSE_FILE), "--env-file", str(made.directory / ".env"))
    done = made.engine.docker("compose", *given, *chosen, "config", "--format", "json")
    assert "level=warning" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def whole(made: Deployment) -> dict[str, Any]:
    return configuration(made, "*")


def mounts(whole: dict[str, Any], name: str) -> dict[str, Path]:
    """Return what is mounted into a part from the machine, by its path there."""
    part = whole["services"][name]
    found = {each["target"]: Path(each["source"]) for each in part["volumes"] if each["type"] == "bind"}
    for secret in part.get("secrets", ()):
        found[f"/run/secrets/{secret['target']}"] = Path(whole["secrets"][secret["source"]]["file"])
    return found


def on_the_machine(whole: dict[str, Any], name: str, path: str) -> Path:
    """Return the file on the machine that a container sees under a path."""
    for target, source in mounts(whole, name).items():
        if path == target:
            return source
        if path.startswith(f"{target}/"):
            return source / path.removeprefix(f"{target}/")
    raise AssertionError(f"{name} has nothing under {path}")


def test_all_profiles_together_are_one_valid_configuration(whole: dict[str, Any]) -> None:
    assert set(whole["services"]) == CORE.union(*PROFILES.values())


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_each_profile_alone_is_valid_and_brings_its_own_only(made: Deployment, profile: str) -> None:
    found = configuration(made, *([profile] if profile else []))
    assert set(found["services"]) == CORE | PROFILES.get(profile, set())


def test_preflight_finds_the_files_of_every_profile(made: Deployment) -> None:
    found = list(preflight.files.look(made.directory, preflight.PROFILES))
    assert {each.name for each in found} >= {"deployment", "variables", "secrets", "certificates"}
    assert [each for each in found if not each.ok] == []


def test_whatever_is_mounted_from_the_machine_is_there(whole: dict[str, Any]) -> None:
    missing = {
        f"{name}: {source}"
        for name in whole["services"]
        for source in mounts(whole, name).values()
        if not source.exists()
    }
    assert missing == set()


def test_prometheus_takes_its_configuration_with_the_certificates_that_it_will_see(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("promtool is missing: apt-get install prometheus")
    command = whole["services"]["prometheus"]["command"]
    asked = next(word.partition("=")[2] for word in command if word.startswith("--config.file="))
    text = on_the_machine(whole, "prometheus", asked).read_text()
    folder = mounts(whole, "prometheus")["/run/tls"]
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/tls/", f"{folder}/"))
    for rules in yaml.safe_load(text)["rule_files"]:
        shutil.copy(on_the_machine(whole, "prometheus", f"/etc/prometheus/{rules}"), tmp_path)
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout


def test_prometheus_asks_names_that_are_there_by_the_ports_that_they_have(whole: dict[str, Any]) -> None:
    text = on_the_machine(whole, "prometheus", "/etc/prometheus/prometheus.yml").read_text()
    job = next(each for each in yaml.safe_load(text)["scrape_configs"] if each["job_name"] == "tongban")
    for static in job["static_configs"]:
        part = whole["services"][static["labels"]["service_name"]]
        host, port = static["targets"][0].split(":")
        assert host in part["networks"]["inside"]["aliases"]
        assert port == part["environment"]["TONGBAN_METRICS_PORT"]


def test_the_collectors_pipelines_name_what_is_configured_and_files_that_it_sees(
    whole: dict[str, Any],
) -> None:
    asked = whole["services"]["collector"]["command"][0].partition("=")[2]
    text = on_the_machine(whole, "collector", asked).read_text()
    said = yaml.safe_load(text)
    for pipeline in said["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(said[kind]), kind
    assert set(said["service"]["extensions"]) == set(said["extensions"])
    tls = said["receivers"]["otlp"]["protocols"]["grpc"]["tls"]
    assert tls["client_ca_file"], "whoever sends spans shows a certificate"
    for path in (*(tls[key] for key in ("cert_file", "key_file", "client_ca_file")), _ca_of_store(said)):
        assert on_the_machine(whole, "collector", path).is_file(), path
    assert (
        "collector.service.tongban.internal"
        in whole["services"]["collector"]["networks"]["inside"]["aliases"]
    )


def _ca_of_store(said: dict[str, Any]) -> str:
    found: str = said["exporters"]["otlp/store"]["tls"]["ca_file"]
    return found


def test_grafana_is_provisioned_with_sources_and_dashboards_that_are_there(whole: dict[str, Any]) -> None:
    root = on_the_machine(whole, "grafana", "/etc/grafana/provisioning")
    files = {path: yaml.safe_load(path.read_text()) for path in root.rglob("*.yaml")}
    assert {said["apiVersion"] for said in files.values()} == {1}
    sources = [source for said in files.values() for source in said.get("datasources", ())]
    assert [source["url"] for source in sources] == ["http://prometheus:9090"]
    providers = [provider for said in files.values() for provider in said.get("providers", ())]
    folder = on_the_machine(whole, "grafana", providers[0]["options"]["path"])
    boards = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    assert len(boards) == len({board["uid"] for board in boards}) >= 5
    for board in boards:
        assert board["title"]
        assert _sources_in(board) <= {source["uid"] for source in sources}, board["uid"]


def _sources_in(value: Any) -> set[str]:
    """Return the ids of the data sources that a dashboard asks."""
    if isinstance(value, dict):
        own = value.get("datasource")
        found = {own["uid"]} if isinstance(own, dict) else set()
        return found.union(*(_sources_in(each) for each in value.values()))
    return set().union(*(_sources_in(each) for each in value)) if isinstance(value, list) else set()
