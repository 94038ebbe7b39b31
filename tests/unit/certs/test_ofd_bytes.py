"""The fast writer gives the bytes of the plain one, and of the day it replaced it, whatever the fields hold."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from services.certs.domain.ofd import render
from tests.unit.certs.conftest import FOOD
from tests.unit.certs.plain_rendering import plainly_rendered

FROZEN = {
    "plain": "ee064617ae3fb951172a621c8e56e0b5a73b3d8f8ed07d6f3f5d789ea98dad2e",
    "escaped": "4cedc260d3da9647f868536e227f4f03d4856f174f0de522b0ee2263519d496d",
    "rare": "e03af177d01df1eebc3b85bdf8d25cb4f730bed4862ec5a6420d632910f6e6ce",
    "bare": "9c0ff21d894e743c82b616f2831fc27b2afd17da18b545b07630645749bd70b7",
}
"""What `digest_but_the_font` found in packages of the writer that built trees of elements, before it was replaced."""

_MARKUP = "<>&\"'`=/]"
_CONTROLS = "\x00\x07\t\n\r\x1b\x7f\x85\u2028\ufffe\uffff"
_HAN = "丰小玉餐饮店市场监督管理局〇龘𠮷𬭎㐂\ue123\U000f0000"
_OTHERS = "Ağ ßΩЖあ한ไ€😀\u200b\u0301\u202e　"
TEXT = st.text(
    st.sampled_from(_MARKUP + _CONTROLS + _HAN + _OTHERS) | st.characters(codec="utf-8"), max_size=40
)
NAME = st.text(st.sampled_from(_MARKUP + "KZ_JYCS丰"), min_size=1, max_size=12)
FACE = st.dictionaries(
    st.sampled_from(["KZ_JYZMC", "KZ_FDDBR", "KZ_JYCS", "KZ_ZTYT"]) | NAME, TEXT, max_size=6
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT, max_size=3), TEXT, TEXT, TEXT, FACE)
def test_any_field_values_give_the_bytes_of_the_plain_writer(
    licence, types, names, number, kind, issuer, face
):
    holders = tuple(replace(licence.holders[0], name=name) for name in names)
    changed = replace(licence, holders=holders, number=number, type_name=kind, issuer_name=issuer, face=face)
    made = render(changed, types[FOOD]).ofd
    assert made == plainly_rendered(changed, types[FOOD])
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        for name in package.namelist():
            if name.endswith(".xml"):
                etree.fromstring(package.read(name), etree.XMLParser(resolve_entities=False, no_network=True))


@pytest.mark.parametrize("name", FROZEN)
def test_the_bytes_are_those_of_the_day_they_were_frozen(licence, types, name):
    changes = {
        "plain": {},
        "escaped": {"number": '<a&"b">', "face": {"KZ_JYZMC": "a<b>&'c'\"d\"]]>", 'KZ_<&"': "x"}},
        "rare": {"type_name": "证\x07𠮷", "face": {"KZ_JYZMC": "丰\ue123\x07玉\n㐂", "KZ_JYCS": "Ağ 😀"}},
        "bare": {"holders": (), "number": "", "issuer_name": "", "face": {}},
    }
    made = render(replace(licence, **changes[name]), types[FOOD]).ofd
    assert digest_but_the_font(made) == FROZEN[name]


def digest_but_the_font(package: bytes) -> str:
    """Return the SHA-256 over the names and bytes of all members but the font, which HarfBuzz may cut otherwise."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        for name in opened.namelist():
            if not name.endswith(".ttf"):
                digest.update(name.encode() + b"\0" + opened.read(name))
    return digest.hexdigest()
