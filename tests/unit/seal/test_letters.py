"""What is personal in an application travels sealed: to the maker, and back inside the seal."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.errors import Fault
from services.seal.domain.letters import (
    Particulars,
    new_letter_key,
    open_letter,
    open_reply,
    write_letter,
    write_reply,
)
from services.seal.keystore import MakerKeystore, SoftwareKeystore
from tests.unit.seal.sealing_room import NOW, p256, pki

SECRET = "making-secret-of-at-least-32-characters!"


def test_a_letter_opens_for_its_reader_and_its_application_only():
    private_key, public_key = new_letter_key()
    letter = write_letter(public_key, "a", Particulars("张三", b"picture"))
    found = open_letter(private_key, "a", letter)
    assert (found.name, found.picture, len(found.reply_key)) == ("张三", b"picture", 32)
    assert "张三".encode() not in letter
    assert "张三" not in repr(found)
    for key, about, text in (
        (new_letter_key()[0], "a", letter),
        (private_key, "b", letter),
        (private_key, "a", letter[:-1] + bytes([letter[-1] ^ 1])),
        (private_key, "a", b""),
    ):
        with pytest.raises(Fault, match="SEAL_LETTER_UNREADABLE"):
            open_letter(key, about, text)


def test_a_reply_opens_with_the_letters_key_and_for_its_seal_only():
    key = Particulars("张三").reply_key
    reply = write_reply(key, "s", b"seal")
    assert open_reply(key, "s", reply) == b"seal"
    for other, about, text in (
        (bytes(32), "s", reply),
        (key, "t", reply),
        (key, "s", reply[:-1]),
        (key, "s", b""),
    ):
        with pytest.raises(Fault, match="SEAL_LETTER_UNREADABLE"):
            open_reply(other, about, text)


def test_a_makers_keystore_of_the_release_before_gets_what_it_lacks_once(tmp_path: Path):
    directory = tmp_path / "keystore"
    kept = MakerKeystore(directory, SoftwareKeystore(SECRET, purpose="seal maker"))
    kept.keep(pki())
    assert {path.name for path in directory.iterdir() if path.suffix == ".key"} == {
        f"{role}.key" for role in ("root", "maker_ca", "signer_ca", "maker", "status")
    }
    first, letters = kept.companion(p256(), NOW), kept.letters()
    assert first == kept.companion(p256(), NOW)
    assert letters == kept.letters()
    assert kept.load().maker == pki().maker
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert not any(letters.private_key in path.read_bytes() for path in directory.iterdir())
    (directory / "p256_root.key").unlink()
    with pytest.raises(Fault, match="KEYSTORE_INCOMPLETE"):
        kept.companion(p256(), NOW)
