"""Signed notes (C2SP signed-note) with Ed25519, and cosignatures of witnesses (C2SP tlog-cosignature).

A note is a text that ends with a newline, an empty line, and one line per signature:
``— <name> <base64 of 4 bytes of key id and the signature>``. Who knows no key of a line skips it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.errors import Kind, declare

NOTE_LIMIT = 1_000_000
SIGNATURES_LIMIT = 100
ED25519 = 1
COSIGNATURE = 4
"""Kinds of keys: a log's own signature, a witness's signature with its time."""
_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")
_NAME = re.compile(r"[^\s+]{1,255}")
_TIME_BYTES = 8
_ID_BYTES = 4
_SHOWN = 80


NOTE_MALFORMED = declare(
    "NOTE_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "不是有效的签名注记或验证密钥：{start}",
    "Not a signed note or a verifier key: {start}",
)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name: what a note or a checkpoint is checked with."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        content = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(content).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """Return the key as verifier keys are written: ``name+id+base64``."""
        key = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read a verifier key. Raises NOTE_MALFORMED."""
        name, _, rest = text.strip().partition("+")
        key_id, _, key = rest.partition("+")
        try:
            content = base64.b64decode(key, validate=True)
        except binascii.Error:
            content = b""
        if not _NAME.fullmatch(name) or len(content) != 33 or content[0] not in (ED25519, COSIGNATURE):
            raise NOTE_MALFORMED(start=text[:_SHOWN])
        found = cls(name, content[0], content[1:])
        if found.key_id.hex() != key_id.lower():
            raise NOTE_MALFORMED(start=text[:_SHOWN])
        return found


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name."""

    name: str
    kind: int
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.kind, self.key.public_key().public_bytes_raw())

    def line(self, text: str, at: datetime | None = None) -> str:
        """Return the signature line for a note's text; a cosignature says when."""
        if not _NAME.fullmatch(self.name):
            raise NOTE_MALFORMED(start=self.name[:_SHOWN])
        time = b""
        if self.kind == COSIGNATURE:
            seconds = int((at or datetime.now(UTC)).timestamp())
            time = seconds.to_bytes(_TIME_BYTES)
        signature = self.key.sign(_message(self.kind, text, time))
        encoded = base64.b64encode(self.verifier.key_id + time + signature).decode()
        return f"— {self.name} {encoded}\n"

    def sign(self, text: str) -> str:
        """Return the note of a text with one signature."""
        return f"{text}\n{self.line(text)}"


class Signs(Protocol):
    """Whatever signs notes under a name: a signer, or the signer of a file that may be replaced."""

    @property
    def name(self) -> str:
        """The name of the key."""

    @property
    def verifier(self) -> Verifier:
        """The public half."""

    def sign(self, text: str) -> str:
        """Return the note of a text with one signature."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; nothing of it is checked yet."""

    text: str
    lines: tuple[str, ...]

    def line_of(self, verifier: Verifier) -> str | None:
        """Return the line by which a key signed this text, None when none holds."""
        return next((line for line in self.lines if signed_at(self.text, line, verifier) is not None), None)

    def cosigned_at(self, verifier: Verifier) -> datetime | None:
        """Return when a witness saw this note, None when it did not."""
        times = (signed_at(self.text, line, verifier) for line in self.lines)
        return next((datetime.fromtimestamp(each, UTC) for each in times if each is not None), None)

    def with_lines(self, lines: Iterable[str]) -> str:
        """Return the note with further signature lines, each once."""
        return self.text + "\n" + "".join(f"{line}\n" for line in dict.fromkeys((*self.lines, *lines)))


def parse_note(note: str) -> Note:
    """Take a signed note apart. Raises NOTE_MALFORMED."""
    head, found, tail = note.rpartition("\n\n")
    lines = tuple(tail.split("\n"))
    printable = note.replace("\n", "").isprintable()
    if (
        not found
        or len(note) > NOTE_LIMIT
        or not printable
        or lines[-1]
        or not 1 < len(lines) <= SIGNATURES_LIMIT
    ):
        raise NOTE_MALFORMED(start=note[:_SHOWN])
    if not all(_LINE.fullmatch(line) for line in lines[:-1]):
        raise NOTE_MALFORMED(start=note[:_SHOWN])
    return Note(head + "\n", lines[:-1])


def signed_at(text: str, line: str, verifier: Verifier) -> int | None:
    """Return the time of a line's signature, 0 where lines have none; None unless this key signed the text."""
    match = _LINE.fullmatch(line)
    if match is None or match[1] != verifier.name:
        return None
    try:
        content = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        return None
    has_one_text = base64.b64encode(content).decode() == match[2]
    if not has_one_text or not hmac.compare_digest(content[:_ID_BYTES], verifier.key_id):
        return None
    timed = _TIME_BYTES if verifier.kind == COSIGNATURE else 0
    time, signature = content[_ID_BYTES : _ID_BYTES + timed], content[_ID_BYTES + timed :]
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(
            signature, _message(verifier.kind, text, time)
        )
    except InvalidSignature:
        return None
    return int.from_bytes(time)


def _message(kind: int, text: str, time: bytes) -> bytes:
    if kind == COSIGNATURE:
        return f"cosignature/v1\ntime {int.from_bytes(time)}\n{text}".encode()
    return text.encode()
