"""Reading registers, and imports that go on where they were interrupted."""

from __future__ import annotations

import json

import pytest

from chassis.errors import Fault
from cli.clients.department import RowAnswer
from cli.importing import import_register
from cli.row_files import read_register, write_csv, write_jsonl

ROWS = [{"ZZMC": "居民身份证", "ZZBH": str(number)} for number in range(1, 8)]


class Registry:
    """Answers rows as the registry does; may break off after some."""

    def __init__(self, breaks_after: int | None = None) -> None:
        self.breaks_after, self.seen = breaks_after, []

    async def import_rows(self, batch_id, messages):
        async for rows in messages:
            for number, fields in rows:
                if self.breaks_after is not None and len(self.seen) >= self.breaks_after:
                    raise ConnectionError
                self.seen.append((batch_id, number, fields))
                yield RowAnswer(number, "created", f"licence-{number}", (), ())


def test_csv_and_jsonl_say_the_same(tmp_path):
    write_csv(tmp_path / "a.csv", ROWS)
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    csv_rows, json_rows = read_register(tmp_path / "a.csv").rows, read_register(tmp_path / "a.jsonl").rows
    assert [dict(row.fields) for row in csv_rows] == [dict(row.fields) for row in json_rows] == ROWS


def test_gb18030_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes("ZZMC,ZZBH\n不动产权证,1\n".encode("gb18030"))
    assert read_register(tmp_path / "a.csv").rows[0].fields["ZZMC"] == "不动产权证"


def test_lines_that_cannot_be_read_are_rows_of_their_own(tmp_path):
    (tmp_path / "a.csv").write_text("ZZMC,ZZBH\na,1\nonly-one\nb,2\n")
    (tmp_path / "a.jsonl").write_text('{"ZZBH": 1}\n{"broken\n["a"]\n{"ZZBH": {"a": 1}}\n{"ZZBH": 2}\n')
    assert [row.unreadable is None for row in read_register(tmp_path / "a.csv").rows] == [True, False, True]
    rows = read_register(tmp_path / "a.jsonl").rows
    assert [row.unreadable is None for row in rows] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("name", "reason"), [("a.xlsx", "REGISTER_KIND_UNKNOWN"), ("none.csv", "FILE_UNREADABLE")]
)
def test_other_files_are_refused(tmp_path, name, reason):
    with pytest.raises(Fault) as refused:
        read_register(tmp_path / name)
    assert refused.value.code == reason


async def test_every_row_is_answered_in_order_and_unreadable_ones_are_not_sent(tmp_path):
    lines = [json.dumps(row) for row in ROWS]
    lines[2] = "{broken"
    lines[-1] = "[]"
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    registry = Registry()
    done = await import_register(registry, read_register(path))
    assert [number for _, number, _ in registry.seen] == [1, 2, 4, 5, 6]
    assert done.outcomes == {"created": 5, "refused": 2}
    assert [each["row_number"] for each in done.refused] == [3, 7]
    answers = [json.loads(line) for line in (tmp_path / "a.jsonl.results.jsonl").read_text().splitlines()]
    assert [each["row_number"] for each in answers] == list(range(1, 8))
    assert not (tmp_path / "a.jsonl.progress").exists()


async def test_an_interrupted_import_goes_on_after_its_last_answer(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, ROWS)
    with pytest.raises(ConnectionError):
        await import_register(Registry(breaks_after=3), read_register(path))
    with (tmp_path / "a.csv.results.jsonl").open("a") as file:
        file.write('{"row_number": 4, "outc')  # the power went while a line was written
    registry = Registry()
    done = await import_register(registry, read_register(path))
    assert done.resumed_after == 3
    assert [number for _, number, _ in registry.seen] == [4, 5, 6, 7]
    assert done.outcomes == {"created": 7}


async def test_a_changed_file_is_another_batch_and_begins_anew(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, ROWS)
    with pytest.raises(ConnectionError):
        await import_register(Registry(breaks_after=3), read_register(path))
    write_csv(path, [*ROWS, {"ZZMC": "x", "ZZBH": "8"}])
    registry = Registry()
    done = await import_register(registry, read_register(path))
    assert (done.resumed_after, len(registry.seen)) == (0, 8)
