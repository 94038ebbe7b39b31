"""Peer files: signed by whom they describe, taken by their fingerprint only, read anew when they change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chassis.auth import DocumentSigner, new_signing_key
from chassis.errors import Fault
from chassis.rpc.peer import Peer, peer_of_uris
from chassis.tlog.keys import new_log_key
from cli.federation.agreeing import Registry, add_peer, agreements, export_file, name_registry
from cli.local.authority import open_authority
from services.certs.federated import LiveFederation, read_peer_file

CITY, COUNTY = "361100-city", "361123-county"


def make(home: Path, registry_id: str) -> Registry:
    keys = home / "keys"
    keys.mkdir(parents=True)
    for name in ("registry_key", "replica_key", "registry_tls_key"):
        (keys / f"{name}.pem").write_bytes(new_signing_key().as_pem(private=True))
    (keys / "log_key.pem").write_text(new_log_key())
    registry = Registry(home / "federation", keys, open_authority(home / "ca"), "tongban/certs")
    name_registry(registry, registry_id, registry_id)
    return registry


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Registry, Registry]:
    return make(tmp_path / "a", CITY), make(tmp_path / "b", COUNTY)


def exchange(first: Registry, second: Registry) -> None:
    for one, other in ((first, second), (second, first), (first, second), (second, first)):
        add_peer(other, *export_file(one, "127.0.0.1:1"), ["T1"], ["T1", "T2"], 60)


def test_after_two_exchanges_each_may_ask_the_other(pair: tuple[Registry, Registry]) -> None:
    from cryptography import x509

    exchange(*pair)
    (agreed,) = agreements(pair[0])
    assert (agreed["registry_id"], agreed["send"], agreed["accept"], agreed["may_ask"]) == (
        COUNTY,
        ["T1"],
        ["T1", "T2"],
        True,
    )
    pem = (pair[0].directory / "peers" / f"{COUNTY}.certificate.pem").read_bytes()
    shown = x509.load_pem_x509_certificate(pem)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert peer_of_uris(names.get_values_for_type(x509.UniformResourceIdentifier)) == Peer("registry", CITY)
    shown.verify_directly_issued_by(pair[1].authority.certificate)


def test_a_file_is_taken_by_its_fingerprint_only(pair: tuple[Registry, Registry]) -> None:
    signed, fingerprint = export_file(pair[0], "")
    with pytest.raises(Fault, match="FINGERPRINT_WRONG"):
        add_peer(pair[1], signed, "0" * 64, [], [])
    add_peer(pair[1], signed, fingerprint.upper(), [], [])
    assert agreements(pair[1])[0]["registry_id"] == CITY


@pytest.mark.parametrize("text", ["", "a.b.c", "{}", "é.é.é"])
def test_what_is_no_peer_file_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="PEER_FILE_WRONG"):
        read_peer_file(text)


def test_a_file_signed_by_another_key_than_it_names_is_refused(pair: tuple[Registry, Registry]) -> None:
    from services.certs.federated.envelope import unverified

    claims = unverified(export_file(pair[0], "")[0])
    with pytest.raises(Fault, match="PEER_FILE_WRONG"):
        read_peer_file(DocumentSigner(new_signing_key()).sign_document(claims, kind="registry"))


def test_nobody_agrees_with_himself(pair: tuple[Registry, Registry]) -> None:
    with pytest.raises(Fault, match="PEER_FILE_WRONG"):
        add_peer(pair[0], *export_file(pair[0], ""), [], [])


def test_a_running_registry_notices_a_new_agreement(pair: tuple[Registry, Registry]) -> None:
    live = LiveFederation(pair[0].directory)
    assert not live.current().agreements
    exchange(*pair)
    fresh = LiveFederation(pair[0].directory).current()
    assert fresh.of(COUNTY).accept == {"T1", "T2"}
    assert fresh.of(COUNTY).limit_seconds == 60


def test_without_a_directory_there_is_no_federation(tmp_path: Path) -> None:
    assert not LiveFederation(None).current().is_on
    assert not LiveFederation(tmp_path).current().is_on
    (tmp_path / "federation.json").write_text(json.dumps({"registry_id": CITY}))
    assert LiveFederation(tmp_path).current().is_on
