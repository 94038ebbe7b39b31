"""Certificates of another certification authority: requested, issued there, imported, judged twice, used."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509 import load_der_x509_csr

from chassis.errors import Fault
from services.seal.domain.certificates import build_certificate, build_name, read_certificate
from services.seal.domain.certificates.building import CA, SIGNER
from services.seal.domain.certificates.requests import read_request
from services.seal.domain.kinds import SealKind
from services.seal.domain.pki import CompanionPki, make_companion_pki, make_crl
from services.seal.domain.structures import read_seal
from services.seal.usecases.application_ports import ImportedCertificate, KeyRequest
from services.seal.usecases.applications import get_application
from services.seal.usecases.import_certificates import import_certificates
from services.seal.usecases.issue_lists import issue_lists
from tests.integration.seal.conftest import GUANGFENG, NOW, SealWorld
from tests.integration.seal.life_room import apply, decide, run_maker, seal
from tests.unit.seal.sealing_room import p256, sm2, suites


@dataclass
class OtherCa:
    """A certification authority that is not ours: a root and a CA in each suite."""

    pkis: dict[str, CompanionPki]

    @staticmethod
    def fresh() -> OtherCa:
        return OtherCa({suite.name: make_companion_pki(suite, NOW) for suite in (sm2(), p256())})

    @property
    def anchors(self) -> tuple[bytes, ...]:
        return tuple(each.root.certificate for each in self.pkis.values())

    @property
    def crls(self) -> tuple[bytes, ...]:
        return tuple(
            make_crl(suites().by_name(name), authority, {}, 7, NOW)  # type: ignore[arg-type]
            for name, pki in self.pkis.items()
            for authority in (pki.root, pki.signer_ca)
        )

    def issue(self, key: KeyRequest, **changed) -> ImportedCertificate:
        suite, authority = suites().by_name(key.suite), self.pkis[key.suite].signer_ca
        assert suite is not None
        request = read_request(suite, key.request)
        assert request.proved
        certificate = build_certificate(
            suite,
            suite.open_key(authority.private_key),
            changed.get("issuer", read_certificate(authority.certificate).subject_raw),
            request.subject_raw,
            changed.get("public_key", request.public_key),
            secrets.randbits(126) | 1 << 126,
            changed.get("not_before", NOW - timedelta(days=1)),
            changed.get("not_after", NOW + timedelta(days=365)),
            changed.get("profile", SIGNER),
        )
        return ImportedCertificate(
            key.suite, certificate, (authority.certificate,), "李四", "operator/local", NOW
        )


@pytest.fixture
async def waiting(world: SealWorld) -> tuple[SealWorld, OtherCa, list[KeyRequest], str]:
    """The world with an approved application that waits for certificates, and who issues them."""
    other = OtherCa.fresh()
    world.workshop = replace(world.workshop, anchors=other.anchors, crls=other.crls)
    await issue_lists(world.maker_unit, world.workshop, world.clock())
    application = await decide(world, await apply(world, kind=SealKind.OFFICIAL, external=True))
    async with world.unit() as work:
        _, keys = await get_application(work, application.application_id, GUANGFENG.code)
    return world, other, list(keys), application.application_id


async def keep(world: SealWorld, application_id: str, *imported: ImportedCertificate) -> None:
    async with world.unit() as work:
        await import_certificates(work, suites(), application_id, imported, world.clock)


async def faults(
    world: SealWorld, application_id: str, *imported: ImportedCertificate
) -> set[tuple[str, str]]:
    with pytest.raises(Fault, match="INVALID_REQUEST") as caught:
        await keep(world, application_id, *imported)
    return {(each.field_path, each.reason.code) for each in caught.value.violations}


async def test_a_seal_is_made_with_imported_certificates_and_verifies(waiting):
    world, other, keys, application_id = waiting
    assert (await run_maker(world)).made == (), "it waits for its certificates"
    issued = {key.suite: other.issue(key) for key in keys}
    await keep(world, application_id, *issued.values())
    (seal_id,) = (await run_maker(world)).made
    found = await seal(world, seal_id)
    assert found.certificate == issued["SM2-SM3"].certificate
    assert found.valid_until == NOW.replace(microsecond=0) + timedelta(days=365)
    async with world.unit() as work:
        material = await work.seals.material(seal_id)
        companion = await work.seals.credential(seal_id, p256().name)
    assert material is not None
    assert companion is not None
    assert read_seal(material.ses_seal).certificates == (found.certificate,)
    assert companion.certificate == issued[p256().name].certificate
    await issue_lists(world.maker_unit, world.workshop, world.clock())
    await world.deliver()
    report = await world.verify(await world.sealed())
    assert report.verdict.value == "VALID", report


async def test_every_fault_of_every_certificate_is_named(waiting):
    world, other, keys, application_id = waiting
    mine, second = {key.suite: key for key in keys}["SM2-SM3"], {key.suite: key for key in keys}[p256().name]
    another = sm2().open_key(sm2().generate_key()).public_key
    stranger = OtherCa.fresh()
    assert await faults(
        world,
        application_id,
        other.issue(mine, public_key=another, not_after=NOW - timedelta(hours=1), profile=CA),
        replace(stranger.issue(second), chain=(b"no certificate",)),
    ) == {
        ("certificates[0]", "CERTIFICATE_OTHER_KEY"),
        ("certificates[0]", "CERTIFICATE_NOT_VALID"),
        ("certificates[0]", "CERTIFICATE_USAGE"),
        ("certificates[1].chain[0]", "CERTIFICATE_UNREADABLE"),
        ("certificates[1]", "CERTIFICATE_PATH"),
    }
    assert await faults(world, application_id, replace(other.issue(second), suite="RSA")) == {
        ("SM2-SM3", "FIELD_REQUIRED"),
        ("certificates[0].suite", "FIELD_MALFORMED"),
    }
    assert await faults(world, application_id, replace(other.issue(mine), certificate=b"x")) == {
        ("certificates[0]", "CERTIFICATE_UNREADABLE")
    }
    assert await faults(world, application_id, replace(stranger.issue(mine), imported_by="")) == {
        ("certificates[0]", "CERTIFICATE_PATH"),
        ("operator", "FIELD_REQUIRED"),
    }
    assert await faults(world, application_id, other.issue(mine, issuer=build_name("别人"))) == {
        ("certificates[0]", "CERTIFICATE_PATH")
    }
    assert (await run_maker(world)).made == ()


async def test_certificates_are_imported_once_and_only_where_they_are_awaited(waiting):
    world, other, keys, application_id = waiting
    own = await decide(world, await apply(world))
    with pytest.raises(Fault, match="SEAL_IMPORT_NOT_DUE"):
        await keep(world, own.application_id, other.issue(keys[-1]))
    await keep(world, application_id, other.issue({key.suite: key for key in keys}["SM2-SM3"]))
    with pytest.raises(Fault, match="SEAL_IMPORT_NOT_DUE"):
        await keep(world, application_id, *(other.issue(key) for key in keys))


async def test_the_maker_judges_an_imported_certificate_again(waiting):
    world, other, keys, application_id = waiting
    main = {key.suite: key for key in keys}["SM2-SM3"]
    await keep(world, application_id, other.issue(main, not_after=NOW + timedelta(minutes=5)))
    world.clock.at += timedelta(minutes=10)
    assert (await run_maker(world)).refused == {application_id: "SEAL_CERTIFICATE_REFUSED"}


async def test_another_authoritys_lists_are_published_once(waiting):
    world, _, _, _ = waiting
    await run_maker(world)
    await run_maker(world)
    async with world.unit() as work:
        bundle = await work.trust.bundle(world.clock())
    assert len([each for each in world.workshop.crls if each in bundle.crls]) == 2, (
        "of the anchors that are known"
    )


async def test_the_requests_are_read_by_other_software(waiting, tmp_path: Path):
    _, _, keys, _ = waiting
    requests = {key.suite: key.request for key in keys}
    other = load_der_x509_csr(requests[p256().name])
    assert other.is_signature_valid
    assert GUANGFENG.name in other.subject.rfc4514_string()
    openssl = shutil.which("openssl")
    assert openssl is not None
    path = tmp_path / "request.der"
    path.write_bytes(requests["SM2-SM3"])
    said = subprocess.run(
        [openssl, "req", "-verify", "-inform", "DER", "-in", path, "-noout", "-vfyopt", "distid:1234567812345678"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "OK" in said.stderr + said.stdout


def test_a_request_with_a_changed_byte_proves_nothing():
    from services.seal.domain.certificates.requests import build_request

    key = sm2().open_key(sm2().generate_key())
    request = bytearray(build_request(sm2(), key, build_name("局")))
    assert read_request(sm2(), bytes(request)).proved
    request[30] ^= 1
    assert not read_request(sm2(), bytes(request)).proved
