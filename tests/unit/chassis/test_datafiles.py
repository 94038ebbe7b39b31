"""Reading a directory of data files: plain values, one digest, every unreadable file named."""

from __future__ import annotations

from chassis.datafiles import content_digest, read_tree


def _write(directory, **files):
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_yaml", ".yaml").replace("_csv", ".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_yaml_and_csv_become_plain_values_by_relative_path(tmp_path):
    _write(tmp_path, a_yaml="x: ['01', 2026-02-10]", b__c_csv="code,zh\n36,江西省\n", note="left alone")
    tree = read_tree(tmp_path)
    assert sorted(tree.files) == ["a.yaml", "b/c.csv"]
    assert tree.files["b/c.csv"] == [{"code": "36", "zh": "江西省"}]
    assert list(tree.under("b")) == ["b/c.csv"]
    assert tree.problems == ()


def test_the_digest_follows_the_content_only(tmp_path):
    _write(tmp_path, a_yaml="x: 1\ny: 2")
    first = read_tree(tmp_path).digest
    _write(tmp_path, a_yaml="# the same\ny: 2\nx: 1\n")
    assert read_tree(tmp_path).digest == first == content_digest({"a.yaml": {"y": 2, "x": 1}})
    _write(tmp_path, a_yaml="x: 1\ny: 3")
    assert read_tree(tmp_path).digest != first


def test_every_file_that_cannot_be_read_is_named_and_the_others_are_kept(tmp_path):
    _write(
        tmp_path,
        broken_yaml="x: [",
        twice_yaml="x: 1\nx: 2",
        unsafe_yaml="!!python/object/apply:os.getcwd []",
        short_csv="a,b\n1\n",
        long_csv="a,b\n1,2,3\n",
        good_yaml="x: 1",
    )
    (tmp_path / "latin.yaml").write_bytes(b"x: \xff")
    tree = read_tree(tmp_path)
    assert list(tree.files) == ["good.yaml"]
    named = {problem.field_path for problem in tree.problems}
    assert named == {"broken.yaml", "twice.yaml", "unsafe.yaml", "short.csv", "long.csv", "latin.yaml"}
    assert all(problem.reason.code == "DATA_FILE_UNREADABLE" for problem in tree.problems)


def test_an_absent_directory_holds_no_files(tmp_path):
    assert read_tree(tmp_path / "none").files == {}
