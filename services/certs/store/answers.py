"""Stored answers may hold personal data and use-codes: encrypted at rest, their fingerprints keyed."""

from __future__ import annotations

import base64

from chassis.fields import FieldCipher

_ANSWER = "stored_answer.answer"


class AnswerVault:
    """Encrypts stored answers; implements ``chassis.requests.AnswerCipher``."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def encrypt(self, plain: bytes) -> bytes:
        """Return the ciphertext of an answer."""
        return self._cipher.encrypt(base64.b85encode(plain).decode(), field=_ANSWER)

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the answer. Raises FIELD_UNREADABLE."""
        return base64.b85decode(self._cipher.decrypt(sealed, field=_ANSWER))

    def fingerprint(self, content: bytes) -> bytes:
        """Return a keyed fingerprint of a request: a plain digest of an identity number can be guessed."""
        return self._cipher.blind_index(base64.b85encode(content).decode(), field="stored_answer.request")
