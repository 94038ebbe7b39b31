"""Every command in the operator's pages exists, with the options it is given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli.main import app

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "docs" / "operations.md", *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
COMPOSE = {"ps", "logs", "up", "down", "kill", "stop", "start", "restart", "exec", "run", "stats"}
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`((?:tongban|docker compose|python|promtool) [^`]*)`")
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def commands(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    for block in _BLOCK.findall(text):
        yield from (line for line in block.splitlines() if line.strip())
    yield from _INLINE.findall(text)


ALL = [(page.name, command) for page in PAGES for command in commands(page)]


@cache
def click_tree() -> Any:
    return typer.main.get_command(app)


@cache
def services() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "deploy" / "docker-compose.yml").read_text("utf-8"))["services"])


def check_tongban(words: list[str]) -> None:
    command = click_tree()
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands") or not words or words[0].startswith("-"), f"no command {words[0]}"
    known = {option for each in command.params for option in each.opts} | {"--help", "-h"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def check_compose(words: list[str]) -> None:
    while words[0].startswith("-"):
        del words[:2]  # --profile NAME
    verb = words.pop(0)
    assert verb in COMPOSE
    named = [word for word in words if word in services() or word == "SERVICE"]
    if verb in {"exec", "run", "kill", "stop", "restart"}:
        assert named, words


def runs(words: list[str]) -> bool:
    """Tell whether Python finds what it is told to run: a file, a module or a package with a main module."""
    if words[0] != "-m":
        return (ROOT / words[0]).is_file()
    place = ROOT.joinpath(*words[1].split("."))
    return place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


@pytest.mark.parametrize(("page", "command"), ALL)
def test_a_command_of_the_operators_pages_exists(page: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "tongban":
        check_tongban(words[1:])
    elif words[:2] == ["docker", "compose"]:
        check_compose(words[2:])
    elif words[0] == "python":
        assert runs(words[1:]), words
    else:
        assert words[0] in {"df", "docker", "promtool"}, words[0]
        assert all((ROOT / word).is_file() for word in words if word.startswith("deploy/"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_operators_pages_lead_somewhere(page: Path) -> None:
    gone = [link for link in _LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert [link for link in gone if "://" not in link] == []


def test_the_operators_page_leaves_a_place_for_measured_sizes() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert text.index("<!-- sizing -->") < text.index("<!-- /sizing -->")
