"""The Compose file keeps the rules of a deployment, and init.py makes everything that it refers to."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from chassis.settings import SECRETS_DIR_VARIABLE, MigrationSettings, ServiceSettings, Sourced
from cli.commands.provision import ProvisionSettings
from cli.local.credentials import SIGNING_KEYS
from cli.local.kafka.container import image as kafka_image
from cli.local.layout import SERVICES as LOCAL_SERVICES
from cli.topic_access import READS
from deploy import init
from deploy.making.words import all_roles

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/__main__.py"))
STORES = {"postgres", "kafka"}
MAKER, SIGNER, STAMPER = "seal-maker", "seal-signer", "seal-tsa"
JOBS = {"provision", "seal-keys", "seal-tsa-keys", *(f"migrate-{name}" for name in SERVICES)}
BY_HAND = {"tools", "backup", "restore"}
WITNESS = "witness"
VERIFIER = "log-verify"
PROFILES = {
    "observability": {"collector", "prometheus", "grafana"},
    "witness": {WITNESS},
    "mail": {"mailpit"},
    "s3": {"s3"},
    "idp": {"idp"},
    "tools": BY_HAND,
}
RUNNING = sorted({*SERVICES, *STORES, MAKER, SIGNER, STAMPER, VERIFIER})
OPTIONAL = sorted(set().union(*PROFILES.values()))
ALL = sorted({*RUNNING, *JOBS, *OPTIONAL})
REQUIRED = {
    *("TONGBAN_UID", "TONGBAN_GID", "TONGBAN_VERSION", "TONGBAN_KAFKA_CLUSTER_ID", "TONGBAN_SECRETS"),
    *("TONGBAN_TERMINAL_KEYS", "TONGBAN_BACKUPS", "TONGBAN_DATA"),
}
OF_THE_COUNTY = {"TONGBAN_LOG_ORIGIN", "TONGBAN_LOG_VERIFIER"}
COUNTY = "测试县"
RUN_SECRETS, RUN_TLS = "/run/secrets/", "/run/tls/"
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")
_SECRET_NAME = re.compile(r"PASSWORD|PASSPHRASE|SECRET|DSN|TOKEN$|KEYSTORE", re.IGNORECASE)

TEXT = (DEPLOY / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]

each = pytest.mark.parametrize("name", ALL)
each_running = pytest.mark.parametrize("name", RUNNING)
each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("county")
    init.make_deployment(directory, init.Owner.current(), COUNTY)
    return directory


def variables(directory: Path) -> dict[str, str]:
    lines = (directory / ".env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text: str, known: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        return known[name] if kind != ":-" else known.get(name, rest)

    return _VARIABLE.sub(value, text)


def certificates(name: str) -> Path:
    """Return the directory of a part's certificates as the Compose file says it, variables and all."""
    found = [v for v in PARTS[name]["volumes"] if isinstance(v, dict) and v["target"] == "/run/tls"]
    assert len(found) == 1, name
    assert found[0]["read_only"] is True
    assert found[0]["bind"] == {"create_host_path": False}
    return Path(found[0]["source"])


def mounted(name: str, directory: Path, target: Path) -> Path:
    """Return a directory with a part's secrets under the names they have in its container."""
    target.mkdir(parents=True)
    known = variables(directory)
    for secret in PARTS[name].get("secrets", ()):
        source = Path(filled(COMPOSE["secrets"][secret["source"]]["file"], known))
        shutil.copy(source, target / secret["target"])  # a link out of the directory is refused
    return target


def settings_in(name: str, cls: type[Sourced], made: Path, tmp_path: Path, patch: pytest.MonkeyPatch) -> Any:
    """Construct a settings class from nothing but what the image and the Compose file give a container."""
    place = mounted(name, made, tmp_path / "secrets")
    known = variables(made)
    for variable in [key for key in os.environ if key.startswith("TONGBAN_")]:
        patch.delenv(variable)
    image = re.findall(r"(TONGBAN_\w+)=([^\s$\\]+)", (DEPLOY / "Dockerfile").read_text("utf-8"))
    given = dict(image) | (PARTS[name].get("environment") or {})
    for key, value in given.items():
        text = filled(str(value), known).replace(RUN_SECRETS, f"{place}/")
        if RUN_TLS in text:
            text = text.replace(RUN_TLS, f"{filled(str(certificates(name)), known)}/")
        patch.setenv(key, text)
    patch.setenv(SECRETS_DIR_VARIABLE, str(place))
    return cls()


def test_every_service_has_its_process_its_migration_job_and_its_roles(made) -> None:
    assert sorted(LOCAL_SERVICES) == SERVICES
    assert set(PARTS) == set(ALL)
    roles = json.loads((made / "secrets" / "provision" / "role_passwords.json").read_text())
    assert set(roles) == {f"{name}_{role}" for name in SERVICES for role in ("app", "migrator")} | {
        *("seal_maker", "tongban_backup")
    }
    assert sorted(roles) == sorted(all_roles())


@each
def test_nobody_has_more_than_it_needs_on_the_machine(name) -> None:
    part = PARTS[name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert "cap_add" not in part
    assert "no-new-privileges:true" in part["security_opt"]
    assert part["user"] not in {"", "root", "0"}
    assert part["mem_limit"]
    assert part["pids_limit"] > 0
    assert part["logging"]["options"].keys() >= {"max-size", "max-file"}
    assert not part.get("privileged")
    assert all("docker.sock" not in str(volume) for volume in part.get("volumes", ()))
    assert all("mode=1777" in entry and "nosuid" in entry for entry in part["tmpfs"])


@each_running
def test_what_keeps_running_says_whether_it_is_ready_and_comes_back(name) -> None:
    part = PARTS[name]
    assert part["restart"] == "unless-stopped"
    assert int(part["healthcheck"]["interval"].rstrip("s")) >= 30
    assert int(part["stop_grace_period"].rstrip("s")) >= 30


@each_service
def test_the_health_of_a_service_is_its_readiness(name) -> None:
    assert PARTS[name]["healthcheck"]["test"] == ["CMD", "/opt/tongban/ready.py"]
    assert "/readyz" in (DEPLOY / "ready.py").read_text("utf-8")


def test_the_profiles_are_those_of_the_readme() -> None:
    found: dict[str, set[str]] = {}
    for name, part in PARTS.items():
        for profile in part.get("profiles", ()):
            found.setdefault(profile, set()).add(name)
    assert found == PROFILES
    readme = (DEPLOY / "README.md").read_text("utf-8")
    assert [profile for profile in PROFILES if f"`{profile}`" not in readme] == []


@each
def test_images_have_versions(name) -> None:
    image = PARTS[name]["image"]
    assert ":" in _VARIABLE.sub("", image)
    assert "latest" not in image


def test_kafka_is_the_version_that_the_tests_run() -> None:
    assert PARTS["kafka"]["image"] == kafka_image()


@each
def test_no_secret_stands_in_an_environment_or_on_a_command_line(name) -> None:
    part = PARTS[name]
    for key, value in (part.get("environment") or {}).items():
        if _SECRET_NAME.search(key) and not key.endswith("_TYPE"):
            assert str(value).startswith((RUN_SECRETS, RUN_TLS)), f"{key} must point to a file"
    assert "://" not in str(part.get("command", ""))
    assert "password" not in str(part.get("command", "")).lower()


def test_every_secret_is_a_file_that_has_no_default() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert list(secret) == ["file"], name
        assert secret["file"].startswith("${TONGBAN_SECRETS:?"), name


def test_every_variable_is_demanded_or_has_a_harmless_default() -> None:
    found = {(name, kind) for name, kind, _ in _VARIABLE.findall(TEXT)}
    assert {name for name, kind in found if kind == ":?"} == REQUIRED
    assert {kind for _, kind in found} == {":?", ":-"}
    assert [name for name, kind in found if kind == ":-" and _SECRET_NAME.search(name)] == []
    example = (DEPLOY / ".env.example").read_text("utf-8")
    assert [name for name, _ in found if name not in example] == []


def test_init_makes_exactly_the_files_that_are_referred_to(made) -> None:
    known = variables(made)
    referred = {Path(filled(secret["file"], known)) for secret in COMPOSE["secrets"].values()}
    there = {path for path in (made / "secrets").rglob("*") if path.is_file()}
    speaking = [name for name in ALL if name not in {SIGNER, WITNESS}]
    shown = {path for name in speaking for path in Path(filled(str(certificates(name)), known)).iterdir()}
    s3_client = {made / "secrets" / "s3" / name for name in ("access_key", "secret_key")}
    there -= {path for path in there if path.parent.name == "authority"}  # mounted nowhere, see below
    assert there - s3_client == referred | shown
    used = {secret["source"] for part in PARTS.values() for secret in part.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    assert known.keys() == REQUIRED | OF_THE_COUNTY


def test_a_secret_has_one_holder_but_for_what_is_public() -> None:
    public = {"token_keys"}
    holders: dict[str, list[str]] = {}
    for name, part in PARTS.items():
        for secret in part.get("secrets", ()):
            holders.setdefault(secret["source"], []).append(name)
    # An operator's one-off containers hold what the services hold, and nothing of owners and of the maker.
    by_hand = {source for name in BY_HAND for source in (each["source"] for each in PARTS[name]["secrets"])}
    assert not [source for source in by_hand if "migrator" in source or "sealmaker" in source]
    shared = {
        source: kept
        for source, names in holders.items()
        if len(kept := [name for name in names if name not in BY_HAND]) > 1 and source not in public
    }
    # The signing side of seal is one holder in two shapes: its process and its key job.
    sides = ("seal_database_dsn", "seal_field_keys")
    assert shared == {
        **{source: ["seal-keys", "seal"] for source in sides},
        "tsa_keystore_key": ["seal-tsa-keys", STAMPER],
        # Whoever verifies the registry's rows needs what their integrity codes are made with.
        **{source: ["certs", VERIFIER] for source in ("certs_field_keys", "certs_log_keys")},
    }
    assert holders["seal_keystore_key"] == [
        SIGNER
    ]  # not even an operator's one-off container opens private keys


def test_only_intake_speaks_http_outside_without_a_certificate_and_all_doors_are_on_loopback_unless_told() -> (
    None
):
    published = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    assert all(
        door.startswith("${TONGBAN_BIND:-127.0.0.1}:") for ports in published.values() for door in ports
    )
    outside = {name for name, part in PARTS.items() if "edge" in part["networks"]}
    assert outside == set(published)
    doors = {name: ports for name, ports in published.items() if "profiles" not in PARTS[name]}
    assert sorted(doors) == ["certs", "intake", "seal"]
    inner = [(name, door.rsplit(":", 1)[1]) for name, ports in doors.items() for door in ports]
    assert sorted(inner) == [
        *(("certs", "8090"), ("certs", "9000"), ("intake", "8080"), ("intake", "9000"), ("seal", "9000")),
    ]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


@each_service
def test_a_service_starts_after_its_migration_and_the_stores(name) -> None:
    waits = {other: how["condition"] for other, how in PARTS[name]["depends_on"].items()}
    assert waits[f"migrate-{name}"] == "service_completed_successfully"
    assert {waits[store] for store in STORES} == {"service_healthy"}
    assert PARTS[f"migrate-{name}"]["depends_on"] == {
        "provision": {"condition": "service_completed_successfully"}
    }


@each_service
def test_a_service_finds_every_setting_it_demands(name, made, tmp_path, monkeypatch) -> None:
    module = importlib.import_module(f"services.{name}.settings")
    cls = next(value for key, value in vars(module).items() if key == f"{name.capitalize()}Settings")
    assert issubclass(cls, ServiceSettings)
    settings = settings_in(name, cls, made, tmp_path, monkeypatch)
    assert settings.environment == "production"
    assert f"{name}_app" in settings.database_dsn.get_secret_value()
    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.kafka_tls
    assert settings.kafka_member_id == f"{name}-1"
    assert settings.http_certificate.is_file()
    assert settings.http_key.is_file()
    files = [settings.tls_certificate, settings.tls_key, settings.tls_authority]
    files += [settings.token_keys, settings.field_keys]
    files += [getattr(settings, key) for key in SIGNING_KEYS.get(name, ())]
    assert [path for path in files if not path.is_file()] == []
    for peer in SERVICES:
        host, port = getattr(settings, f"{peer}_address").split(":")
        assert host in PARTS[peer]["networks"]["inside"]["aliases"]
        assert int(port) == settings.grpc_port


@each_service
def test_a_migration_job_finds_the_owners_dsn_and_nothing_else(name, made, tmp_path, monkeypatch) -> None:
    app = importlib.import_module(f"services.{name}.app")
    assert issubclass(app.migration_settings, MigrationSettings)
    settings = settings_in(f"migrate-{name}", app.migration_settings, made, tmp_path, monkeypatch)
    assert f"{name}_migrator" in settings.migrator_dsn.get_secret_value()
    assert {each["target"] for each in PARTS[f"migrate-{name}"]["secrets"]} == {
        f"tongban_{name}_migrator_dsn",
    }


@pytest.mark.parametrize(
    ("name", "cls", "role"),
    [("seal-keys", "SealKeySettings", "seal_app"), (MAKER, "SealMakerSettings", "seal_maker")],
)
def test_the_two_sides_of_seal_find_their_own_keystores(name, cls, role, made, tmp_path, monkeypatch) -> None:
    from services.seal import settings as seal

    settings = settings_in(name, getattr(seal, cls), made, tmp_path, monkeypatch)
    assert f"{role}:" in settings.database_dsn.get_secret_value()


def test_the_signer_has_one_secret_one_socket_and_no_network(made, tmp_path, monkeypatch) -> None:
    from services.seal.settings import SealSettings, SealSignerSettings

    part = PARTS[SIGNER]
    assert (part["network_mode"], part["networks"], part.get("ports")) == ("none", {}, None)
    assert [each["target"] for each in part["volumes"]] == ["/run/signer"]
    assert part["healthcheck"]["test"][1:] == ["python", "-m", "services.seal", "signer-health"]
    assert COMPOSE["volumes"]["signer-socket"]["driver_opts"]["type"] == "tmpfs"
    assert "mode=0700,uid=${TONGBAN_UID" in COMPOSE["volumes"]["signer-socket"]["driver_opts"]["o"]
    settings = settings_in(SIGNER, SealSignerSettings, made, tmp_path, monkeypatch)
    assert len(settings.keystore_key.get_secret_value()) >= 32
    mounting = {name for name, each in PARTS.items() if "signer-socket" in str(each.get("volumes"))}
    assert mounting == {SIGNER, "seal", "seal-keys", "tools"}
    service = settings_in("seal", SealSettings, made, tmp_path / "seal", monkeypatch)
    assert service.signer_socket == settings.socket


def test_the_maker_keeps_its_own_time(made, tmp_path, monkeypatch) -> None:
    from services.seal.app.timer import SealTimerSettings
    from services.seal.settings import SealMakerSettings

    settings = settings_in(MAKER, SealTimerSettings, made, tmp_path, monkeypatch)
    path, seconds = PARTS[MAKER]["healthcheck"]["test"][2:]
    assert str(settings.done_file) == path
    lists_live_seconds = SealMakerSettings.model_fields["list_lifetime_days"].default * 86_400
    assert settings.every_seconds < float(seconds) < lists_live_seconds / 2


def test_the_provisioning_job_finds_its_settings(made, tmp_path, monkeypatch) -> None:
    settings = settings_in("provision", ProvisionSettings, made, tmp_path, monkeypatch)
    words = (made / "secrets" / "postgres" / "superuser_password").read_text()
    assert words in settings.admin_dsn.get_secret_value()


def test_each_service_may_read_exactly_the_topics_it_has_handlers_for() -> None:
    found: dict[str, set[str]] = {}
    for name in SERVICES:
        consumers = importlib.import_module(f"services.{name}.consumers")
        makers = [make for key, make in vars(consumers).items() if key.endswith("handlers")]
        made = [
            handler
            for make in makers
            for handler in make(*(SimpleNamespace() for _ in signature(make).parameters))
        ]
        found[name] = {handler.event.TOPIC for handler in made}
    assert {name: set(topics) for name, topics in READS.items()} == found


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_optional_mounts_only_files_that_are_there(name) -> None:
    for volume in PARTS[name].get("volumes", ()):
        source = volume.get("source", "") if isinstance(volume, dict) else ""
        if source.startswith("./"):
            assert (DEPLOY / source).exists(), source


@pytest.mark.parametrize("name", sorted(JOBS))
def test_somebody_waits_for_the_success_of_each_job(name) -> None:
    """`up --wait` takes the end of a job that nobody waits for as a failure."""
    waiting = [
        other
        for other, part in PARTS.items()
        if part.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"
    ]
    assert waiting
    assert PARTS[name]["restart"] == "no"
