"""Step 1: three counties' departments send their registers; every row is answered."""

from __future__ import annotations

import asyncio

from cli.demo.registers import WrittenRegister, write_registers
from cli.demo.story import Story, expect
from cli.departments import registry_keeper
from cli.importing import Imported, import_register
from cli.row_files import read_register


async def import_stock(story: Story) -> None:
    """Have the three registers in the registry; the broken rows are refused, and only those."""
    written = write_registers(
        story.out / "build" / "registers", story.cast, story.offices, story.rng, story.today
    )
    done = await asyncio.gather(*(_import_one(story, each) for each in written))
    accepted = sum(each.rows - len(each.refused) for each in done)
    story.figures |= {
        "imported": accepted,
        "refused_rows": sum(len(each.refused) for each in done),
        "imported_by_county": {
            one.county: each.rows - len(each.refused) for one, each in zip(written, done, strict=True)
        },
    }
    broken = sum(each.broken for each in written)
    expect(story.figures["refused_rows"] == broken, f"{broken} broken rows were to be refused, and no other")


async def _import_one(story: Story, written: WrittenRegister) -> Imported:
    keeper = registry_keeper(story.offices, written.county)
    async with story.reach.department(keeper.uscc) as department:
        done = await import_register(department, read_register(written.path))
    counted = ", ".join(f"{name} {number}" for name, number in sorted(done.outcomes.items()))
    story.note(written.county, "certs", "register_imported", f"{written.path.name}: {counted}")
    return done
