"""Bundles 一件事: several items applied for once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.intake.domain.catalogue.forms import FormField
from services.intake.domain.catalogue.items import GuideQuestion, Limit
from services.intake.domain.catalogue.licences import CodeStatus
from services.intake.domain.catalogue.places import Text


@dataclass(frozen=True, slots=True)
class Bundle:
    """Bundle 一件事: its parts run side by side and end in one joint answer.

    The questions are those of the parts, each asked once; the form covers the forms of the parts.
    ``feeds`` names form fields that nobody fills in, because an earlier part's product supplies them:
    field code to ``<item_id>.<face field>``.
    """

    bundle_id: str
    version: str
    code: str
    code_status: CodeStatus
    name: Text
    summary: Text
    parts: tuple[str, ...]
    questions: tuple[GuideQuestion, ...]
    form: tuple[FormField, ...]
    promised: Limit
    divisions: tuple[str, ...]
    feeds: Mapping[str, str] = field(default_factory=dict)
