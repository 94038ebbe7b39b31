"""Where stamps come to lie: riding seals on four edges, every page, and beside words found on the pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.seal.domain import ofd
from services.seal.domain.placing import (
    KEYWORD_NOT_FOUND,
    KEYWORD_WRONG,
    OFD_UNREADABLE,
    RIDING_SEAL_IMPOSSIBLE,
    STAMP_OUTSIDE_PAGE,
    At,
    AtKeyword,
    Edge,
    OnEveryPage,
    Placement,
    Riding,
    find_keyword,
    plan_placements,
    riding_seal,
    stamp_on,
)
from services.seal.domain.sealing import seal_document
from tests.unit.seal.sealing_room import NOW, judge, ofd_files, pack, seal_in_use

A4 = (210.0, 297.0)
PAGE = "Doc_0/Pages/Page_0/Content.xml"
_XMLNS = 'xmlns:ofd="http://www.ofdspec.org/2016"'


def document(*objects: str, pages: int = 1, template: str = "") -> bytes:
    files = ofd_files(pages)
    used = '<ofd:Template TemplateID="70"/>' if template else ""
    files[PAGE] = (
        f'<ofd:Page {_XMLNS}>{used}<ofd:Content><ofd:Layer ID="2">{"".join(objects)}</ofd:Layer>'
        "</ofd:Content></ofd:Page>"
    ).encode()
    if template:
        files["Doc_0/Tpls/Tpl_0/Content.xml"] = (
            f'<ofd:Page {_XMLNS}><ofd:Content><ofd:Layer ID="7">{template}</ofd:Layer></ofd:Content></ofd:Page>'
        ).encode()
        files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
            b"</ofd:CommonData>",
            b'<ofd:TemplatePage ID="70" BaseLoc="Tpls/Tpl_0/Content.xml"/></ofd:CommonData>',
        )
    return pack(files)


def text(codes: str, boundary: str = "20 30 100 10", extra: str = "") -> str:
    return f'<ofd:TextObject ID="5" Boundary="{boundary}" Font="3" Size="5" {extra}>{codes}</ofd:TextObject>'


def boxes(data: bytes, keyword: str) -> list[tuple[int, tuple[float, ...]]]:
    package = ofd.read_package(data)
    found = find_keyword(package, list(ofd.view_document(package).pages.values()), keyword)
    return [(each.page, tuple(round(value, 3) for value in each.box_mm)) for each in found]


CODE = '<ofd:TextCode X="0" Y="4.4" DeltaX="g 4 5">签发机关盖</ofd:TextCode>'


def test_a_keyword_is_found_with_its_box():
    assert boxes(document(text(CODE)), "机关") == [(1, (30.0, 30.0, 10.0, 5.0))]
    assert boxes(document(text(CODE)), "签发机关盖") == [(1, (20.0, 30.0, 25.0, 5.0))]
    assert boxes(document(text(CODE)), "公章") == []
    assert boxes(document(text(CODE)), "") == []


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ("5 5 5 5", 30.0),
        ("g 4 5", 30.0),
        ("g 2 6 5 5", 32.0),
        ("6 g 3 5", 31.0),
        ("7", 34.0),
        ("5 5 g 2 9", 30.0),
    ],
)
def test_distances_are_read_in_every_form(steps, left):
    code = f'<ofd:TextCode X="0" Y="4.4" DeltaX="{steps}">签发机关盖</ofd:TextCode>'
    assert boxes(document(text(code)), "机")[0][1][0] == left


def test_vertical_text_runs_down():
    code = '<ofd:TextCode X="0" Y="4.4" DeltaY="g 3 6">签发机关</ofd:TextCode>'
    assert boxes(document(text(code)), "机关") == [(1, (20.0, 42.0, 5.0, 11.0))]


def test_without_distances_ideographs_take_an_em_and_letters_half():
    code = '<ofd:TextCode X="1" Y="4.4">ab盖章</ofd:TextCode>'
    assert boxes(document(text(code)), "盖章") == [(1, (26.0, 30.0, 10.0, 5.0))]


def test_a_matrix_turns_and_scales_the_words():
    doubled = document(text(CODE, extra='CTM="2 0 0 2 1 3"'))
    assert boxes(doubled, "机关") == [(1, (41.0, 33.0, 20.0, 10.0))]
    turned = document(text(CODE, boundary="100 100 10 100", extra='CTM="0 1 -1 0 0 0"'))
    assert boxes(turned, "签") == [(1, (95.0, 100.0, 5.0, 5.0))]


def test_a_keyword_may_be_split_over_the_codes_of_one_object():
    codes = (
        '<ofd:TextCode X="0" Y="4.4" DeltaX="5">签发</ofd:TextCode>'
        '<ofd:TextCode X="10" DeltaX="5">机关</ofd:TextCode><ofd:TextCode X="0" Y="12">盖章</ofd:TextCode>'
    )
    assert boxes(document(text(codes)), "发机") == [(1, (25.0, 30.0, 10.0, 5.0))]
    assert boxes(document(text(codes)), "机关盖")[0][1] == (20.0, 30.0, 20.0, 12.6)


def test_white_space_does_not_hide_a_keyword():
    code = '<ofd:TextCode X="0" Y="4.4" DeltaX="g 3 5">盖 　章</ofd:TextCode>'
    assert boxes(document(text(code)), " 盖章") == [(1, (20.0, 30.0, 20.0, 5.0))]


def test_words_of_a_template_are_found_on_the_pages_that_use_it():
    assert boxes(document(text(CODE.replace("签", "甲")), template=text(CODE)), "签发") == [
        (1, (20.0, 30.0, 10.0, 5.0))
    ]


def test_the_nth_all_and_the_moved_occurrence():
    data = document(text(CODE), text(CODE, boundary="60 90 100 10"), pages=2)
    first = plan_placements(data, [AtKeyword("机关", offset_x_mm=30, offset_y_mm=-1)], 20, 20)
    assert first == [Placement(1, 55.0, 21.5, 20, 20)]
    assert plan_placements(data, [AtKeyword("机关", 2)], 20, 20) == [Placement(1, 65.0, 82.5, 20, 20)]
    every = plan_placements(data, [AtKeyword("机关", None)], 20, 20)
    assert [each.y_mm for each in every] == [22.5, 82.5]
    assert plan_placements(data, [AtKeyword("words", None)], 20, 20)[0].page == 2


def violations(data: bytes, wishes) -> list[tuple[str, str]]:
    with pytest.raises(Fault) as raised:
        plan_placements(data, wishes, 42, 42)
    return [(each.field_path, each.reason.code) for each in raised.value.violations]


def test_every_wish_that_cannot_be_met_is_named_at_once():
    wishes = [
        AtKeyword("没有的字"), AtKeyword("机关", 3), At(1, 10, 10), At(2, 10, 10), AtKeyword("机关"),
        OnEveryPage(190, 10), AtKeyword(" "), AtKeyword("机关", 0),
    ]  # fmt: skip
    assert violations(document(text(CODE)), wishes) == [
        ("placements[0]", KEYWORD_NOT_FOUND.code), ("placements[1]", KEYWORD_NOT_FOUND.code),
        ("placements[3]", STAMP_OUTSIDE_PAGE.code), ("placements[5]", STAMP_OUTSIDE_PAGE.code),
        ("placements[6]", KEYWORD_WRONG.code), ("placements[7]", KEYWORD_WRONG.code),
    ]  # fmt: skip


@pytest.mark.parametrize("delta", ["x", "g", "g 2", "g x 1", "g 1 x"])
def test_text_that_states_no_distances_is_unreadable(delta):
    code = f'<ofd:TextCode X="0" Y="4.4" DeltaX="{delta}">签发机关</ofd:TextCode>'
    with pytest.raises(Fault) as raised:
        plan_placements(document(text(code)), [At(1, 10, 10), AtKeyword("机关")], 42, 42)
    assert raised.value.reason is OFD_UNREADABLE


@pytest.mark.parametrize("delta", ["nan", "1e999", "-9999999"])
def test_words_that_stand_nowhere_are_off_the_page(delta):
    code = f'<ofd:TextCode X="0" Y="4.4" DeltaX="{delta}">签发机关</ofd:TextCode>'
    assert violations(document(text(code)), [AtKeyword("机关")]) == [
        ("placements[0]", STAMP_OUTSIDE_PAGE.code)
    ]


def test_a_run_of_millions_costs_nothing():
    code = '<ofd:TextCode X="0" Y="4.4" DeltaX="g 999999999999 5">签发机关</ofd:TextCode>'
    assert boxes(document(text(code)), "机关") == [(1, (30.0, 30.0, 10.0, 5.0))]


def test_rubbish_is_unreadable():
    with pytest.raises(Fault) as raised:
        plan_placements(b"no zip", [At(1, 1, 1)], 42, 42)
    assert raised.value.reason is OFD_UNREADABLE


def test_all_kinds_of_wishes_meet_in_one_signature():
    data = document(text(CODE), pages=6)
    wishes = [
        At(1, 130, 220),
        OnEveryPage(10, 200),
        Riding(60, Edge.RIGHT, 3),
        AtKeyword("机关", None, 20, 20),
    ]
    places = plan_placements(data, wishes, 42, 42)
    assert len(places) == 1 + 6 + 6 + 1
    assert judge(seal_document(data, seal_in_use(), places, NOW).data).verdict == "VALID"


def seen(placement: Placement) -> tuple[float, float, float, float]:
    left, top, width, height = placement.clip_mm
    return tuple(round(v, 6) for v in (placement.x_mm + left, placement.y_mm + top, width, height))


@pytest.mark.parametrize(
    ("edge", "boxes", "order"),
    [
        (Edge.RIGHT, (200.0, 50.0, 10.0, 40.0), [0, 10, 20, 30]),
        (Edge.LEFT, (0.0, 50.0, 10.0, 40.0), [30, 20, 10, 0]),
        (Edge.TOP, (50.0, 0.0, 40.0, 10.0), [30, 20, 10, 0]),
        (Edge.BOTTOM, (50.0, 287.0, 40.0, 10.0), [0, 10, 20, 30]),
    ],
)
def test_slices_lie_on_the_edge_and_make_up_the_whole_seal(edge, boxes, order):
    places = riding_seal([A4] * 4, 50, 40, 40, edge)
    assert [seen(place) for place in places] == [boxes] * 4
    axis = 0 if edge in {Edge.RIGHT, Edge.LEFT} else 1
    assert [place.clip_mm[axis] for place in places] == order


def test_long_documents_repeat_the_seal_in_groups():
    places = riding_seal([A4] * 11, 50, 40, 40, Edge.RIGHT, 5)
    assert [round(place.clip_mm[2], 3) for place in places] == [8.0] * 5 + [6.667] * 6
    assert [place.page for place in places] == list(range(1, 12))
    assert [round(place.clip_mm[2], 3) for place in riding_seal([A4] * 7, 50, 40, 40, group=5)][5:] == [
        20.0
    ] * 2


@pytest.mark.parametrize(("pages", "group"), [(1, None), (0, None), (5, 1), (5, 0), (41, None)])
def test_a_riding_seal_that_nobody_could_see_is_refused(pages, group):
    with pytest.raises(Fault) as raised:
        riding_seal([A4] * pages, 50, 40, 40, Edge.RIGHT, group)
    assert raised.value.reason is RIDING_SEAL_IMPOSSIBLE


@given(
    st.lists(st.tuples(st.floats(60, 900), st.floats(60, 900)), min_size=2, max_size=40),
    st.sampled_from(list(Edge)),
    st.integers(2, 12),
)
def test_every_slice_lies_on_its_page(sizes, edge, group):
    pages = [ofd.Page(str(n), "x", (0.0, 0.0, *size)) for n, size in enumerate(sizes)]
    places = riding_seal(sizes, 5, 42, 42, edge, group)
    assert [place.page for place in places] == list(range(1, len(sizes) + 1))
    for place in places:
        stamp_on(place, pages)
