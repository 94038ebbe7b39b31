"""Plumbing without business words, shared by at least two services."""
