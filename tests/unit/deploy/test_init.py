"""What init.py leaves on a county's machine: closed files, nothing twice, nothing overwritten, identities that hold."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from cryptography import x509

from chassis.errors import Fault
from chassis.rpc.tls import TlsFiles, read_pair
from cli.local.authority import open_authority
from cli.local.kafka.container import new_cluster_id
from cli.local.layout import SERVICES
from deploy import init
from deploy.making import identities
from deploy.making.closed_files import walk
from standards.identifiers import build_uscc

OWNER = init.Owner.current()
COUNTY = "上饶市广丰区"
GROUP_TOO = {"kafka-store.pem", "idp-store.pem", "store.pem", "admin_password"}
GROUP_FOLDERS = {"kafka", "idp"}
PUBLIC = {"authority.pem"}


@pytest.fixture
def county(tmp_path: Path) -> Path:
    init.make_deployment(tmp_path, OWNER, COUNTY)
    return tmp_path


def uris(path: Path) -> list[str]:
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def test_only_the_owner_can_read_what_is_secret(county):
    for path in walk(county / "secrets"):
        own = 0o640 if path.name in GROUP_TOO and "grafana" not in path.parts else 0o600
        own = 0o644 if path.name in PUBLIC else own
        if path.is_dir():
            own = 0o750 if path.name in GROUP_FOLDERS and path.parent.name == "tls" else 0o700
        assert stat.S_IMODE(path.stat().st_mode) == own, path
        assert (path.stat().st_uid, path.stat().st_gid) == (OWNER.uid, OWNER.gid)
    assert OWNER.uid != 0


def test_no_secret_is_used_twice_or_stands_in_the_environment_file(county):
    words = list(json.loads((county / "secrets/provision/role_passwords.json").read_text()).values())
    names = ("postgres/superuser_password", "seal/keystore_key", "sealmaker/keystore_key", "tsa/keystore_key")
    names += ("grafana/admin_password", "idp/admin_password")
    words += [(county / "secrets" / name).read_text() for name in names]
    assert len(set(words)) == len(words) == 16
    assert min(map(len, words)) >= 43
    environment = (county / ".env").read_text()
    assert [word for word in words if word in environment] == []


def test_a_service_is_told_of_its_own_database_only(county):
    known = json.loads((county / "secrets/provision/role_passwords.json").read_text())
    for service in SERVICES:
        dsn = (county / "secrets" / service / "database_dsn").read_text()
        assert [role for role, word in known.items() if word in dsn] == [f"{service}_app"]
        assert f"@postgres:5432/{service}?sslmode=verify-full&" in dsn
    maker = (county / "secrets/sealmaker/database_dsn").read_text()
    assert [role for role, word in known.items() if word in maker] == ["seal_maker"]
    backup = (county / "secrets/backup/database_dsn").read_text()
    assert [role for role, word in known.items() if word in backup] == ["tongban_backup"]
    assert (county / "secrets/postgres/superuser_password").read_text() not in backup


def test_what_exists_is_never_overwritten(county):
    before = {path: path.read_bytes() for path in walk(county) if path.is_file()}
    with pytest.raises(Fault, match="DEPLOYMENT_EXISTS"):
        init.make_deployment(county, OWNER, COUNTY)
    assert {path: path.read_bytes() for path in walk(county) if path.is_file()} == before


def test_a_run_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(identities, "make_authority", broken)
    with pytest.raises(OSError, match="disk full"):
        init.make_deployment(tmp_path, OWNER, COUNTY)
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


def test_a_holder_sees_its_renewed_certificate_in_the_directory_that_it_has_mounted(county):
    folder = county / "secrets/tls/intake"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("authority.pem", "tls.key", "tls.pem", "web.key", "web.pem")
    ]
    before, mounted = (folder / "tls.pem").read_bytes(), folder.stat().st_ino
    other = untouched(county / "secrets/tls/certs/tls.pem")
    (county / "secrets/authority/service-intake.pem").write_text("ended")
    init.renew(county, OWNER)
    assert (folder / "tls.pem").read_bytes() != before
    assert folder.stat().st_ino == mounted
    assert read_pair(TlsFiles(folder / "tls.pem", folder / "tls.key", folder / "authority.pem"))
    assert untouched(county / "secrets/tls/certs/tls.pem") == other


def test_a_web_certificate_of_the_countys_own_stays_over_renewals(county, tmp_path):
    theirs = open_authority(tmp_path / "theirs").leaf("hall", "hall", [x509.DNSName("hall.example.test")])
    folder = county / "secrets/tls/intake"
    kept = {"web.pem": theirs.certificate.read_bytes(), "web.key": theirs.key.read_bytes()}
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    init.renew(county, OWNER)
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    (folder / "web.pem").write_text("damaged")
    init.renew(county, OWNER)
    assert (folder / "web.pem").read_bytes() == (county / "secrets/authority/web-intake.pem").read_bytes()


def test_a_renewal_completes_what_an_older_release_made(county):
    """It had no role for backups, and the certificates among the other secrets."""
    words = county / "secrets/provision/role_passwords.json"
    known = json.loads(words.read_text())
    dsn = county / "secrets/intake/database_dsn"
    now = dsn.read_text()
    words.write_text(json.dumps({role: word for role, word in known.items() if role != "tongban_backup"}))
    (county / "secrets/backup/database_dsn").unlink()
    shutil.rmtree(county / "secrets/tls")
    dsn.write_text(now.replace("/run/tls/", "/run/secrets/"))
    init.renew(county, OWNER)
    made = json.loads(words.read_text())
    assert made.pop("tongban_backup") in (county / "secrets/backup/database_dsn").read_text()
    assert made == {role: word for role, word in known.items() if role != "tongban_backup"}
    assert dsn.read_text() == now
    assert (county / "secrets/tls/kafka/store.pem").is_file()


def test_a_renewal_tells_compose_the_log_s_key_where_an_older_release_did_not(county):
    path = county / ".env"
    whole = path.read_text()
    lines = [line for line in whole.splitlines() if not line.startswith("TONGBAN_LOG_VERIFIER=")]
    for before in ("\n".join(lines) + "\n", "\n".join(lines)):
        path.write_text(before)
        init.renew(county, OWNER)
        assert sorted(path.read_text().splitlines()) == sorted(whole.splitlines())
        again = path.read_text()
        init.renew(county, OWNER)
        assert path.read_text() == again
    path.write_text("\n".join(line for line in lines if not line.startswith("TONGBAN_LOG_ORIGIN=")) + "\n")
    init.renew(county, OWNER)
    assert "TONGBAN_LOG_VERIFIER=tongban/certs+" in path.read_text()
    assert "TONGBAN_LOG_ORIGIN" not in path.read_text()


def test_a_renewal_leaves_a_log_key_that_was_set_alone(county):
    path = county / ".env"
    path.write_text("TONGBAN_LOG_VERIFIER=ours\n")
    init.renew(county, OWNER)
    assert path.read_text() == "TONGBAN_LOG_VERIFIER=ours\n"


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


def test_a_terminal_gets_its_identity_once_and_intake_its_public_key(county):
    folder = init.issue_terminal(county, "KIOSK-361103-01")
    assert uris(folder / "tls.pem") == ["spiffe://tongban/terminal/KIOSK-361103-01"]
    assert "PUBLIC KEY" in (county / "terminal_keys/KIOSK-361103-01.pem").read_text()
    with pytest.raises(Fault, match="DEPLOYMENT_EXISTS"):
        init.issue_terminal(county, "KIOSK-361103-01")
    with pytest.raises(Fault, match="TERMINAL_ID_MALFORMED"):
        init.issue_terminal(county, "../../x")


def test_the_authority_bears_the_countys_name_for_ten_years_and_its_leafs_live_ninety_days(county):
    root = x509.load_pem_x509_certificate((county / "secrets/authority/authority.pem").read_bytes())
    assert COUNTY in root.subject.rfc4514_string()
    assert "development" not in root.subject.rfc4514_string()
    assert 3_649 <= (root.not_valid_after_utc - root.not_valid_before_utc).days <= 3_651
    for path in (county / "secrets/authority").glob("*.pem"):
        if path.name != "authority.pem":
            leaf = x509.load_pem_x509_certificate(path.read_bytes())
            leaf.verify_directly_issued_by(root)
            assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == 90


def test_a_lost_authority_is_never_made_anew_in_silence(county):
    (county / "secrets/authority/authority.pem").write_text("damaged")
    with pytest.raises(Fault, match="AUTHORITY_UNUSABLE"):
        init.renew(county, OWNER)


def test_stores_and_jobs_have_names_but_no_identity_that_grpc_reads(county):
    for path in (county / "secrets/authority").glob("*.pem"):
        if path.name.startswith(("job-", "kafka", "postgres", "web-", "s3", "idp", "grafana", "mailpit")):
            assert uris(path) == [], path.name


def test_the_door_of_intake_bears_the_names_it_is_reached_by(tmp_path):
    init.make_deployment(tmp_path, OWNER, COUNTY, ["hall.example.test", "192.0.2.7"])
    leaf = x509.load_pem_x509_certificate((tmp_path / "secrets/authority/web-intake.pem").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hall.example.test" in names.get_values_for_type(x509.DNSName)
    assert "192.0.2.7" in {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    before = (tmp_path / "secrets/authority/web-intake.pem").read_bytes()
    init.renew(tmp_path, OWNER)
    assert (tmp_path / "secrets/authority/web-intake.pem").read_bytes() == before


def test_without_the_countys_name_nothing_is_made(tmp_path, capsys):
    assert init.main([str(tmp_path / "new")]) == 1
    assert "COUNTY_NAME_MISSING" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_command_says_why_it_refuses(county, capsys):
    assert init.main([str(county), "--county", COUNTY]) == 1
    assert "DEPLOYMENT_EXISTS" in capsys.readouterr().err


def test_a_cluster_id_is_sixteen_bytes_and_never_an_option():
    made = [new_cluster_id() for _ in range(200)]
    assert {len(each) for each in made} == {22}
    assert not [each for each in made if each.startswith("-")]


def untouched(path: Path) -> list[object]:
    """Return every mark that a file was written or replaced; that it was read in between is none."""
    seen = path.stat()
    return [getattr(seen, name) for name in dir(seen) if name.startswith("st_") and "atime" not in name]
