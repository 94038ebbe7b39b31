"""What init.py leaves on a county's machine: closed files, nothing twice, nothing overwritten, identities that hold."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography import x509

from chassis.errors import Fault
from deploy import init
from standards.identifiers import build_uscc

OWNER = init.Owner.current()


@pytest.fixture
def county(tmp_path: Path) -> Path:
    init.make_deployment(tmp_path, OWNER)
    return tmp_path


def uris(path: Path) -> list[str]:
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def test_only_the_owner_can_read_what_is_secret(county):
    for path in init.walk(county / "secrets"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert (path.stat().st_uid, path.stat().st_gid) == (OWNER.uid, OWNER.gid)
    assert OWNER.uid != 0


def test_no_secret_is_used_twice_or_stands_in_the_environment_file(county):
    words = list(json.loads((county / "secrets/provision/role_passwords.json").read_text()).values())
    names = ("postgres/superuser_password", "seal/keystore_key", "sealmaker/keystore_key")
    words += [(county / "secrets" / name).read_text() for name in names]
    assert len(set(words)) == len(words) == 11
    assert min(map(len, words)) >= 43
    environment = (county / ".env").read_text()
    assert [word for word in words if word in environment] == []


def test_a_service_is_told_of_its_own_database_only(county):
    known = json.loads((county / "secrets/provision/role_passwords.json").read_text())
    for service in init.SERVICES:
        dsn = (county / "secrets" / service / "database_dsn").read_text()
        assert [role for role, word in known.items() if word in dsn] == [f"{service}_app"]
        assert dsn.endswith(f"@postgres:5432/{service}")


def test_what_exists_is_never_overwritten(county):
    before = {path: path.read_bytes() for path in init.walk(county) if path.is_file()}
    with pytest.raises(Fault, match="DEPLOYMENT_EXISTS"):
        init.make_deployment(county, OWNER)
    assert {path: path.read_bytes() for path in init.walk(county) if path.is_file()} == before


def test_a_run_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def broken(place: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(init, "issue_certificates", broken)
    with pytest.raises(OSError, match="disk full"):
        init.make_deployment(tmp_path, OWNER)
    assert list(tmp_path.iterdir()) == []


def test_a_fresh_certificate_is_not_replaced_by_a_renewal_and_a_damaged_one_is(county):
    leaf = county / "secrets/authority/service-intake.pem"
    before = leaf.read_bytes()
    assert uris(leaf) == ["spiffe://tongban/service/intake"]
    init.renew(county, OWNER)
    assert leaf.read_bytes() == before
    leaf.write_text("damaged")
    init.renew(county, OWNER)
    assert uris(leaf) == ["spiffe://tongban/service/intake"]
    assert stat.S_IMODE(leaf.stat().st_mode) == 0o600


def test_a_department_gets_its_identity_once(county):
    uscc = build_uscc("11", "350200", "00413800")
    folder = init.issue_department(county, uscc)
    assert uris(folder / "tls.pem") == [f"spiffe://tongban/department/{uscc}"]
    assert sorted(path.name for path in folder.iterdir()) == ["authority.pem", "tls.key", "tls.pem"]
    with pytest.raises(Fault, match="DEPLOYMENT_EXISTS"):
        init.issue_department(county, uscc)


def test_a_wrong_code_gets_no_identity(county):
    with pytest.raises(Fault, match="USCC"):
        init.issue_department(county, "../../elsewhere")
    assert not (county / "departments").exists()


def test_a_department_of_no_deployment_is_refused(tmp_path):
    with pytest.raises(Fault, match="DEPLOYMENT_MISSING"):
        init.issue_department(tmp_path, "11350200004138000X")


def test_the_command_says_why_it_refuses(county, capsys):
    assert init.main([str(county)]) == 1
    assert "DEPLOYMENT_EXISTS" in capsys.readouterr().err


def test_a_cluster_id_is_sixteen_bytes_and_never_an_option():
    made = [init.new_cluster_id() for _ in range(200)]
    assert {len(each) for each in made} == {22}
    assert not [each for each in made if each.startswith("-")]
