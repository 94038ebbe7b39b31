"""Signed notes, cosignatures and checkpoints as C2SP writes them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from chassis.tlog.note import COSIGNATURE, ED25519, Signer, Verifier, parse_note

FOREIGN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
FOREIGN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of Go's implementation (golang.org/x/mod/sumdb/note): key, note and signature are not ours."""
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
ROOT = bytes(range(32))


@pytest.fixture
def signer() -> Signer:
    return Signer("tongban.test/log", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))


@pytest.fixture
def witness() -> Signer:
    return Signer("witness.test", COSIGNATURE, Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))


def test_a_note_of_another_implementation_verifies() -> None:
    verifier = Verifier.parse(FOREIGN_KEY)
    assert str(verifier) == FOREIGN_KEY
    note = parse_note(FOREIGN_NOTE)
    assert note.line_of(verifier) is not None
    assert note.with_lines(()) == FOREIGN_NOTE
    altered = parse_note(FOREIGN_NOTE.replace("problem is", "trouble is"))
    assert altered.line_of(verifier) is None


def test_a_checkpoint_comes_back_from_its_note_and_only_under_its_key(
    signer: Signer, witness: Signer
) -> None:
    made = Checkpoint("tongban.test/log", 42, ROOT)
    note = made.signed(signer)
    assert note.startswith(
        "tongban.test/log\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— tongban.test/log "
    )
    assert open_checkpoint(note, signer.verifier)[0] == made
    other = Signer(signer.name, ED25519, witness.key)
    for wrong in (other.verifier, witness.verifier):
        with pytest.raises(Fault, match="CHECKPOINT_FORGED"):
            open_checkpoint(note, wrong)


def test_a_cosignature_says_when_and_covers_the_time(signer: Signer, witness: Signer) -> None:
    text = Checkpoint("tongban.test/log", 42, ROOT).text
    line = witness.line(text, NOW).rstrip("\n")
    note = parse_note(parse_note(signer.sign(text)).with_lines([line, line]))
    assert len(note.lines) == 2
    assert note.cosigned_at(witness.verifier) == NOW
    assert note.line_of(signer.verifier)
    same_key_as_log = Verifier(witness.name, ED25519, witness.verifier.public)
    assert note.line_of(same_key_as_log) is None, "a cosignature is no signature of a log"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no signature\n",
        "text\n\n",
        "text\n\nnot a line\n",
        "text\n\n— name notbase64!\n",
        FOREIGN_NOTE.rstrip("\n"),
        FOREIGN_NOTE.replace("problem is", "problem\x00is"),
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="NOTE_MALFORMED"):
        parse_note(text)


@pytest.mark.parametrize("text", ["o\n1\n", "\n1\nAA==\n", "o\n01\n", "o\n-1\n", "o\n1\nAA==\n", "o\n1\n!\n"])
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="NOTE_MALFORMED"):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "key", ["", "a+b+c", FOREIGN_KEY.replace("c74f", "c74e"), FOREIGN_KEY[:-4] + "AAAA", "x+00000000+AQ=="]
)
def test_what_is_no_verifier_key_is_refused(key: str) -> None:
    with pytest.raises(Fault, match="NOTE_MALFORMED"):
        Verifier.parse(key)


@given(st.text(max_size=200))
def test_any_text_is_a_note_or_refused(text: str) -> None:
    for read in (parse_note, parse_checkpoint, Verifier.parse):
        with contextlib.suppress(Fault):
            read(text)


def test_a_name_with_a_space_signs_nothing(signer: Signer) -> None:
    with pytest.raises(Fault, match="NOTE_MALFORMED"):
        Signer("two words", ED25519, signer.key).line("text\n")
