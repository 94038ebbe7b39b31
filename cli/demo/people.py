"""Synthetic persons and businesses: invented names, right check characters, from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date

from standards.identifiers import build_citizen_id, build_uscc, citizen_birth_date
from standards.identifiers.citizen import citizen_sex

FAMILY_NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN_NAMES = "清远思齐若谷怀瑾望舒景行星野云舟书言知夏听澜予安嘉禾明川子衿南乔"
TRADES = ("餐饮店", "小吃店", "面馆", "食府", "茶餐厅", "副食店")
ORGANISATION_LETTERS = "ABCDEFGHJKLMNPQRTUWXY"
SMALLEST_MOBILE = 1_000
"""Below are the magic numbers of the sandbox."""


@dataclass(frozen=True, slots=True)
class SyntheticPerson:
    """Nobody: a name out of two lists and a citizen number out of a seed."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str = field(repr=False)
    address: str = field(repr=False)

    @property
    def born(self) -> date:
        """The day of birth."""
        return citizen_birth_date(self.id_number)

    @property
    def sex(self) -> str:
        """男 or 女."""
        return "男" if citizen_sex(self.id_number) == "male" else "女"


@dataclass(frozen=True, slots=True)
class SyntheticBusiness:
    """A sole trader that does not exist."""

    name: str
    uscc: str


def make_person(rng: random.Random, division: str) -> SyntheticPerson:
    """Return a grown-up whose number names a division."""
    name = rng.choice(FAMILY_NAMES) + "".join(rng.sample(GIVEN_NAMES, rng.choice((1, 2, 2))))
    born = date(rng.randint(1950, 2002), rng.randint(1, 12), rng.randint(1, 28))
    number = build_citizen_id(division, born, rng.randint(1, 999))
    phone = f"199{rng.randint(SMALLEST_MOBILE, 99_999_999):08d}"
    address = f"测试街道{rng.randint(1, 99)}号{rng.randint(1, 20)}栋{rng.randint(101, 2606)}室"
    return SyntheticPerson(name, number, phone, address)


def make_business(rng: random.Random, division: str) -> SyntheticBusiness:
    """Return a sole trader registered in a division."""
    body = "MA" + "".join(rng.choice("0123456789" + ORGANISATION_LETTERS) for _ in range(6))
    word = "".join(rng.sample(GIVEN_NAMES, 2))
    return SyntheticBusiness(f"测试{word}{rng.choice(TRADES)}", build_uscc("92", division, body))
