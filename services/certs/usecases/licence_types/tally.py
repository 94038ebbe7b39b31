"""What publishing would change, and how many stored licences stand against it."""

from __future__ import annotations

from dataclasses import dataclass, field

from chassis.errors import Violation
from services.certs.domain.licence_type import Change, Effect, LicenceType
from services.certs.usecases.licence_types.ports import StoredFace


@dataclass(frozen=True, slots=True)
class Planned:
    """What publishing one document would do; ``base`` is the newest version, None for a new type."""

    kind: LicenceType
    base: LicenceType | None
    changes: tuple[Change, ...]

    @property
    def is_new_version(self) -> bool:
        """Whether the document says anything that the newest version does not."""
        return self.base is None or bool(self.changes)

    @property
    def next_version(self) -> int:
        """The version that the type has afterwards."""
        if self.base is None:
            return 1
        return self.base.version + 1 if self.changes else self.base.version


@dataclass(slots=True)
class Tally:
    """What a walk over the stored licences found: how many were walked, and how many each change would break."""

    planned: tuple[Planned, ...]
    walked: int = 0
    expected: int = 0
    broken: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def scanned_codes(self) -> list[str]:
        """The types that have a change to be looked for."""
        return [
            each.kind.code
            for each in self.planned
            if any(change.effect is Effect.SCANNED for change in each.changes)
        ]

    def count(self, licence: StoredFace) -> None:
        """Count a licence under every change that it stands against."""
        for change in self._sought.get(licence.type_code, ()):
            if change.breaks(licence.face, licence.status):
                key = (licence.type_code, change.path)
                self.broken[key] = self.broken.get(key, 0) + 1

    def violations(self) -> list[Violation]:
        """Return every change that must not be, with its field and the number of licences, never their data."""
        told = [self.violation(each, change) for each in self.planned for change in each.changes]
        return [each for each in told if each is not None]

    def violation(self, planned: Planned, change: Change) -> Violation | None:
        """Return why a change must not be, None if it may."""
        count = self.broken.get((planned.kind.code, change.path), 0)
        if change.reason is None or not (count or change.effect is Effect.REFUSED):
            return None
        known_as = planned.base.code if planned.base else change.known_as
        return change.reason.at(f"{planned.kind.code}.{change.path}", licences=count, type_code=known_as)

    @property
    def _sought(self) -> dict[str, list[Change]]:
        return {
            each.kind.code: [change for change in each.changes if change.effect is Effect.SCANNED]
            for each in self.planned
        }
