"""All types in all their versions: what is made goes by the newest, what is stored by its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from services.certs.domain.licence import Licence
from services.certs.domain.licence_type.model import LicenceType


class LicenceTypes(Mapping[str, LicenceType]):
    """The newest version of every type by code (证照目录); `of` has that of a licence.

    A licence of a type that is not among them is kept and shows no face field. One book serves a whole
    process: `take` puts other contents in its place between two look-ups, never during one.
    """

    def __init__(self, versions: Iterable[LicenceType] = ()) -> None:
        self._newest: dict[str, LicenceType] = {}
        self._shown: dict[tuple[str, int], LicenceType] = {}
        self.take(versions)

    def take(self, versions: Iterable[LicenceType]) -> None:
        """Hold these versions and no others."""
        held = sorted(versions, key=lambda each: each.version)
        newest = {each.code: each for each in held}
        self._shown = {(each.code, each.version): each.within(newest[each.code]) for each in held}
        self._newest = newest

    def of(self, licence: Licence) -> LicenceType | None:
        """Return the type by which a licence is shown: its own version, within what the newest shows.

        A version that this process has not read yet counts as the newest one it has.
        """
        return self._shown.get((licence.type_code, licence.type_version)) or self.get(licence.type_code)

    def __getitem__(self, code: str) -> LicenceType:
        return self._newest[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)
