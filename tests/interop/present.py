"""A sealing room of the present moment: ofdrw seals at the time of its own clock, so all must be valid now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from services.seal.domain.pki import Credential, DevelopmentPki, make_development_pki
from services.seal.domain.sealing import make_seal
from services.seal.domain.structures import SealFields
from services.seal.domain.verification import Evidence
from tests.unit.seal.sealing_room import AUTHORITY, active, picture, sm2, suites

DAY = timedelta(days=1)
SECOND_AUTHORITY = "玉山县消防救援大队"
PLACE = [1, 130.0, 220.0, 42.0, 42.0]


@dataclass(frozen=True)
class Room:
    """A PKI made an hour ago, and seals of two authorities that are valid now."""

    opened_at: datetime
    pki: DevelopmentPki

    def signer(self, name: str = AUTHORITY) -> Credential:
        """Return an authority's certificate and key."""
        return self.pki.signers[name]

    def fields(self, name: str = AUTHORITY) -> SealFields:
        """Return what the authority's seal says."""
        return SealFields(
            vendor_id="tongban", seal_id=f"3611030000{len(name):04}", kind=1, name=f"{name}电子印章",
            certificates=(self.signer(name).certificate,), created_at=self.opened_at, valid_from=self.opened_at,
            valid_until=self.opened_at + 300 * DAY, picture=picture(),
        )  # fmt: skip

    def seal(self, name: str = AUTHORITY) -> bytes:
        """Return the authority's seal, made by us."""
        maker = self.pki.maker
        return make_seal(sm2(), sm2().open_key(maker.private_key), maker.certificate, self.fields(name))

    def evidence(self) -> Evidence:
        """Return what a verifier elsewhere knows now."""
        return Evidence(
            suites=suites(), now=datetime.now(UTC) + timedelta(seconds=2), anchors=self.pki.anchors,
            intermediates=self.pki.intermediates, crls=self.pki.crls, seal_status=active,
        )  # fmt: skip

    def asked(self, name: str = AUTHORITY) -> dict[str, object]:
        """Return what the Java program wants for a sealing, but for the document, the seal and the mode."""
        who = self.signer(name)
        return {"key": who.private_key, "certificate": who.certificate, "place": PLACE}


@lru_cache(maxsize=1)
def room() -> Room:
    """Return the one room of the session."""
    opened_at = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
    return Room(opened_at, make_development_pki(sm2(), [AUTHORITY, SECOND_AUTHORITY], opened_at))
