"""Stored answers at rest: they may hold an applicant in clear, so they are encrypted."""

from __future__ import annotations

import base64

from chassis.fields import FieldCipher

ANSWER_FIELD = "stored_answer.answer"


class SealedAnswers:
    """The cipher that ``chassis.requests.once`` takes, on the service's field keys."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def encrypt(self, plain: bytes) -> bytes:
        """Return the ciphertext."""
        return self._cipher.encrypt(base64.b64encode(plain).decode(), field=ANSWER_FIELD)

    def decrypt(self, sealed: bytes) -> bytes:
        """Return the plaintext of `encrypt`."""
        return base64.b64decode(self._cipher.decrypt(sealed, field=ANSWER_FIELD))
