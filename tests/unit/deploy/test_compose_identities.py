"""Who shows which certificate in a deployment, who reads which secret, as whom: the Compose file and init.py agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy import init
from deploy.making.holders import HOLDERS
from tests.unit.deploy.test_compose import (
    ALL,
    BY_HAND,
    COMPOSE,
    COUNTY,
    DEPLOY,
    PARTS,
    RUN_TLS,
    SERVICES,
    SIGNER,
    VERIFIER,
    WITNESS,
    certificates,
    each,
    filled,
    variables,
)

SAME_HOLDER = {"seal-keys": "seal", "seal-tsa-keys": "seal-tsa", "restore": "backup", VERIFIER: "backup"}
"""One holder in two containers."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("county")
    init.make_deployment(directory, init.Owner.current(), COUNTY)
    return directory


@pytest.mark.parametrize("name", [name for name in ALL if name not in {SIGNER, WITNESS}])
def test_a_container_sees_its_own_certificates_whole_and_nobody_the_authoritys_key(name, made) -> None:
    folder = Path(filled(str(certificates(name)), variables(made)))
    assert folder == made / "secrets" / "tls" / SAME_HOLDER.get(name, name)
    assert {path.name for path in folder.iterdir()} == set(HOLDERS[folder.name])
    root_key = (made / "secrets" / "authority" / "authority.key").read_bytes()
    assert all(path.read_bytes() != root_key for path in folder.iterdir())
    part = json.dumps(PARTS[name])
    assert "/authority/" not in part
    used = set(re.findall(r"/run/tls/([\w.-]+)", part))
    assert used <= set(HOLDERS[folder.name])
    assert not re.search(r"/run/secrets/[\w-]*(tls|authority|certificate|web|store)\b", part)


def test_each_process_of_a_service_has_its_own_place_in_its_consumer_group(
    made, tmp_path, monkeypatch
) -> None:
    named = {name: PARTS[name]["environment"]["TONGBAN_KAFKA_MEMBER_ID"] for name in SERVICES}
    assert len(set(named.values())) == len(SERVICES)
    assert [name for name in ALL if "TONGBAN_KAFKA_MEMBER_ID" in str(PARTS[name])] == SERVICES


def test_a_backup_reads_as_a_role_that_changes_nothing_and_only_a_restore_has_the_field_keys(made) -> None:
    sources = {name: {secret["source"] for secret in PARTS[name]["secrets"]} for name in BY_HAND}
    assert "backup_database_dsn" in sources["backup"]
    assert "provision_admin_dsn" not in sources["backup"] | sources["tools"]
    assert not [source for source in sources["backup"] if source.endswith("field_keys")]
    assert {f"{name}_field_keys" for name in SERVICES} <= sources["restore"]
    assert "backup_signing_key" not in sources["restore"]
    dsn = (made / "secrets" / "backup" / "database_dsn").read_text()
    assert urlsplit(dsn).username == "tongban_backup"


@each
def test_the_database_is_reached_by_tls_with_a_certificate_or_not_at_all(name, made) -> None:
    known = variables(made)
    targets = set(HOLDERS.get(SAME_HOLDER.get(name, name), ()))
    for secret in PARTS[name].get("secrets", ()):
        text = Path(filled(COMPOSE["secrets"][secret["source"]]["file"], known)).read_text("utf-8")
        if not text.startswith("postgresql://"):
            continue
        asked = parse_qs(urlsplit(text).query)
        assert asked["sslmode"] == ["verify-full"]
        for key in ("sslrootcert", "sslcert", "sslkey"):
            assert asked[key][0].removeprefix(RUN_TLS) in targets
    rules = [line.split() for line in (DEPLOY / "postgres" / "pg_hba.conf").read_text("utf-8").splitlines()]
    assert {rule[0] for rule in rules if rule and not rule[0].startswith("#")} == {"local", "hostssl"}


def test_kafka_admits_certificates_of_the_authority_only_and_knows_each_by_name() -> None:
    said = PARTS["kafka"]["environment"]
    assert {each.split(":")[1] for each in said["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")} == {"SSL"}
    assert said["KAFKA_SSL_CLIENT_AUTH"] == "required"
    assert said["KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND"] == "false"
    assert "ANONYMOUS" not in said["KAFKA_SUPER_USERS"]
    rule = said["KAFKA_SSL_PRINCIPAL_MAPPING_RULES"].split(",")[0].split("/")[0].removeprefix("RULE:")
    pattern = re.compile(rule.replace("$$", "$"))
    assert pattern.match("CN=service/intake")[2] == "intake"
    assert pattern.match("CN=job/provision")[2] == "provision"
    assert not pattern.match("CN=department/11361103TB1000011X")
    assert not pattern.match("CN=terminal/provision")
