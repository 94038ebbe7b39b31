"""One-time codes under the service's index key: derived when sent, stored as a hash only."""

from __future__ import annotations

from chassis.fields import FieldCipher
from services.intake.domain.identity.challenge import CODE_DIGITS

SUBJECT = "person.subject"


class HashedCodes:
    """The port ``Codes``. A code is the session's keyed hash, cut to digits: sent again it is the same."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def subject(self, id_type_code: str, id_number: str) -> bytes:
        """Return the blind index of a person's number."""
        return self._cipher.blind_index(f"{id_type_code}:{id_number.strip().upper()}", field=SUBJECT)

    def code_of(self, session_id: str) -> str:
        """Return six digits; the remainder of 256 bits favours no code noticeably."""
        number = int.from_bytes(self._cipher.blind_index(session_id, field="login_challenge.code"))
        return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}d}"

    def hash_of(self, session_id: str, code: str) -> bytes:
        """Return the keyed hash of a code under its session."""
        return self._cipher.blind_index(f"{session_id}:{code}", field="login_challenge.code_hash")
