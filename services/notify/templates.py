"""Reads the approved templates and the departments' names from the catalogue's data files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from chassis.datafiles import DataTree, read_tree
from chassis.errors import Kind, Violation, declare
from services.notify.domain.template import TEMPLATE_UNKNOWN, Category, Channel, Template, placeholders

TEMPLATES_INVALID = declare(
    "TEMPLATES_INVALID", Kind.FAILED_PRECONDITION, "消息模板有误，共 {count} 处", "{count} template problems"
)
TEMPLATE_WRONG = declare("TEMPLATE_WRONG", Kind.FAILED_PRECONDITION, "有误：{cause}", "wrong: {cause}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Texts(_Strict):
    zh: str
    en: str


class _Parameter(_Strict):
    code: str
    zh: str
    en: str
    max_length: int


class _File(_Strict):
    template_id: str
    version: str
    category: Category
    topic: str
    approved: bool
    approved_on: str | None = None
    channels: list[Channel]
    expires_after_minutes: int | None
    parameters: list[_Parameter]
    title: _Texts
    text: _Texts


@dataclass(frozen=True, slots=True)
class TemplateBook:
    """The approved templates by code; implements the port Templates."""

    templates: Mapping[str, Template]

    def approved(self, code: str) -> Template:
        """Return the newest approved version. Raises TEMPLATE_UNKNOWN."""
        found = self.templates.get(code)
        if found is None:
            raise TEMPLATE_UNKNOWN(template=code)
        return found


def read_templates(catalogue_dir: Path) -> tuple[TemplateBook, Mapping[str, str]]:
    """Return the approved templates, and each department's name by its USCC.

    Raises TEMPLATES_INVALID naming every wrong file at once.
    """
    tree = read_tree(catalogue_dir)
    problems = list(tree.problems)
    found: dict[str, Template] = {}
    for path, content in tree.under("templates").items():
        template, wrong = _template(path, content)
        problems += wrong
        if template and template.version >= getattr(found.get(template.code), "version", 0):
            found[template.code] = template
    if problems:
        raise TEMPLATES_INVALID(violations=problems, count=len(problems))
    return TemplateBook(found), _department_names(tree)


def _template(path: str, content: object) -> tuple[Template | None, list[Violation]]:
    try:
        file = _File.model_validate(content)
        used = placeholders(file.text.zh) | placeholders(file.text.en)
    except ValidationError as error:
        return None, [
            TEMPLATE_WRONG.at(f"{path}:{'.'.join(map(str, each['loc']))}", cause=each["msg"])
            for each in error.errors(include_url=False, include_input=False)
        ]
    except ValueError as error:
        return None, [TEMPLATE_WRONG.at(path, cause=error)]
    declared = frozenset(each.code for each in file.parameters)
    unknown = sorted(used - declared)
    if unknown:
        return None, [TEMPLATE_WRONG.at(f"{path}:text", cause=f"undeclared {', '.join(unknown)}")]
    return (_built(file, declared) if file.approved else None), []


def _built(file: _File, declared: frozenset[str]) -> Template:
    languages = {"zh": file.text.zh, "en": file.text.en}
    return Template(
        code=file.template_id,
        version=int(file.version),
        category=file.category,
        parameters=declared,
        titles={"zh": file.title.zh, "en": file.title.en},
        texts={(channel, lang): text for channel in file.channels for lang, text in languages.items()},
    )


def _department_names(tree: DataTree) -> Mapping[str, str]:
    content: Any = tree.files.get("departments.yaml") or {}
    return {each["uscc"]: each["name"]["zh"] for each in content.get("departments", ())}
