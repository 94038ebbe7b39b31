"""Which cryptographic primitives the code uses, and where: read from the sources, for the inventory."""  # noqa: INP001 - see code_facts

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from docs.code_facts import ROOT, product_files

FURTHER = ("deploy",)
"""Folders beside the product that make or check keys and signatures."""
_MODULES = ("hashlib", "hmac", "secrets", "ssl", "pyrage", "pkcs11")
_SIGNATURES = ("joserfc",)


@cache
def uses() -> Mapping[str, frozenset[str]]:
    """Return for each primitive, named as the code names it, the files that use it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in _files():
        for name in _names(ast.parse(path.read_text(encoding="utf-8"))):
            found[name].add(path.relative_to(ROOT).as_posix())
    return {name: frozenset(files) for name, files in found.items()}


def _files() -> Iterator[Path]:
    yield from product_files()
    for folder in FURTHER:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield ``hashlib.sha256``, ``hashes.SHA256``, ``AESGCM``, ``libcrypto.EVP_…``, ``grpc.ssl_…``, ``joserfc.jwt``."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                root = each.name.split(".")[0]
                if root in _MODULES:
                    modules[each.asname or root] = root
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node, modules)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in modules:
                yield f"{modules[node.value.id]}.{node.attr}"
            elif (node.value.id, node.attr) == ("os", "urandom"):
                yield "os.urandom"
            elif node.value.id == "grpc" and "ssl" in node.attr:
                yield f"grpc.{node.attr}"
        if isinstance(node, ast.Attribute) and node.attr.startswith(("EVP_", "ECDSA_", "RAND_")):
            yield f"libcrypto.{node.attr}"


def _imported(node: ast.ImportFrom, modules: dict[str, str]) -> Iterator[str]:
    source = node.module or ""
    root = source.split(".")[0]
    for each in node.names:
        if root in _MODULES:
            yield f"{root}.{each.name}"
        elif source.startswith("cryptography.hazmat"):
            if each.name[0].islower() and not each.name.startswith("load_"):
                modules[each.asname or each.name] = each.name
            else:
                yield each.name
        elif root in _SIGNATURES and each.name[0].islower():
            yield f"{root}.{each.name}"
        elif source == "joserfc.jwk":
            yield f"joserfc.{each.name}"
