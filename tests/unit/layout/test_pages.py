"""Hand-written pages of docs/ name files, events and links that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import events  # noqa: F401 - declares them
from chassis.event import declared_events

ROOT = Path(__file__).parents[3]
LIFE = ROOT / "docs" / "life-of-an-application.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "deploy" / "README.md"])
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
MADE_LATER = ("deploy/secrets/", "deploy/.env")
"""What a page rightly names although no checkout holds it."""
_PLACE = re.compile(r"`((?:services|chassis|cli|events|standards|tests|docs|deploy|proto)/[\w./-]*)`")


def test_the_life_of_an_application_is_told_in_at_most_twelve_lines():
    numbered = [line for line in LIFE.read_text("utf-8").splitlines() if re.match(r"\d+\. ", line)]
    assert 1 <= len(numbered) <= 12


def test_the_life_of_an_application_names_declared_events_only():
    named = set(re.findall(r"\*\*(\w+)\*\*", LIFE.read_text("utf-8")))
    assert named
    assert named <= {each.__name__ for each in declared_events()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_points_at_what_exists(page: Path):
    text = page.read_text("utf-8")
    missing = [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    missing += [place for place in _PLACE.findall(text) if not (ROOT / place).exists()]
    missing = [each for each in missing if not each.startswith(MADE_LATER)]
    assert missing == []
