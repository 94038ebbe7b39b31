from __future__ import annotations

from docs.schema_changes import not_additive

BEFORE = {
    "type": "object",
    "required": ["case_id", "parts"],
    "properties": {
        "case_id": {"type": "string"},
        "note": {"type": "string"},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
    },
    "$defs": {"Part": {"type": "object", "required": ["item"], "properties": {"item": {"type": "string"}}}},
}


def changed(**properties: object) -> dict[str, object]:
    return {**BEFORE, "properties": {**BEFORE["properties"], **properties}}  # type: ignore[dict-item]


def test_a_new_optional_field_is_additive() -> None:
    assert not_additive(BEFORE, BEFORE) == []
    assert not_additive(BEFORE, changed(county_code={"type": "string"})) == []


def test_what_a_consumer_would_not_survive_is_named() -> None:
    assert not_additive(BEFORE, changed(case_id={"type": "integer"})) == [
        "case_id: type was string, is integer"
    ]
    gone = {**BEFORE, "properties": {"case_id": {"type": "string"}, "parts": BEFORE["properties"]["parts"]}}
    assert not_additive(BEFORE, gone) == ["note is gone"]
    assert not_additive(BEFORE, {**BEFORE, "required": ["case_id"]}) == ["parts is no longer always there"]
    required = {**changed(county_code={"type": "string"}), "required": ["case_id", "parts", "county_code"]}
    assert not_additive(BEFORE, required) == ["county_code is required and new: stored events lack it"]


def test_a_change_inside_a_shared_definition_is_named() -> None:
    part = {"type": "object", "required": ["item"], "properties": {"item": {"type": "integer"}}}
    assert not_additive(BEFORE, {**BEFORE, "$defs": {"Part": part}}) == [
        "Part.item: type was string, is integer"
    ]
