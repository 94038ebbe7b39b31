"""Peer files: signed by whom they describe, taken by their fingerprint only, read anew when they change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chassis.auth import DocumentSigner, new_signing_key, signing_key_from_pem
from chassis.errors import Fault
from chassis.rpc.peer import Peer, peer_of_uris
from chassis.tlog.keys import new_log_key, read_signer
from chassis.tlog.note import ED25519, Verifier
from cli.federation.agreeing import Registry, add_peer, agreements, export_file, name_registry
from cli.local.authority import open_authority
from services.certs.federated import LiveFederation, read_peer_file
from services.certs.federated.envelope import unverified

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


def test_a_file_names_every_key_of_the_log_the_newest_last(pair: tuple[Registry, Registry]) -> None:
    city, _ = pair
    present = read_peer_file(export_file(city, "")[0])[0]
    assert present.log_keys == present.every_log_key == (present.log_key,)
    before = export_file(city, "")[1]
    first = city.keys / "log_key.pem"
    (city.keys / "log_keys.txt").write_text(f"# former\n{present.log_key}\n", encoding="utf-8")
    first.write_text(new_log_key())
    (city.keys / "log_key.next.pem").write_text(new_log_key())
    signed, fingerprint = export_file(city, "")
    found = read_peer_file(signed)[0]
    assert found.log_key == str(read_signer(first.read_bytes(), "tongban/certs", ED25519).verifier)
    assert found.log_keys[:2] == (present.log_key, found.log_key)
    assert len(set(found.log_keys)) == 3
    assert fingerprint != before


def test_a_file_of_an_earlier_release_names_one_key_of_the_log(pair: tuple[Registry, Registry]) -> None:
    signed, fingerprint = export_file(pair[0], "")
    claims = unverified(signed)
    claims.pop("log_keys")
    key = signing_key_from_pem((pair[0].keys / "registry_key.pem").read_bytes())
    earlier, same = read_peer_file(DocumentSigner(key).sign_document(claims, kind="registry"))
    assert earlier.every_log_key == (claims["log_key"],)
    assert same == fingerprint
    for wrong in (
        [],
        "x",
        ["x"],
        [str(stranger("tongban/certs"))],
        [claims["log_key"], str(stranger("other"))],
    ):
        with pytest.raises(Fault, match="PEER_FILE_WRONG"):
            read_peer_file(DocumentSigner(key).sign_document(claims | {"log_keys": wrong}, kind="registry"))


def stranger(name: str) -> Verifier:
    return read_signer(new_log_key().encode(), name, ED25519).verifier


@pytest.mark.parametrize("text", ["", "a.b.c", "{}", "é.é.é"])
def test_what_is_no_peer_file_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="PEER_FILE_WRONG"):
        read_peer_file(text)


def test_a_file_signed_by_another_key_than_it_names_is_refused(pair: tuple[Registry, Registry]) -> None:
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


def test_an_agreement_may_say_for_which_divisions_the_peer_issues(pair: tuple[Registry, Registry]) -> None:
    own = frozenset({"11361123TB20000139"})
    signed, fingerprint = export_file(pair[0], "")
    add_peer(pair[1], signed, fingerprint, [], ["T1"])
    assert LiveFederation(pair[1].directory, own).current().of(CITY).issues_for == ()
    add_peer(pair[1], signed, fingerprint, [], ["T1"], issues_for=["361100", "360000"])
    live = LiveFederation(pair[1].directory, own).current()
    assert (live.of(CITY).issues_for, live.own_issuers) == (("361100", "360000"), own)
    assert agreements(pair[1])[0]["issues_for"] == ["361100", "360000"]
    with pytest.raises(Fault, match="PEER_FILE_WRONG"):
        add_peer(pair[1], signed, fingerprint, [], ["T1"], issues_for=["江西"])


def test_without_a_directory_there_is_no_federation(tmp_path: Path) -> None:
    assert not LiveFederation(None).current().is_on
    assert not LiveFederation(tmp_path).current().is_on
    (tmp_path / "federation.json").write_text(json.dumps({"registry_id": CITY}))
    assert LiveFederation(tmp_path).current().is_on
