# ruff: noqa: INP001 - a script beside the protos, not a package
"""Generate ``gen/`` from the protos: messages, gRPC stubs, type stubs.

``python proto/generate.py`` brings ``gen/`` up to date; with ``--check`` it changes nothing and
exits 1 naming every file that differs; with ``--image FILE`` it writes the descriptors of every proto and of all they
import, for buf, which has no other way to Google's. The same input gives the same bytes on every machine.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

SOURCE = Path(__file__).resolve().parent
TARGET = SOURCE.parent / "gen"
PACKAGE_NOTE = '"""Generated from proto/ by proto/generate.py; never edited."""\n'


def main() -> int:
    """Bring ``gen/`` up to date, or compare; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="demand no difference, write nothing")
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="write the descriptors there, nothing else"
    )
    arguments = parser.parse_args()
    if arguments.image:
        arguments.image.parent.mkdir(parents=True, exist_ok=True)
        _run_protoc(
            SOURCE, f"--descriptor_set_out={arguments.image}", "--include_imports", "--include_source_info"
        )
        return 0
    check = arguments.check
    with tempfile.TemporaryDirectory() as scratch:
        compile_protos(SOURCE, Path(scratch))
        differing = sync(Path(scratch), TARGET, write=not check)
    verb = "differs" if check else "written"
    sys.stdout.writelines(f"{verb}: gen/{name}\n" for name in differing)
    return 1 if check and differing else 0


def compile_protos(source: Path, target: Path) -> None:
    """Write the generated tree of every proto under ``source`` to ``target``. Exits when protoc fails."""
    target.mkdir(parents=True, exist_ok=True)
    scripts = Path(sysconfig.get_path("scripts"))
    _run_protoc(
        source,
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        *(f"--{plugin}_out={target}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")),
    )
    _complete(target)


def _run_protoc(source: Path, *options: str) -> None:
    arguments = [
        "protoc",
        f"--proto_path={source}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        f"--proto_path={sysconfig.get_path('purelib')}",
        *options,
        *sorted(path.relative_to(source).as_posix() for path in source.rglob("*.proto")),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")


def sync(made: Path, kept: Path, *, write: bool) -> list[str]:
    """Return the sorted names that differ between the two trees; with ``write`` make ``kept`` equal."""
    differing = []
    for name in sorted(_names(made) | _names(kept)):
        new, old = made / name, kept / name
        if new.is_file() and old.is_file() and new.read_bytes() == old.read_bytes():
            continue
        differing.append(name)
        if write and new.is_file():
            old.parent.mkdir(parents=True, exist_ok=True)
            old.write_bytes(new.read_bytes())
        elif write:
            old.unlink()
    return differing


def _complete(target: Path) -> None:
    """Drop the gRPC modules of protos without services and make every folder a typed package."""
    for module in target.rglob("*_pb2_grpc.py"):
        if "add_registered_method_handlers" not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)
    for folder in {parent for module in target.rglob("*_pb2.py") for parent in _below(target, module)}:
        (folder / "__init__.py").write_text(PACKAGE_NOTE)
    for top in sorted(path for path in target.iterdir() if path.is_dir()):
        (top / "py.typed").write_text("")


def _below(target: Path, module: Path) -> Iterable[Path]:
    return [parent for parent in module.parents if target in parent.parents]


def _names(root: Path) -> set[str]:
    found = root.rglob("*") if root.is_dir() else ()
    return {
        path.relative_to(root).as_posix()
        for path in found
        if path.is_file() and path.suffix in {".py", ".pyi", ".typed"}
    }


if __name__ == "__main__":
    raise SystemExit(main())
