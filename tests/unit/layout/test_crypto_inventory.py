"""Every cryptographic primitive of the code stands in the inventory; nothing stands there that is not used."""

from __future__ import annotations

import ast

from docs.crypto_inventory import MECHANISMS, covered, inventory_page, undeclared, unused
from docs.crypto_usage import _names, uses


def test_every_primitive_in_use_is_declared_and_none_is_weak() -> None:
    assert undeclared() == []


def test_every_declaration_is_in_use() -> None:
    assert unused() == []
    page = inventory_page()
    assert all(each.purpose in page for each in MECHANISMS)


def test_a_new_primitive_is_found_however_it_is_imported() -> None:
    source = """
import hashlib as h
import ssl
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives import hashes as digests
from cryptography.hazmat.primitives.asymmetric import rsa
from secrets import token_bytes
h.md5(b"")
digests.SHA1()
rsa.generate_private_key(65537, 1024)
"""
    found = set(_names(ast.parse(source)))
    assert found >= {
        "hashlib.md5",
        "ChaCha20Poly1305",
        "hashes.SHA1",
        "rsa.generate_private_key",
        "secrets.token_bytes",
    }
    assert not covered("ChaCha20Poly1305", "chassis/fields.py")
    assert not covered("rsa.generate_private_key", "chassis/auth/keys.py")
    assert not covered("algorithms.SM4", "services/intake/app.py")
    assert "services/seal/keystore.py" in uses()["AESGCM"]
