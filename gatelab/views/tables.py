"""A study's tables: what was reported beside what the seeds gave, and what it comes to.

`study_tables` gives the texts of all cells as records; `draw_table` makes a rich table of one. They fit 100 columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gatelab.studies import outcome
from gatelab.studies.outcome import Finding, Outcome
from gatelab.studies.statistics import Interval
from gatelab.tasks import find_task
from gatelab.tasks.base import STEPS, Measure, Task

WIDTH = 100
"""Columns of a table written to a file."""
NOTHING = "-"


@dataclass(frozen=True)
class TableText:
    """A table as text.

    Attributes:
        title: above it.
        headings: of the columns.
        sections: rows of texts, with a line between two sections.
        caption: sentences below it.
        is_words: whether the columns are words and not numbers: they begin at the left, and the last one may take
            several lines.
    """

    title: str
    headings: tuple[str, ...]
    sections: tuple[tuple[tuple[str, ...], ...], ...]
    caption: tuple[str, ...]
    is_words: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its heading and its text for one group."""

    heading: str
    text: Callable[[outcome.Group], str]


def study_tables(found: Outcome) -> tuple[TableText, ...]:
    """A table a part, and one of intervals where it has no room for them; those of searched parts: `search_tables`."""
    return tuple(table for part in found.notes if found.of(part) for table in part_tables(found, part))


def part_tables(found: Outcome, part: str) -> tuple[TableText, ...]:
    """Those of a part that is not searched."""
    tables = _part_table(found, part), _interval_table(found, part)
    return tuple(table for table in tables if table is not None)


def draw_table(table: TableText) -> RenderableType:
    """A table with its caption."""
    drawn = Table(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
    )
    for index, heading in enumerate(table.headings):
        starts_left = table.is_words or index == 1
        is_last_of_words = table.is_words and index == len(table.headings) - 1
        drawn.add_column(heading, justify="left" if starts_left else "right", no_wrap=not is_last_of_words)
    for section in table.sections:
        for row in section:
            drawn.add_row(*row)
        drawn.add_section()
    caption = [Padding(Text(sentence), (0, 0, 0, 2)) for sentence in table.caption]
    return Group(drawn, Text(), *caption, Text())


def table_text(tables: tuple[TableText, ...]) -> str:
    """Tables as plain text, `WIDTH` columns wide."""
    stream = StringIO()
    console = Console(file=stream, width=WIDTH, color_system=None, force_terminal=False, markup=False, emoji=False)
    for table in tables:
        console.print(draw_table(table))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _part_table(found: Outcome, part: str) -> TableText:
    groups = list(found.of(part))
    task = find_task(groups[0].task)
    columns = _columns(task, groups)
    return TableText(
        title=f"{found.name}: {part}",
        headings=tuple(column.heading for column in columns),
        sections=_sections(groups, columns) + _baseline_rows(found, part, task, columns),
        caption=_caption(found, part, task, groups),
    )


def _interval_table(found: Outcome, part: str) -> TableText | None:
    """The medians of a part with their intervals, as far as its table does not have them; None if it has all."""
    groups = list(found.of(part))
    task = find_task(groups[0].task)
    measures = [
        measure
        for measure in task.measures
        if "interval" not in _statistics(task, measure) and (measure.name != STEPS or measure.over == "solved")
    ]
    known = any(_median_interval(group, measure) is not None for group in groups for measure in measures)
    if not known:
        return None
    columns = _names_of(groups)
    columns += [_measure_column(measure, statistic) for measure in measures for statistic in ("median", "interval")]
    return TableText(
        title=f"{found.name}: {part}, intervals of the medians",
        headings=tuple(column.heading for column in columns),
        sections=_sections(groups, columns),
        caption=(*(["Over the solved seeds."] if task.solves else []), *_interval_sentences(groups, measures)),
    )


def _sections(groups: list[outcome.Group], columns: list[Column]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """A section a size and start, a row a cell."""
    sizes = list(dict.fromkeys((group.size, group.init) for group in groups))
    return tuple(
        tuple(tuple(column.text(group) for column in columns) for group in groups if (group.size, group.init) == size)
        for size in sizes
    )


def _names_of(groups: list[outcome.Group]) -> list[Column]:
    """What tells the rows apart."""
    columns = [
        Column("size", lambda group: str(group.hidden_size)),
        Column("cell", lambda group: group.cell),
    ]
    if any(group.size != group.hidden_size for group in groups):
        columns.append(Column("parameters", lambda group: f"{group.parameters:,}"))
    if len({group.init for group in groups}) > 1:
        columns.append(Column("start", lambda group: group.init))
    return columns


def _columns(task: Task, groups: list[outcome.Group]) -> list[Column]:
    columns = _names_of(groups)
    if task.solves:
        columns.append(Column("solved\nand 95 %", _solved))
    elif _some_stopped(groups):
        columns.append(Column("early", _early))
    alone = all(group.seeds == 1 for group in groups)
    for measure in task.measures:
        for statistic in _statistics(task, measure):
            column = _measure_column(measure, statistic)
            # Of one seed, the best is the median, and nothing has an interval.
            needed = statistic == "median" or any(column.text(group) != NOTHING for group in groups)
            if needed and not (alone and statistic == "best"):
                columns.append(column)
    return columns


def _statistics(task: Task, measure: Measure) -> tuple[str, ...]:
    """What the table of a part shows of a measure: of the third score and those after it there is room for less."""
    shown = STATISTICS_SHOWN[measure.name == STEPS, measure.over]
    scores = [own for own in task.measures if own.name != STEPS]
    if measure not in scores[MOST_IN_FULL:]:
        return shown
    return tuple(statistic for statistic in shown if statistic in ("report", "median"))


def _baseline_rows(
    found: Outcome, part: str, task: Task, columns: list[Column]
) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """A row for each forecast or guess that learns nothing, with its scores where the medians are."""
    digits = {f"{_short(measure)}\nmedian": (measure.name, measure.digits) for measure in task.measures}
    rows = []
    for name, scores in found.baselines[part].items():
        row = ["", name]
        for column in columns[2:]:
            measure, shown = digits.get(column.heading, ("", 0))
            row.append(_number(scores.get(measure), shown) if measure in scores else "")
        rows.append(tuple(row))
    return (tuple(rows),) if rows else ()


MOST_IN_FULL = 2
"""Scores that a table shows with all their statistics, so that it fits 100 columns."""
STATISTICS_SHOWN = {
    (False, "all"): ("report", "best", "median", "interval"),
    (False, "solved"): ("report", "best", "median"),
    (True, "all"): ("median",),
    (True, "solved"): ("report", "median"),
}
"""By whether a measure counts steps, and the seeds it is over. The study's JSON has every statistic of all."""


def _measure_column(measure: Measure, statistic: str) -> Column:
    def text(group: outcome.Group) -> str:
        return STATISTICS[statistic](group.findings[measure.name], measure.digits)

    return Column(f"{_short(measure)}\n{statistic}", text)


def _short(measure: Measure) -> str:
    return measure.name.removeprefix("accuracy ")


STATISTICS: dict[str, Callable[[Finding, int], str]] = {
    "report": lambda finding, digits: _as_printed(finding.reported),
    "best": lambda finding, digits: _number(getattr(finding.summary, "best", None), digits),
    "median": lambda finding, digits: _number(getattr(finding.summary, "median", None), digits),
    "interval": lambda finding, digits: _range(getattr(finding.summary, "median_interval", None), digits),
}
"""Statistics as text, with so many digits after the point."""


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def _as_printed(value: float | None) -> str:
    """A reported number, with the digits that it was reported with."""
    return NOTHING if value is None else f"{value:,.10g}"


def _range(interval: Interval | None, digits: int) -> str:
    return NOTHING if interval is None else f"{interval.low:,.{digits}f}-{interval.high:,.{digits}f}"


def _some_stopped(groups: list[outcome.Group]) -> bool:
    """Whether a seed has reached its task's goal; with other options there may be none to reach."""
    return any(group.reached.count for group in groups)


def _early(group: outcome.Group) -> str:
    return f"{group.reached.count}/{group.reached.of}"


def _solved(group: outcome.Group) -> str:
    interval = group.reached.interval
    percent = f"{100 * interval.low:.0f}-{100 * interval.high:.0f}"
    return f"{_early(group)} {percent:>6}"


def _caption(found: Outcome, part: str, task: Task, groups: list[outcome.Group]) -> tuple[str, ...]:
    seeds = max(group.seeds for group in groups)
    starts = ", ".join(dict.fromkeys(group.init for group in groups))
    units = ", ".join(f"{m.name} in {m.unit}" for m in task.measures if m.unit)
    counted = f"{seeds} seed{'s' * (seeds > 1)} a row"
    sentences = [f"{counted}, at most {groups[0].length}, start: {starts}. {units}.".replace(" .", "")]
    if found.differences[part]:
        sentences.append(f"Otherwise than in the study's file: {', '.join(found.differences[part])}.")
    if task.solves:
        sentences.append(f"Solved: {task.goal}. Steps and accuracies are over the solved seeds.")
        method = groups[0].reached.interval.method
        sentences.append(f"95 %: the interval of {method} for the share of all seeds, in percent.")
    elif _some_stopped(groups):
        sentences.append(f"Early: seeds that stopped because {task.goal}.")
    sentences += _interval_sentences(groups, [m for m in task.measures if "interval" in _statistics(task, m)])
    if sources := found.sources.get(part):
        sentences.append(f"Report: {'; '.join(sources)}.")
    lost = [f"{group.cell} with {group.hidden_size} units, seeds {list(group.diverged)}"
            for group in groups if group.diverged]  # fmt: skip
    if lost:
        sentences.append(f"Diverged, and counted in none of the scores: {'; '.join(lost)}.")
    verdicts = [sentence for compared in found.compared if compared.part == part for sentence in compared.verdicts]
    return (*sentences, *found.facts[part], *found.notes[part], *verdicts)


def _median_interval(group: outcome.Group, measure: Measure) -> Interval | None:
    summary = group.findings[measure.name].summary
    return None if summary is None else summary.median_interval


def _interval_sentences(groups: list[outcome.Group], measures: list[Measure]) -> list[str]:
    """How the intervals of measures were made, from the intervals themselves."""
    shown = [_median_interval(group, measure) for group in groups for measure in measures]
    kinds = dict.fromkeys((interval.method, interval.confidence) for interval in shown if interval is not None)
    return [INTERVALS[method].format(100 * confidence) for method, confidence in kinds]


INTERVALS = {
    "range": "Interval: the range of the seeds, which has the median of all seeds in it with {:.0f} %.",
    "order statistics": "Interval: between two of the ordered seeds, the median of all seeds with {:.0f} %.",
}
"""By the method of a median's interval."""
