"""From the files of one directory to one checked `Catalogue`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from chassis.datafiles import DataTree, read_tree
from chassis.errors import Violation
from services.intake.catalogue_files.libraries import Library, laid_over, library
from services.intake.catalogue_files.shapes import Shaper
from services.intake.domain.catalogue.bundles import Bundle
from services.intake.domain.catalogue.items import GuideQuestion, ServiceItem
from services.intake.domain.catalogue.licences import LicenceType
from services.intake.domain.catalogue.model import Catalogue, HolderIdType, RealNameLevel, Timer
from services.intake.domain.catalogue.places import Department, Division
from services.intake.domain.catalogue.rules import catalogue_mistakes
from services.intake.domain.catalogue.rules.reasons import CATALOGUE_INVALID
from standards.working_days import CalendarYear, WorkingCalendar

_LISTS = (
    "departments",
    "licence_types",
    "materials",
    "form_fields",
    "guide_questions",
    "timers",
    "realname_levels",
    "holder_id_types",
)
_FOLDERS = ("items", "bundles", "calendar", "templates")  # templates are read by notify
_OTHERS = frozenset({"terminals.yaml"})  # read by `catalogue_files.terminals`
T = TypeVar("T")


def load_catalogue(directory: Path) -> Catalogue:
    """Return the catalogue of a directory; raises CATALOGUE_INVALID naming every mistake in every file."""
    catalogue, problems = read_catalogue(directory)
    if problems:
        raise CATALOGUE_INVALID(violations=problems, count=len(problems))
    return catalogue


def read_catalogue(directory: Path) -> tuple[Catalogue, tuple[Violation, ...]]:
    """Return what could be built and everything that is wrong with it; for editors and checks."""
    tree = read_tree(directory)
    reading = _Reading(tree)
    catalogue = reading.catalogue()
    found = (*tree.problems, *reading.shaper.problems, *catalogue_mistakes(catalogue))
    return catalogue, found


class _Reading:
    """One pass over the files of a tree."""

    def __init__(self, tree: DataTree) -> None:
        self.tree = tree
        self.shaper = Shaper()
        self.materials = self._library("materials", "code")
        self.form_fields = self._library("form_fields", "code")
        self.questions = self._library("guide_questions", "question_id")

    def catalogue(self) -> Catalogue:
        self._note_strange_files()
        years = self._files(CalendarYear, "calendar", "year")
        levels = self._list(RealNameLevel, "realname_levels", "level")
        return Catalogue(
            version=self.tree.digest,
            divisions=self._divisions(),
            departments=self._list(Department, "departments", "department_id"),
            licence_types=self._list(LicenceType, "licence_types", "code"),
            questions=self._list(GuideQuestion, "guide_questions", "question_id"),
            items=self._files(ServiceItem, "items", "item_id"),
            bundles=self._files(Bundle, "bundles", "bundle_id"),
            timers=self._list(Timer, "timers", "key"),
            real_name_levels={level.level: level for level in levels.values()},
            holder_id_types=self._list(HolderIdType, "holder_id_types", "code"),
            calendar=WorkingCalendar({year.year: year for year in years.values()}),
        )

    def _note_strange_files(self) -> None:
        known = {"divisions.csv", *(f"{name}.yaml" for name in _LISTS)}
        broken = {problem.field_path for problem in self.tree.problems}
        for path in self.tree.files:
            if path not in known | _OTHERS and not path.startswith(
                tuple(f"{folder}/" for folder in _FOLDERS)
            ):
                self.shaper.note(path, "is no part of the catalogue")
        for path in sorted(known - self.tree.files.keys() - broken):
            self.shaper.note(path, "is missing")

    def _entries(self, name: str) -> list[object]:
        """Return the one list of a file ``<name>.yaml``, which stands under the key ``<name>``."""
        path = f"{name}.yaml"
        content = self.tree.files.get(path, {name: []})
        values = content.get(name) if isinstance(content, dict) and len(content) == 1 else None
        if isinstance(values, list):
            return values
        self.shaper.note(path, f"must hold one list under the key {name}")
        return []

    def _library(self, name: str, key: str) -> Library:
        return library(self.shaper, self._entries(name), key, f"{name}.yaml")

    def _divisions(self) -> dict[str, Division]:
        rows = self.tree.files.get("divisions.csv", [])
        pairs = [
            (f"divisions.csv: {at}", row) for at, row in enumerate(rows if isinstance(rows, list) else [])
        ]
        return self.shaper.index(self.shaper.build_all(Division, pairs), "code", "divisions.csv")

    def _list(self, shape: type[T], name: str, key: str) -> dict[str, T]:
        path = f"{name}.yaml"
        pairs = [(f"{path}: {at}", value) for at, value in enumerate(self._entries(name))]
        return self.shaper.index(self.shaper.build_all(shape, pairs), key, path)

    def _files(self, shape: type[T], folder: str, key: str) -> dict[str, T]:
        """Return the objects of a folder, one a file, each named for its key."""
        built: dict[str, T] = {}
        for path, content in self.tree.under(folder).items():
            one = self.shaper.build(shape, self._filled(content, path), path)
            if one is None:
                continue
            name = str(getattr(one, key))
            if PurePosixPath(path).stem != name:
                self.shaper.note(f"{path}: {key}", f"{name} is not the name of the file")
            built[name] = one
        return built

    def _filled(self, content: object, path: str) -> object:
        """Return the content of a file with its references to the libraries resolved."""
        if not isinstance(content, dict):
            return content
        filled = dict(content)
        for part, definitions, key in self._references(path):
            if part in filled:
                where = f"{path}: {part}"
                filled[part] = laid_over(self.shaper, filled[part], definitions, key, where)
        return filled

    def _references(self, path: str) -> list[tuple[str, Library, str]]:
        form = ("form", self.form_fields, "code")
        by_folder: Mapping[str, list[tuple[str, Library, str]]] = {
            "items": [form, ("materials", self.materials, "code")],
            "bundles": [form, ("questions", self.questions, "question_id")],
        }
        return by_folder.get(PurePosixPath(path).parts[0], [])
