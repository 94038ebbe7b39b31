"""Licence documents to seal, each with its own holder and number: the pages that certs renders, made faster."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.certs.app import read_catalogue
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData, make
from services.certs.domain.licence import Licence
from services.certs.domain.ofd import render
from services.seal.domain.ofd import Member, new_member, read_package, write_package
from services.seal.domain.sealing import Placement
from tests.load.servers import ROOT

FOOD = "11100000MB0143028R901"
SEAL_MM = 42.0
_NAME = "丰小玉餐饮店"
_VARYING = (".xml", ".json")


class Licences:
    """Documents of one licence type. Synthetic: the holder is an example of the identifier's standard."""

    def __init__(self) -> None:
        self._kind = read_catalogue(ROOT / "catalogue")[0][FOOD]
        self._licence = self._made(_NAME)
        rendered = render(self._licence, self._kind)
        self.place = Placement(1, rendered.seal_x_mm, rendered.seal_y_mm, SEAL_MM, SEAL_MM)
        self._fixed: list[Member] = []
        self._templates: dict[str, list[str]] = {}
        for member in read_package(rendered.ofd).members:
            parts = member.data.decode("utf-8").split(_NAME) if member.name.endswith(_VARYING) else []
            if len(parts) > 1:
                self._templates[member.name] = parts
            else:
                self._fixed.append(member)

    def build(self, number: int) -> bytes:
        """Return the package of licence `number`: templates filled, members packed, one ZIP written."""
        text = f"丰小{number:06d}店"
        fresh = [
            new_member(name, text.join(parts).encode("utf-8")) for name, parts in self._templates.items()
        ]
        return write_package([*self._fixed, *fresh])

    def render(self, number: int) -> bytes:
        """Return the package as certs makes it today, its own layout and XML trees included."""
        return render(
            replace(self._licence, licence_id=f"0195d0f2-0000-7000-8000-{number:012d}"), self._kind
        ).ofd

    def _made(self, shop: str) -> Licence:
        data = IssueData(
            case_id="case-1",
            part_id="part-1",
            item_code="item-1",
            type_code=FOOD,
            county_code="361103",
            issuer_code="11361103TB1000011X",
            issuer_name="上饶市广丰区市场监督管理局",
            holder=Holder("111", "11010519491231002X", "丰小玉"),
            face={"KZ_JYZMC": shop, "KZ_JYCS": "永丰街道一号", "KZ_ZTYT": "餐饮服务经营者"},
            validity_years=5,
            decided_at=datetime(2026, 11, 20, 3, tzinfo=UTC),
        )
        return make("0195d0f2-0000-7000-8000-000000000001", data, self._kind, 7)
