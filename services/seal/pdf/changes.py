"""What later revisions may do to a sealed PDF: add signatures and validation data, and nothing that is seen.

pyHanko explains every changed object by its rules, form filling left out. On top of that a signature field that
nobody signed may not come in or change its looks, or anyone could paint over a page with it.
"""

from __future__ import annotations

from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    SuspiciousModification,
    XrefStreamRule,
)
from pyhanko.sign.fields import enumerate_sig_fields

from services.seal.pdf.opening import entry

_catalog: Any = CatalogModificationRule  # not typed
_metadata: Any = MetadataUpdateRule
_creation: Any = SigFieldCreationRule
_LTA = ModificationLevel.LTA_UPDATES
_RULES = (DocInfoRule(), XrefStreamRule(), ObjectStreamRule(), DSSCompareRule(), _metadata())
POLICY = StandardDiffPolicy(
    global_rules=[_catalog(), *(rule.as_qualified(_LTA) for rule in _RULES)],
    form_rule=FormUpdatingRule(field_rules=[_creation(), SigFieldModificationRule()]),
)


def find_change(reader: PdfFileReader, revision: int, permissions: int | None) -> str:
    """Return what the revisions after `revision` changed beyond signatures and validation data, empty for nothing.

    `permissions` is the DocMDP level that the signature set: at 1 not even another signature may follow.
    """
    answer = POLICY.review_file(reader, revision)
    if isinstance(answer, SuspiciousModification):
        return f"{answer}" or "changed"
    if permissions is not None and answer.modification_level.value > permissions:
        return "signed after a certification that forbids it"
    return _painted(reader, revision)


def _painted(reader: PdfFileReader, revision: int) -> str:
    """Return the name of an unsigned, visible signature field that came in or changed after `revision`."""
    before = {name: reference for name, _, reference in enumerate_sig_fields(_at(reader, revision))}
    for name, value, reference in enumerate_sig_fields(reader):
        if value is not None or not _seen(reference.get_object()):
            continue
        if name not in before or _changed(reader, revision, reference):
            return f"unsigned field {name}"
    return ""


def _at(reader: PdfFileReader, revision: int) -> Any:
    return reader.get_historical_resolver(revision)


def _changed(reader: PdfFileReader, revision: int, reference: Any) -> bool:
    return int(reader.xrefs.get_last_change(reference.reference)) > revision


def _seen(field: Any) -> bool:
    widgets = [field, *(each.get_object() for each in entry(field, "/Kids", ()))]
    for widget in widgets:
        if "/Rect" in widget:
            x1, y1, x2, y2 = (float(each) for each in widget["/Rect"])
            if x1 != x2 and y1 != y2:
                return True
    return False
