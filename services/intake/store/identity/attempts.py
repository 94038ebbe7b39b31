"""Attempts to log in through a platform, sealed for the browser's keeping."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

from chassis.errors import Fault
from chassis.fields import FieldCipher
from services.intake.domain.identity.platform_log_in import Attempt

_FIELD = "platform_log_in.attempt"
MAX_SEALED_BYTES = 1_024


class EncryptedAttempts:
    """The port ``SealedAttempts``: encrypted and authenticated under the field keys, nothing stored."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def seal(self, attempt: Attempt) -> str:
        """Return the text, fit for a cookie."""
        content = [attempt.state, attempt.nonce, attempt.verifier, attempt.device_id]
        plain = json.dumps([*content, attempt.expires_at.isoformat()])
        return base64.urlsafe_b64encode(self._cipher.encrypt(plain, field=_FIELD)).decode()

    def unseal(self, sealed: str) -> Attempt | None:
        """Return the attempt, or None for anything that we did not seal."""
        if len(sealed) > MAX_SEALED_BYTES:
            return None
        try:
            state, nonce, verifier, device_id, expires_at = json.loads(
                self._cipher.decrypt(base64.urlsafe_b64decode(sealed.encode()), field=_FIELD)
            )
            return Attempt(state, nonce, verifier, device_id, datetime.fromisoformat(expires_at))
        except (Fault, ValueError, binascii.Error):
            return None
