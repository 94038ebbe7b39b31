"""Keywords that a page sets from several text objects: joined along a line in reading order, never across lines."""

from __future__ import annotations

import time

import pytest

from chassis.errors import Fault
from services.seal.domain.placing import (
    At,
    AtKeyword,
    Edge,
    OnEveryPage,
    Riding,
    plan_on_pages,
    plan_placements,
    riding_seal,
)
from tests.unit.seal.test_placing import A4, boxes, document, text


def word(chars: str, left: float, top: float = 30.0, extra: str = "") -> str:
    """Return a text object 5 mm high that begins there."""
    return text(
        f'<ofd:TextCode X="0" Y="4.4" DeltaX="5">{chars}</ofd:TextCode>', f"{left} {top} 100 10", extra
    )


def test_a_keyword_set_from_an_object_a_word_is_found():
    data = document(word("签发", 20), word("机", 30), word("关盖章", 35))
    assert boxes(data, "签发机关") == [(1, (20.0, 30.0, 20.0, 5.0))]
    assert boxes(data, "发机关盖") == [(1, (25.0, 30.0, 20.0, 5.0))]


def test_the_order_of_reading_counts_not_that_of_writing():
    data = document(word("关", 35), word("机", 30), word("发", 25), word("签", 20))
    assert boxes(data, "签发机关") == [(1, (20.0, 30.0, 20.0, 5.0))]
    assert boxes(data, "关机发签") == []


def test_occurrences_are_counted_in_the_order_of_writing():
    data = document(word("盖章", 20, 90), word("盖", 20, 30), word("章", 25, 30), word("盖章", 60, 60))
    assert [box[1] for _, box in boxes(data, "盖章")] == [90.0, 30.0, 60.0]


def test_a_keyword_is_never_joined_across_lines():
    assert boxes(document(word("签发", 20), word("机关", 20, 36)), "签发机关") == []
    assert boxes(document(word("签发", 20), word("机关", 30, 36)), "签发机关") == []
    assert boxes(document(word("签发", 20), word("机关", 30, 31)), "签发机关") == [], (
        "a fifth of a line lower"
    )
    assert boxes(document(word("签发", 20), word("机关", 30, 30.5)), "签发机关") != [], "a rounded baseline"


def test_letters_of_two_sizes_on_one_baseline_are_one_line():
    small = '<ofd:TextObject ID="6" Boundary="30 30 50 10" Font="3" Size="3.5"><ofd:TextCode X="0" Y="4.4">机关</ofd:TextCode></ofd:TextObject>'
    assert boxes(document(word("签发", 20), small), "签发机关")[0][1][0] == 20.0


def test_words_far_from_each_other_are_columns_not_one_word():
    assert boxes(document(word("签发", 20), word("机关", 37)), "签发机关") != [], "spaced by a character"
    assert boxes(document(word("签发", 20), word("机关", 38)), "签发机关") == []


def test_text_drawn_twice_for_boldness_is_found_twice():
    data = document(word("盖", 20), word("盖", 20.2), word("章", 25), word("章", 25.2))
    assert [box[0] for _, box in boxes(data, "盖章")] == [20.0, 20.2]


def test_turned_text_is_not_joined_with_what_stands_beside_it():
    turned = word("机关", 30, extra='CTM="0 1 -1 0 0 0"')
    assert boxes(document(word("签发", 20), turned), "签发机关") == []
    assert len(boxes(document(word("签发", 20), turned), "机关")) == 1


def test_the_seal_is_centred_on_the_whole_word():
    data = document(word("签发", 20), word("机关", 30))
    (place,) = plan_placements(data, [AtKeyword("签发机关")], 20, 20)
    assert (place.x_mm, place.y_mm) == (20.0, 22.5)


def test_a_page_of_layers_is_searched_in_little_time():
    layers = [word("章", 20 + number * 1e-4) for number in range(8_000)]
    data, began = document(*layers), time.process_time()
    assert len(boxes(data, "章")) == 8_000
    assert boxes(data, "盖章") == []
    assert time.process_time() - began < 2.0


def refusals(wishes, sizes=(A4, A4)):
    with pytest.raises(Fault) as raised:
        plan_on_pages(sizes, wishes, 42, 42)
    return raised.value


def test_pages_of_known_size_are_stamped_like_those_of_an_ofd():
    wishes = [OnEveryPage(10, 20), Riding(100, Edge.LEFT), At(2, 1, 1)]
    found = plan_on_pages((A4, A4), wishes, 42, 42)
    assert [each.page for each in found] == [1, 2, 1, 2, 2]
    assert found[2:4] == riding_seal([A4, A4], 100, 42, 42, Edge.LEFT)


def test_what_cannot_be_on_such_pages_is_named():
    wrong = refusals([At(3, 1, 1), OnEveryPage(190, 1), AtKeyword("盖章")]).violations
    assert [(each.field_path, each.reason.code) for each in wrong] == [
        ("placements[0]", "STAMP_OUTSIDE_PAGE"),
        ("placements[1]", "STAMP_OUTSIDE_PAGE"),
        ("placements[2]", "PLACEMENT_NOT_FOR_PDF"),
    ]
    assert refusals([Riding(100)], [A4]).code == "RIDING_SEAL_IMPOSSIBLE"
    assert refusals([OnEveryPage(1, 1)] * 51, [A4] * 100).code == "STAMPS_TOO_MANY"
