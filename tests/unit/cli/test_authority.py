"""The development authority: same files on a second run, renewal in time, keys nobody else can read."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

from cryptography import x509

from chassis.rpc.peer import Peer
from cli.local.authority import LEAF_LIFETIME, ROOT_LIFETIME, open_authority

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CERTS = Peer("service", "certs")


def test_a_leaf_names_the_peer_and_the_hosts_it_answers_at(tmp_path) -> None:
    files = open_authority(tmp_path, now=lambda: NOW).identity(CERTS)
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [CERTS.uri]
    assert names.get_values_for_type(x509.DNSName) == [CERTS.host_name, "localhost"]
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(files.authority.read_bytes()))


def test_keys_are_readable_by_their_owner_only(tmp_path) -> None:
    files = open_authority(tmp_path / "pki").identity(CERTS)
    for key in (files.key, tmp_path / "pki" / "authority.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_second_run_changes_nothing(tmp_path) -> None:
    first = open_authority(tmp_path, now=lambda: NOW).identity(CERTS).certificate.read_bytes()
    later = NOW + LEAF_LIFETIME / 2
    assert open_authority(tmp_path, now=lambda: later).identity(CERTS).certificate.read_bytes() == first


def test_a_leaf_is_renewed_before_its_end_and_the_root_stays(tmp_path) -> None:
    files = open_authority(tmp_path, now=lambda: NOW).identity(CERTS)
    leaf, root = files.certificate.read_bytes(), files.authority.read_bytes()
    later = NOW + LEAF_LIFETIME - timedelta(days=29)
    open_authority(tmp_path, now=lambda: later).identity(CERTS)
    assert files.certificate.read_bytes() != leaf
    assert files.authority.read_bytes() == root


def test_a_new_root_makes_new_leaves_and_damage_is_repaired(tmp_path) -> None:
    files = open_authority(tmp_path, now=lambda: NOW).identity(CERTS)
    old = files.certificate.read_bytes()
    later = NOW + ROOT_LIFETIME - timedelta(days=1)
    open_authority(tmp_path, now=lambda: later).identity(CERTS)
    renewed = files.certificate.read_bytes()
    assert renewed != old
    files.key.write_text("damaged")
    open_authority(tmp_path, now=lambda: later).identity(CERTS)
    assert files.certificate.read_bytes() != renewed
