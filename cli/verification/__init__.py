"""Verification without the network: sealed documents, receipts and archive packages, against a trust directory."""

from __future__ import annotations

from cli.verification.judging import verify_file
from cli.verification.report import Check, Judged, Report, worst

__all__ = ["Check", "Judged", "Report", "verify_file", "worst"]
