"""What the release is made of: a bill that lists everything locked, licences, audits that cannot lie, no leaks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from supply.audit import CLEAN, UNKNOWN, VULNERABLE, judge, judge_npm
from supply.bill import bill, write_bill
from supply.leaks import ALLOWED, ROOT, finds, leaks
from supply.locks import RUNTIME, licence_of, read_lock, read_npm_lock

NOT_FOR_OTHER_SYSTEMS = {"colorama"}
"""In the lock for systems other than Linux only, so not installed here."""
COPYLEFT = re.compile(r"\b(?:A?GPL|GNU (?:Affero )?General Public)", re.IGNORECASE)
LESSER = re.compile(r"\bL(?:esser )?GPL|Lesser General", re.IGNORECASE)
LESSER_ALLOWED: dict[str, str] = {}
"""LGPL packages we may link to, each with the reason."""
LOCKED = read_lock(RUNTIME)


def test_everything_locked_has_digests_and_stands_in_the_bill(tmp_path: Path) -> None:
    assert len(LOCKED) > 50
    assert [each.name for each in LOCKED if not each.hashes] == []
    written = json.loads(write_bill(tmp_path / "sbom.json").read_text())
    assert {(each["name"], each["version"]) for each in written["components"]} == {
        (each.name, each.version) for each in LOCKED
    }
    assert all(each["externalReferences"] for each in written["components"])
    assert bill() == written


def test_the_bill_is_cyclonedx() -> None:
    schema = pytest.importorskip("cyclonedx.schema")
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(json.dumps(bill())) is None


@pytest.mark.parametrize("name", sorted({each.name for each in LOCKED}))
def test_a_runtime_dependency_says_its_licence_and_it_is_none_that_binds_us(name: str) -> None:
    told = licence_of(name)
    assert told or name in NOT_FOR_OTHER_SYSTEMS, "not installed, or no licence named"
    assert not COPYLEFT.search(told)
    assert not LESSER.search(told) or name in LESSER_ALLOWED


def test_every_package_of_the_npm_lock_has_a_digest() -> None:
    assert [name for name, _, integrity in read_npm_lock() if not integrity.startswith("sha512-")] == []


SOUND = {"name": "good-one", "version": "1", "vulns": []}
WEAK = {"name": "weak_one", "version": "2", "vulns": [{"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"]}]}
SKIPPED = {"name": "far-one", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("report", "locked", "status"),
    [
        ({"dependencies": [SOUND]}, {"good-one"}, CLEAN),
        ({"dependencies": [SOUND, WEAK]}, {"good-one", "weak-one"}, VULNERABLE),
        ({"dependencies": [WEAK, SKIPPED]}, {"weak-one", "far-one"}, VULNERABLE),
        ({"dependencies": [SOUND, SKIPPED]}, {"good-one", "far-one"}, UNKNOWN),
        ({"dependencies": [SOUND]}, {"good-one", "forgotten"}, UNKNOWN),
        ({"dependencies": []}, set(), UNKNOWN),
        ({}, {"good-one"}, UNKNOWN),
        ([], {"good-one"}, UNKNOWN),
    ],
)
def test_an_audit_passes_only_what_was_looked_up(report: object, locked: set[str], status: int) -> None:
    assert judge(json.dumps(report), locked).status == status


def test_no_answer_is_no_pass() -> None:
    for said in ("", "a trace", '{"message": "405 Method Not Allowed"}'):
        assert judge(said, {"x"}).status == UNKNOWN
        assert judge_npm(said, {"x"}).status == UNKNOWN
    assert judge_npm('{"vulnerabilities": {}}', {"x"}).status == CLEAN
    assert judge_npm('{"vulnerabilities": {"x": {"severity": "high"}}}', {"x"}).status == VULNERABLE


def test_nothing_that_must_not_leak_stands_in_the_tree() -> None:
    assert leaks() == []


def test_an_exception_that_nobody_needs_is_removed() -> None:
    for name, kind in ALLOWED:
        found = {each for each, _ in finds((ROOT / name).read_text(encoding="utf-8"))}
        assert kind in found or kind == "machine path", f"{name} has no {kind} any more"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("private key", "-----BEGIN EC " + "PRIVATE KEY-----\n" + "A" * 48),
        ("private JWK", '{"kty":"EC","' + 'd": "' + "a" * 43 + '"}'),
        ("cloud access key", "AK" + "IA" + "ABCDEFGHIJKLMNOP"),
        ("source host token", "ghp" + "_" + "a" * 36),
        ("bearer token", "ey" + "J" + "a" * 24 + ".ey" + "J" + "b" * 24 + "." + "c" * 40),
        ("password in an address", "postgresql://app:" + "hunter22@db/intake"),
        ("package index", "https://" + "pypi.org/simple/x"),
        ("machine path", "see /" + "root/secret.txt"),
    ],
)
def test_the_scan_finds_what_it_is_for(kind: str, text: str) -> None:
    assert kind in {each for each, _ in finds(f"before\n{text}\n")}
