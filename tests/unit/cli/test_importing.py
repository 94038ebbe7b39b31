"""Reading registers, and imports that go on where they were interrupted."""

from __future__ import annotations

import json

import pytest

from chassis.errors import Fault
from cli.clients.department import RowAnswer
from cli.importing import MESSAGE_BYTES, import_register
from cli.row_files import read_register, read_registers, write_csv, write_jsonl

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
    "broken",
    ['a,"1', 'a,"1"x', '"a,1', 'a,"' + "x" * 140_000 + '"', "a,1,2"],
    ids=["open at the end", "text after a quote", "open at the start", "too long", "too many"],
)
def test_a_broken_line_takes_no_good_one_with_it(tmp_path, broken):
    (tmp_path / "a.csv").write_text(f'ZZMC,ZZBH\n"a\nb",1\n{broken}\nb,2\n"c",3\n')
    rows = read_register(tmp_path / "a.csv").rows
    assert [row.fields.get("ZZBH") for row in rows] == ["1", None, "2", "3"]
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert rows[1].unreadable is not None
    assert rows[1].unreadable.code == "ROW_UNREADABLE"


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, r'{"ZZMC": "\ud800"}', '{"ZZMC": "' + "x" * 2_000_000 + '"}'],
    ids=["nested too deep", "half a surrogate pair", "too large"],
)
def test_a_line_that_would_break_its_message_is_a_row_of_its_own(tmp_path, line):
    (tmp_path / "a.jsonl").write_text('{"ZZBH": 1}\n' + line + '\n{"ZZBH": 3}\n')
    assert [row.unreadable is None for row in read_register(tmp_path / "a.jsonl").rows] == [True, False, True]


@pytest.mark.parametrize("header", ["", "ZZMC,ZZMC\na,b\n", '"open'])
def test_a_file_without_a_usable_header_is_refused(tmp_path, header):
    (tmp_path / "a.csv").write_text(header)
    with pytest.raises(Fault) as refused:
        read_register(tmp_path / "a.csv")
    assert refused.value.code == "FILE_UNREADABLE"


def test_every_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "good.csv").write_text("ZZMC\na\n")
    with pytest.raises(Fault) as refused:
        read_registers([tmp_path / name for name in ("a.xlsx", "good.csv", "none.csv")])
    named = {each.field_path: each.reason.code for each in refused.value.violations}
    assert named == {"a.xlsx": "REGISTER_KIND_UNKNOWN", "none.csv": "FILE_UNREADABLE"}


async def test_large_rows_travel_in_messages_that_are_small_enough(tmp_path):
    path = tmp_path / "a.jsonl"
    write_jsonl(path, [{"ZZBH": str(number), "KZ_X": "x" * 900_000} for number in range(12)])
    sizes = []

    class Weighing(Registry):
        async def import_rows(self, batch_id, messages):
            async for rows in messages:
                sizes.append(sum(len(fields["KZ_X"]) for _, fields in rows))
                for number, _ in rows:
                    yield RowAnswer(number, "created", "", (), ())

    done = await import_register(Weighing(), read_register(path))
    assert done.outcomes == {"created": 12}
    assert max(sizes) <= MESSAGE_BYTES


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
