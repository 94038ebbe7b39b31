"""Rotation of the registry's own keys: what was signed or sealed before goes on being read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.auth import SigningKeyFile, new_signing_key, public_keys, read_jwks, signing_key_from_pem
from chassis.auth.keys import signing_keys_from_pem
from chassis.auth.live import PublishedKeys
from chassis.auth.secrecy import seal_for
from chassis.errors import Fault
from chassis.tlog.audit import Log, audit
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.keys import LiveSigner, new_log_key, read_signer, read_verifiers
from chassis.tlog.note import ED25519
from chassis.tlog.packed import Hashes
from chassis.tlog.tree import leaf_hash, root_of
from cli.keeping import registry_keys
from services.certs.federated import JoseEnvelopes, OwnKeys, describe_self, read_peer_file
from services.certs.rpc import JwsSigner
from tests.integration.keys.conftest import NOW

ORIGIN = "tongban/certs/测试县"


@pytest.fixture
def runtime(tmp_path: Path) -> Any:
    for name in ("presentation_key", "registry_key", "replica_key"):
        (tmp_path / f"{name}.pem").write_bytes(new_signing_key().as_pem(private=True))
        (tmp_path / f"{name}.pem").chmod(0o600)
    (tmp_path / "log_key.pem").write_text(new_log_key())
    (tmp_path / "log_key.pem").chmod(0o600)
    settings = SimpleNamespace(
        presentation_keys=tmp_path / "presentation_keys.json",
        log_keys=tmp_path / "log_keys.txt",
        log_origin=ORIGIN,
        **{
            name: tmp_path / f"{name}.pem"
            for name in ("presentation_key", "log_key", "registry_key", "replica_key")
        },
    )
    return SimpleNamespace(service="certs", settings=settings)


def states(runtime: Any, key: str) -> list[str]:
    return [each["state"] for each in registry_keys.registry_status(runtime, NOW) if each["key"] == key]


def test_a_statement_of_a_former_presentation_key_is_read_until_it_could_not_be_valid(runtime: Any) -> None:
    settings = runtime.settings
    before = JwsSigner(SigningKeyFile(settings.presentation_key)).sign({"a": 1})
    done = registry_keys.rotate_presentation_key(runtime, NOW)
    key = SigningKeyFile(settings.presentation_key)
    signer = JwsSigner(key, PublishedKeys(settings.presentation_keys, key))
    assert key().kid == done["key_id"]
    (former,) = [each for each in read_jwks(settings.presentation_keys).keys if each.kid != done["key_id"]]
    assert former.get("exp") == int((NOW + registry_keys.STATEMENTS_LIVE).timestamp())
    assert states(runtime, "presentation_key") == ["signs", "verifies"]
    assert done["key_id"] in signer.jwks_json
    assert before
    registry_keys.revoke_presentation_keys(runtime, NOW)
    assert states(runtime, "presentation_key") == ["signs", "over"]


def test_the_logs_key_is_announced_before_it_signs_and_its_checkpoints_verify_for_ever(runtime: Any) -> None:
    settings = runtime.settings
    live = LiveSigner(settings.log_key, ORIGIN, ED25519)
    first = live.verifier
    hashes = [leaf_hash(bytes([n])) for n in range(2)]
    notes = [Checkpoint(ORIGIN, 1, root_of(hashes[:1])).signed(live)]
    announced = registry_keys.rotate_log_key(runtime)
    assert announced["announced"]
    assert states(runtime, "log_key") == ["signs", "announced"]
    assert LiveSigner(settings.log_key, ORIGIN, ED25519).verifier == first, "not used yet"
    switched = registry_keys.rotate_log_key(runtime)
    assert switched == {"key_id": announced["key_id"], "announced": False}
    assert states(runtime, "log_key") == ["signs", "verifies"]
    present = read_signer(settings.log_key.read_bytes(), ORIGIN, ED25519)
    assert str(present.verifier) == announced["key_id"]
    notes.append(Checkpoint(ORIGIN, 2, root_of(hashes)).signed(present))
    log = Log(Hashes(hashes), range(2), Hashes(hashes), notes)
    assert audit(log, present.verifier, *read_verifiers(settings.log_keys)).findings == []
    assert audit(log, present.verifier).findings != []
    for _ in range(2):
        registry_keys.rotate_log_key(runtime)
    assert states(runtime, "log_key") == ["signs", "verifies", "verifies"]
    assert first in read_verifiers(settings.log_keys)
    assert all(path.stat().st_mode & 0o077 == 0 for path in settings.log_key.parent.glob("*.pem"))


def test_a_running_registry_signs_with_the_new_key_within_seconds(
    runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.tlog.keys.FreshFiles.current", lambda self: self.look())
    live = LiveSigner(runtime.settings.log_key, ORIGIN, ED25519)
    first = live.verifier
    registry_keys.rotate_log_key(runtime)
    assert live.verifier == first
    registry_keys.rotate_log_key(runtime)
    assert live.verifier != first


def test_peers_know_the_registrys_key_before_it_signs(runtime: Any) -> None:
    settings = runtime.settings
    own = OwnKeys(settings.registry_key, settings.replica_key)
    said = {"registry_id": "361103-county", "name": "c", "address": "", "authority": ""}
    said["log_key"] = str(LiveSigner(settings.log_key, ORIGIN, ED25519).verifier)
    announced = registry_keys.rotate_registry_key(runtime)
    peer, _ = read_peer_file(describe_self(own, said | {"request": ""}, {}))
    kids = [each["kid"] for each in peer.signing_keys["keys"]]
    assert kids == [signing_key_from_pem(settings.registry_key.read_bytes()).kid, announced["key_id"]]
    switched = registry_keys.rotate_registry_key(runtime)
    assert (switched["key_id"], switched["announced"]) == (announced["key_id"], False)
    assert signing_key_from_pem(settings.registry_key.read_bytes()).kid == announced["key_id"]


def test_what_was_sealed_for_a_former_replica_key_opens_until_it_is_retired(runtime: Any) -> None:
    path = runtime.settings.replica_key
    former = public_keys([signing_key_from_pem(path.read_bytes())]).keys[0]
    sealed: str = seal_for(former, b"told")  # type: ignore[arg-type]
    registry_keys.rotate_replica_key(runtime)
    envelopes = JoseEnvelopes(new_signing_key(), lambda: signing_keys_from_pem(path.read_bytes()))
    assert envelopes.open(sealed) == b"told"
    present = public_keys([signing_key_from_pem(path.read_bytes())]).keys[0]
    assert present.kid != former.kid
    assert envelopes.open(seal_for(present, b"new")) == b"new"  # type: ignore[arg-type]
    assert states(runtime, "replica_key") == ["opens, is announced", "opens"]
    registry_keys.retire_replica_keys(runtime)
    with pytest.raises(Fault, match="CONTENT_UNREADABLE"):
        envelopes.open(sealed)
    assert envelopes.open(seal_for(present, b"new")) == b"new"  # type: ignore[arg-type]
    with pytest.raises(Fault, match="NOTHING_TO_RETIRE"):
        registry_keys.retire_replica_keys(runtime)


def test_no_key_is_rotated_without_a_place_for_the_former_one(runtime: Any) -> None:
    runtime.settings.log_keys = runtime.settings.presentation_keys = None
    with pytest.raises(Fault, match="FORMER_KEYS_NOWHERE"):
        registry_keys.rotate_log_key(runtime)
    with pytest.raises(Fault, match="FORMER_KEYS_NOWHERE"):
        registry_keys.rotate_presentation_key(runtime, NOW + timedelta(days=1))
