"""Computable rules of the national standards: identifiers, check digits, working days, masking.

Every service may import it; it knows the standard library and ``chassis.errors`` and nothing else.
What a standard fixes is code here; what a region may choose is data under ``catalogue/``.
"""
