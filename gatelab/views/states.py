"""Where the runs of a study stand."""

from __future__ import annotations

from typing import get_args

from gatelab.studies.plan import Plan
from gatelab.studies.store import Stands, Store
from gatelab.views.tables import TableText


def state_rows(plan: Plan, store: Store) -> list[dict[str, str | int]]:
    """A row a run: what it is, where it stands, and its folder."""
    return [
        {
            "part": state.planned.part,
            "cell": state.planned.label,
            "units": state.planned.settings.hidden_size,
            "start": state.planned.init,
            "stands": state.stands,
            "step": state.step,
            "folder": str(store.place(state.planned.settings)),
        }
        for state in store.states(plan)
    ]


def state_table(plan: Plan, store: Store) -> TableText:
    """The rows as a table, and how many there are of each kind."""
    rows = state_rows(plan, store)
    count = {kind: sum(row["stands"] == kind for row in rows) for kind in get_args(Stands)}
    caption = [", ".join(f"{number} {kind}" for kind, number in count.items() if number) + "."]
    if count["broken"]:
        broken = ", ".join(str(row["folder"]) for row in rows if row["stands"] == "broken")
        caption.append(f"Delete what is broken, and it is made again: {broken}.")
    if others := store.others(plan):
        caption.append(f"Besides, {len(others)} with other settings, which this study does not count.")
    return TableText(
        title=plan.name,
        headings=("size", "cell", "part", "start", "stands", "step"),
        sections=(
            tuple(
                (
                    str(row["units"]),
                    str(row["cell"]),
                    str(row["part"]),
                    str(row["start"]),
                    str(row["stands"]),
                    f"{row['step']:,}" if row["step"] else "",
                )
                for row in rows
            ),
        ),
        caption=tuple(caption),
    )
