"""What names of fields say is kept for the next row only where a row is of ordinary size."""

from __future__ import annotations

import pytest

from services.certs.domain.importing import names
from services.certs.domain.importing.names import FACE_FIELDS_LIMIT, FIELD_NAME_LIMIT, names_of
from tests.unit.certs.importing.rows import GOOD


def test_the_names_of_a_complete_row_have_nothing_wrong() -> None:
    found = names_of(GOOD)
    assert (found.are_ordinary, found.are_complete, found.are_known) == (True, True, True)
    assert found.face == tuple(name for name in GOOD if name.startswith("KZ_"))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (GOOD | {"KZ_\x00": "x"}, "are_ordinary"),
        ({name: value for name, value in GOOD.items() if name != "ZZBH"}, "are_complete"),
        (GOOD | {"XYZ": "x"}, "are_known"),
    ],
)
def test_what_is_wrong_with_a_name_is_told(given: dict[str, str], wrong: str) -> None:
    assert not getattr(names_of(given), wrong)


@pytest.mark.parametrize(
    "given",
    [
        GOOD | {"K" * (FIELD_NAME_LIMIT + 1): "x"},
        GOOD | {f"KZ_{n}": "x" for n in range(FACE_FIELDS_LIMIT)},
    ],
)
def test_a_row_of_unusual_size_is_not_kept(given: dict[str, str]) -> None:
    before = names._kept.cache_info().currsize
    assert not names_of(given).are_ordinary
    assert names._kept.cache_info().currsize == before
