"""Rows encrypted and indexed many at a time: what each would be by itself, in the form that stored rows have."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from services.certs.domain.importing import ImportRow, judge
from services.certs.store import Vault
from tests.unit.certs.conftest import NOW
from tests.unit.certs.importing.rows import GOOD, OWN

CIPHER = FieldCipher(parse_keyring(new_keyring(datetime(2026, 11, 22, tzinfo=UTC))), service="certs")
VAULT = Vault(CIPHER)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(rows=st.lists(st.dictionaries(TEXTS, TEXTS, max_size=5), max_size=4))
def test_the_key_of_a_content_is_over_the_same_bytes_as_ever(rows: list[dict[str, str]]) -> None:
    """The keys of rows imported by older releases are compared with those made today."""

    def written(row: dict[str, str]) -> str:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    expected = [CIPHER.blind_index(written(row), field="licence.content") for row in rows]
    assert VAULT.content_keys(rows) == expected


def test_rows_sealed_together_are_found_and_read_as_each_by_itself(types) -> None:
    several = {"CZZT": "测试一^测试二", "CZZTDM": "11010519491231002X^440524188001010014"}
    rows = [ImportRow(1, GOOD), ImportRow(2, GOOD | several), ImportRow(3, GOOD | {"ZZBH": " 2026 a1 "})]
    licences = [found for row in rows if (found := judge(row, types, OWN, NOW).licence)]
    assert len(licences) == 3
    for licence, sealed in zip(licences, VAULT.seal_rows(licences), strict=True):
        assert sealed.lineage_id == VAULT.lineage_id(licence.identifier)
        assert sealed.identifier_key == VAULT.identifier_key(licence.identifier)
        assert sealed.number_key == VAULT.number_key(licence.number)
        assert sealed.holder_keys == tuple(
            VAULT.holder_key(each.id_type_code, each.id_number) for each in licence.holders
        )
        assert VAULT.open_subject(sealed.subject) == (licence.identifier, licence.number, licence.holders)
        assert VAULT.open_face(sealed.face) == licence.face


def test_no_rows_are_no_work() -> None:
    assert VAULT.seal_rows([]) == []
    assert VAULT.content_keys([]) == []


def test_values_encrypted_together_never_look_the_same() -> None:
    found = CIPHER.encrypt_many([b"same"] * 50, field="f")
    assert len(set(found)) == 50
    assert {CIPHER.decrypt_bytes(each, field="f") for each in found} == {b"same"}


def test_an_index_of_many_is_the_one_of_each() -> None:
    texts = ["11010519491231002X", "", "王小明"]
    together = CIPHER.blind_indexes([each.encode() for each in texts], field="f")
    assert together == [CIPHER.blind_index(each, field="f") for each in texts]
