"""Identity in PostgreSQL: personal values encrypted one by one, found again by keyed hashes."""

from __future__ import annotations

from services.intake.store.identity.allowances import CountedAllowances
from services.intake.store.identity.codes import HashedCodes
from services.intake.store.identity.persons import ApplicantRows
from services.intake.store.identity.terminal_keys import TerminalKeys
from services.intake.store.identity.work import IdentityWorks

__all__ = ["ApplicantRows", "CountedAllowances", "HashedCodes", "IdentityWorks", "TerminalKeys"]
