"""Keys at rest: two secrets, two stores, and neither side's settings know the other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.errors import Fault
from services.seal.app import serving
from services.seal.authorities import read_authorities
from services.seal.keystore import MakerKeystore, SoftwareKeystore
from services.seal.providers.libcrypto import CRYPTOGRAPHY_UNSOUND
from services.seal.settings import SealKeySettings, SealMakerSettings, SealSettings, SealSignerSettings
from tests.unit.seal.sealing_room import pki

SIGNING, MAKING = "signing-secret-of-at-least-32-characters", "making-secret-of-at-least-32-characters!"


def test_no_settings_class_knows_both_sides_secrets_and_the_service_knows_none():
    for asking in (SealSettings, SealKeySettings):
        assert not {
            name for name in asking.model_fields if "keystore" in name or name.startswith(("maker", "pkcs11"))
        }
        assert "signer_socket" in asking.model_fields
    assert "keystore_key" in SealSignerSettings.model_fields
    assert not {name for name in SealSignerSettings.model_fields if "dsn" in name or name.startswith("maker")}
    assert "keystore_key" not in SealMakerSettings.model_fields
    shared = {SealSignerSettings.variable("keystore_key"), "TONGBAN_KEYSTORE_KEY"}
    assert not shared & {SealMakerSettings.variable(name) for name in SealMakerSettings.model_fields}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["KEYSTORE_KEY"]),
        ({"pkcs11_module": "/m.so"}, ["PKCS11_TOKEN", "PKCS11_PIN"]),
        ({"pkcs11_module": "/m.so", "pkcs11_token": "t"}, ["PKCS11_PIN"]),
    ],
)
def test_a_signer_without_secret_or_token_is_refused(given: dict[str, str], missing: list[str]):
    with pytest.raises(Fault, match="SETTINGS_INCOMPLETE") as refused:
        SealSignerSettings(socket="/tmp/s", **given)  # type: ignore[arg-type]
    assert [each.field_path for each in refused.value.violations] == [
        f"TONGBAN_SEALSIGNER_{name}" for name in missing
    ]


def test_the_makers_keys_open_with_the_makers_secret_only(tmp_path: Path):
    directory = tmp_path / "maker" / "keystore"
    kept = MakerKeystore(directory, SoftwareKeystore(MAKING, purpose="seal maker"))
    assert not kept.exists()
    kept.keep(pki())
    assert kept.load().maker == pki().maker
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert not any(pki().maker.private_key in path.read_bytes() for path in directory.iterdir())
    for other in (SoftwareKeystore(SIGNING, purpose="seal maker"), SoftwareKeystore(MAKING, purpose="seal")):
        with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
            MakerKeystore(directory, other).load()


def test_a_moved_or_missing_key_is_refused(tmp_path: Path):
    kept = MakerKeystore(tmp_path / "keystore", SoftwareKeystore(MAKING, purpose="seal maker"))
    kept.keep(pki())
    (tmp_path / "keystore" / "maker.key").write_bytes((tmp_path / "keystore" / "status.key").read_bytes())
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        kept.load()
    (tmp_path / "keystore" / "maker.key").unlink()
    with pytest.raises(Fault, match="KEYSTORE_INCOMPLETE"):
        kept.load()


def test_a_short_secret_is_refused():
    with pytest.raises(Fault, match="KEYSTORE_SECRET_SHORT"):
        SoftwareKeystore("short", purpose="seal")


def test_every_department_of_the_catalogue_has_what_a_seal_needs():
    authorities = read_authorities(Path(__file__).parents[3] / "catalogue")
    assert len(authorities) > 30
    assert all(each.code and len(each.division) == 6 and each.name and each.seal_name for each in authorities)


async def test_a_failed_self_test_refuses_to_serve(monkeypatch: pytest.MonkeyPatch):
    def unsound() -> None:
        raise CRYPTOGRAPHY_UNSOUND(step="SM3")

    class Readiness:
        states: list[tuple[str, bool]] = []  # noqa: RUF012 - one test

        def set(self, name: str, *, holds: bool) -> None:
            self.states.append((name, holds))

    class Runtime:
        readiness = Readiness()
        settings = SealSettings.model_construct()

    monkeypatch.setattr(serving, "load_suites", unsound)
    with pytest.raises(Fault, match="SEAL_CRYPTOGRAPHY_UNSOUND"):
        await serving.build(Runtime())  # type: ignore[arg-type]
    assert Readiness.states == [("selftest", False)]
