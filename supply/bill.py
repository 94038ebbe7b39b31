"""The bill of materials of a release: ``python -m supply.bill [build/sbom.json]`` (CycloneDX 1.6, JSON).

The runtime lock is the source: exactly what is installed, with the digests that are checked on
installation; the licence is what each installed package says of itself.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from supply.locks import ROOT, RUNTIME, licence_of, read_lock

TARGET = ROOT / "build/sbom.json"


def bill() -> dict[str, Any]:
    """Return the bill; equal locks and packages give equal bills."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    components = [_component(each.name, each.version, each.hashes) for each in read_lock(RUNTIME)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"expression": project["license"]}],
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _component(name: str, version: str, hashes: tuple[str, ...]) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    digests = [{"alg": "SHA-256", "content": each} for each in hashes]
    archives = [
        {"type": "distribution", "url": f"{purl}#{index}", "hashes": [each]}
        for index, each in enumerate(digests)
    ]
    told = licence_of(name)
    licences = [{"license": {"name": told}}] if told else []
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "scope": "required",
        "licenses": licences,
        "externalReferences": archives,
    }


def write_bill(target: Path = TARGET) -> Path:
    """Write the bill, replacing an older one whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".fresh")
    fresh.write_text(json.dumps(bill(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return fresh.replace(target)


if __name__ == "__main__":
    sys.stdout.write(f"{write_bill(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)}\n")
