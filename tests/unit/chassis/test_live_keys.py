"""Token keys and keyrings are replaced while processes run; old receipts verify for ever."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.auth import (
    ActingPerson,
    DocumentSigner,
    PublishedKeys,
    SigningKeyFile,
    TokenSigner,
    TokenVerifier,
    keys_of,
    new_signing_key,
    publish_key,
    verify_document,
    write_jwks,
)
from chassis.auth.tokens import LEEWAY_SECONDS, LIFETIME_SECONDS
from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.fresh import FreshFiles
from chassis.keyring import LiveKeyring, new_keyring, parse_keyring, without_key, write_keyring
from cli.keeping import key_files

pytestmark = [pytest.mark.promise("P17")]
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PERSON = ActingPerson("person-1", 2)
ISSUER = "tongban-intake"


class Intake:
    """Key files, two intake processes (one slow to look) and a verifier elsewhere."""

    def __init__(self, directory: Path) -> None:
        self.now = NOW
        self.private, self.published = directory / "token_key.pem", directory / "token_keys.json"
        key = new_signing_key()
        self.private.write_bytes(key.as_pem(private=True))
        write_jwks([key], self.published)
        self.key = SigningKeyFile(self.private, look_every_seconds=0)
        self.slow_key = SigningKeyFile(self.private, look_every_seconds=3600)
        self.signer, self.slow_signer = (
            TokenSigner(each, ISSUER, now=self.clock) for each in (self.key, self.slow_key)
        )
        # Looks once an hour by itself: what it does not know it must ask for at once.
        self.elsewhere = TokenVerifier(
            PublishedKeys(self.published, look_every_seconds=3600), ISSUER, now=self.clock
        )
        self.receipts = PublishedKeys(self.published, self.key, look_every_seconds=0)

    def clock(self) -> datetime:
        return self.now

    def rotate(self) -> str:
        return key_files.rotate_token_key(self.private, self.published, self.now)


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(tmp_path)


def test_no_token_is_refused_while_the_key_rotates_nor_before_it_expires(intake: Intake) -> None:
    old = intake.signer.sign(PERSON)
    kid = intake.rotate()
    assert intake.key().kid == kid
    fresh, late = intake.signer.sign(PERSON), intake.slow_signer.sign(PERSON)
    for token in (fresh, old, late):  # the verifier meets the new key by a token under it
        assert intake.elsewhere.verify(token) == PERSON
    intake.now += timedelta(seconds=LIFETIME_SECONDS - 1)
    assert intake.elsewhere.verify(late) == PERSON


def test_an_old_key_opens_no_token_after_the_longest_one_has_ended(intake: Intake) -> None:
    intake.rotate()
    intake.elsewhere.verify(intake.signer.sign(PERSON))
    intake.now += timedelta(seconds=LIFETIME_SECONDS + LEEWAY_SECONDS + key_files.NOTICE_SECONDS + 1)
    with pytest.raises(Fault, match="NOT_AUTHENTICATED"):
        intake.elsewhere.verify(intake.slow_signer.sign(PERSON))
    assert intake.elsewhere.verify(intake.signer.sign(PERSON)) == PERSON


def test_a_key_that_became_known_is_shut_out_at_once_though_its_tokens_were_seen(intake: Intake) -> None:
    verifier = TokenVerifier(intake.receipts, ISSUER, now=intake.clock)
    stolen = intake.signer.sign(PERSON)
    assert verifier.verify(stolen) == PERSON
    intake.rotate()
    key_files.revoke_token_keys(intake.private, intake.published, intake.now)
    with pytest.raises(Fault, match="NOT_AUTHENTICATED"):
        verifier.verify(stolen)


def test_a_receipt_verifies_after_any_number_of_rotations(intake: Intake) -> None:
    signer = DocumentSigner(intake.key)
    receipts = [signer.sign_document({"case": 0})]
    for number in range(1, 4):
        intake.rotate()
        intake.now += timedelta(days=400)
        receipts.append(signer.sign_document({"case": number}))
    for number, receipt in enumerate(receipts):
        assert verify_document(receipt, keys_of(intake.receipts)) == {"case": number}
    assert len(keys_of(intake.receipts).keys) == 4


def test_publishing_anew_keeps_what_was_published_and_its_end(intake: Intake) -> None:
    intake.rotate()
    ends = {key.kid: key.get("exp") for key in keys_of(intake.receipts).keys}
    publish_key(intake.published, intake.key())  # what the local stack does at each start
    intake.now += timedelta(hours=3)
    publish_key(intake.published, intake.key(), retire_others_at=int(intake.now.timestamp()))
    assert {key.kid: key.get("exp") for key in keys_of(intake.receipts).keys} == ends
    assert sum(1 for end in ends.values() if end is None) == 1
    assert b'"d"' not in intake.published.read_bytes()


def test_two_operators_cannot_change_a_key_file_at_once(intake: Intake) -> None:
    with key_files.changing(intake.private), pytest.raises(Fault, match="KEY_CHANGE_RUNNING"):
        intake.rotate()
    with pytest.raises(Fault, match="KEY_FILE_UNWRITABLE"):
        key_files.rotate_field_key(intake.private.with_name("none.json"), NOW)


def test_a_broken_file_changes_nothing_and_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    write_keyring(path, new_keyring(NOW))
    live = LiveKeyring(path, look_every_seconds=0)
    before = live.current()
    good = path.read_text()
    for broken in ("", "{}", good[: len(good) // 2]):
        path.write_text(broken)
        assert live.current() is before
    path.unlink()
    assert live.current() is before
    write_keyring(path, good)
    key_files.rotate_field_key(path, NOW)
    assert live.current().active == "2026-2"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_value_under_a_key_that_another_process_saw_first_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    write_keyring(path, new_keyring(NOW))
    slow = FieldCipher(LiveKeyring(path, look_every_seconds=3600), service="s")
    key_files.rotate_field_key(path, NOW)
    quick = FieldCipher(LiveKeyring(path), service="s")
    assert slow.decrypt(quick.encrypt("王小明", field="f"), field="f") == "王小明"
    assert quick.keyring.active == "2026-2"


def test_a_retired_keys_id_is_never_given_again(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    write_keyring(path, new_keyring(NOW))
    key_files.rotate_field_key(path, NOW)
    settled = NOW + timedelta(seconds=key_files.NOTICE_SECONDS)
    with pytest.raises(Fault, match="KEYRING_KEY_ACTIVE"):
        key_files.retire_field_key(path, "2026-2", settled)
    with pytest.raises(Fault, match="KEYRING_KEY_UNKNOWN"):
        key_files.retire_field_key(path, "2025-1", settled)
    assert list(key_files.retire_field_key(path, "2026-1", settled).keys) == ["2026-2"]
    path.write_text(
        path.read_text().replace("2026-2", "2026-1")
    )  # as if the newest id were the retired one's
    assert key_files.rotate_field_key(path, NOW).active == "2026-2"
    with pytest.raises(Fault, match="KEYRING_KEY_UNKNOWN"):
        without_key(new_keyring(NOW), "2020-1")
    assert parse_keyring(new_keyring(NOW)).made_at["2026-1"] == NOW


def test_files_are_looked_at_once_in_a_while_only_and_a_copy_with_the_old_time_counts(tmp_path: Path) -> None:
    path, at = tmp_path / "f", [0.0]
    path.write_text("a")
    reads: list[int] = []

    def read() -> str:
        reads.append(1)
        return path.read_text()

    files: Any = FreshFiles([path], read, look_every_seconds=1.0, clock=lambda: at[0])
    times = path.stat().st_mtime_ns
    fresh = tmp_path / "g"
    fresh.write_text("b")
    os.utime(fresh, ns=(times, times))
    fresh.replace(path)
    assert files.current() == "a"
    at[0] = 1.5
    assert files.current() == "b"
    at[0] = 9
    assert (files.current(), len(reads)) == ("b", 2)
