"""What applying for seals needs from the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.seal.domain.application import Application
from services.seal.domain.kinds import SealKind
from services.seal.domain.letters import Particulars


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A key pair made by the signing side for an application; `proof` shows that it holds the private half.

    `request` is the same in a form for certification authorities, PKCS#10.
    """

    key_id: str
    owner_code: str
    public_key: bytes
    proof: bytes
    suite: str = "SM2-SM3"
    application_id: str = ""
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class ImportedCertificate:
    """A certificate that an authority of its own issued for an application's key, and those above it."""

    suite: str
    certificate: bytes
    chain: tuple[bytes, ...]
    imported_by: str
    account: str
    imported_at: datetime


class Applications(Protocol):
    """The applications for seals, in one open transaction."""

    async def get(self, application_id: str, *, lock: bool = False) -> Application | None:
        """Return an application, locked against others' changes if asked."""
        ...

    async def page(self, owner_code: str | None, after: str, limit: int) -> Sequence[Application]:
        """Return applications in order of their ids, of one owner or of all."""
        ...

    async def has_open(self, application: Application) -> bool:
        """Say whether another application for the same seal waits, or was approved and not made yet."""
        ...

    async def add(self, application: Application, particulars: Particulars | None) -> None:
        """Enter a fresh application; a person's name is kept in its particulars alone, encrypted."""
        ...

    async def save(self, application: Application) -> None:
        """Enter what was decided."""
        ...

    async def approved(self) -> Sequence[Application]:
        """Return the approved applications whose seals are not made yet, oldest first."""
        ...

    async def certificates(self, application_id: str) -> Mapping[str, ImportedCertificate]:
        """Return the imported certificates by suite."""
        ...

    async def keep_certificate(self, application_id: str, imported: ImportedCertificate) -> None:
        """Keep an imported certificate."""
        ...

    async def letter_key(self) -> bytes | None:
        """Return the newest key that letters to the maker are written for, vouched for by the maker."""
        ...

    async def keep_letter_key(self, public_key: bytes, signature: bytes) -> None:
        """Keep a key of the maker; again changes nothing."""
        ...

    def name_index(self, kind: SealKind, name: str) -> bytes:
        """Return what stands for a person's name where equal ones are looked for; empty for other kinds."""
        ...


class Keys(Protocol):
    """The signing side's keystore, in one open transaction."""

    async def of_application(self, application_id: str) -> Sequence[KeyRequest]:
        """Return the keys made for an application, one per suite."""
        ...

    async def add(self, request: KeyRequest, wrapped_key: bytes, created_at: datetime) -> None:
        """Keep a key; its private half comes encrypted."""
        ...
