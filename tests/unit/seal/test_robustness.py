"""Whatever bytes arrive, the verifier answers; and what it calls valid shows what was sealed."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from services.seal.domain.ofd import read_package
from services.seal.domain.verification import verify_document, verify_seal
from tests.unit.seal.sealing_room import NOW, evidence, judge, pack, seal_der, sealed_once, unpack

WHOLE = sealed_once()
FILES = unpack(WHOLE)
SEAL = seal_der()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_a_package_with_one_bit_changed_is_valid_only_if_it_shows_the_same(place, bit):
    changed = bytearray(WHOLE)
    changed[place] ^= 1 << bit
    answer = judge(bytes(changed))
    if answer.verdict == "VALID":
        assert {member.name: member.data for member in read_package(bytes(changed)).members} == FILES
    else:
        assert answer.verdict in {"INVALID", "INDETERMINATE"}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_member_with_bytes_replaced_is_never_valid(name, data):
    content = FILES[name]
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    changed = content[:start] + data.draw(st.binary(max_size=40)) + content[end:]
    if changed == content:
        return
    # With its reference to the signatures gone, a package is one that nobody signed.
    assert judge(pack(FILES | {name: changed})).verdict in {"INVALID", "INDETERMINATE", "UNSIGNED"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_truncated_package_is_invalid(length):
    if length < len(WHOLE):
        assert verify_document(WHOLE[:length], evidence()).verdict.value == "INVALID"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SEAL) - 1), st.integers(0, 7))
def test_a_seal_with_one_bit_changed_is_invalid_or_open(place, bit):
    changed = bytearray(SEAL)
    changed[place] ^= 1 << bit
    assert verify_seal(bytes(changed), NOW, evidence()).verdict.value != "VALID"


def test_the_domain_knows_no_adapter_and_importing_loads_no_library():
    code = (
        "import sys, services.seal.domain.sealing, services.seal.domain.status_list, services.seal.domain.timestamps;"
        "bad = {'grpc', 'google', 'faststream', 'aiokafka', 'asyncpg', 'fastapi', 'httpx', 'pydantic', 'cryptography'};"
        "found = {name.split('.')[0] for name in sys.modules} & bad;"
        "assert not found, found;"
        "assert not any(name.startswith('services.seal.providers') for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
