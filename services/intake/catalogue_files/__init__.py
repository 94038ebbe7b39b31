"""Reads the catalogue from a directory of YAML and CSV files; finds every mistake before it answers."""

from __future__ import annotations

from services.intake.catalogue_files.loading import load_catalogue, read_catalogue

__all__ = ["load_catalogue", "read_catalogue"]
