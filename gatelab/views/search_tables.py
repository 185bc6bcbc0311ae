"""A search's tables: each cell's trials and the best of them, and how much each setting mattered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gatelab.studies.importance import FEWEST_TRIALS
from gatelab.studies.outcome import Outcome
from gatelab.studies.trials import Searched
from gatelab.tasks import find_task
from gatelab.tasks.base import Measure
from gatelab.views.tables import NOTHING, TableText


def search_tables(found: Outcome) -> tuple[TableText, ...]:
    """For each part, size and start that is searched: the trials, and the shares of variance where there are any."""
    kinds = dict.fromkeys((cell.part, cell.size, cell.init) for cell in found.searched)
    groups = [[cell for cell in found.searched if (cell.part, cell.size, cell.init) == kind] for kind in kinds]
    return tuple(table for cells in groups for table in _tables(found, cells))


def _tables(found: Outcome, cells: Sequence[Searched]) -> Iterator[TableText]:
    yield _trial_table(found, cells)
    if any(cell.importance is not None for cell in cells):
        yield _share_table(found, cells)


def _trial_table(found: Outcome, cells: Sequence[Searched]) -> TableText:
    """A row a cell: how its trials spread, and the settings of the best."""
    part, measure = cells[0].part, _measure(cells[0])
    settings = list(cells[0].ranges)
    return TableText(
        title=_title(found, cells[0], "trials"),
        headings=(
            *("trials", "cell", f"{measure.name}\nbest", "\nmedian", "\nquartiles"),
            *(f"best trial's\n{name}" if name == settings[0] else f"\n{name}" for name in settings),
        ),
        sections=(
            tuple(_trial_row(cell, measure, settings) for cell in cells),
            *_baseline_rows(found.baselines[part], measure, len(settings)),
        ),
        caption=_caption(found, cells, measure),
    )


def _trial_row(cell: Searched, measure: Measure, settings: Sequence[str]) -> tuple[str, ...]:
    if cell.summary is None or cell.best is None or cell.quartiles is None:
        return (f"0/{len(cell.trials)}", cell.cell, *[NOTHING] * (3 + len(settings)))
    best, median, *quartiles = (
        f"{value:,.{measure.digits}f}" for value in (cell.summary.best, cell.summary.median, *cell.quartiles)
    )
    drawn = (str(cell.best.drawn[name]) for name in settings)
    return (f"{cell.summary.count}/{len(cell.trials)}", cell.cell, best, median, "-".join(quartiles), *drawn)


def _baseline_rows(
    baselines: Mapping[str, Mapping[str, float]], measure: Measure, settings: int
) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """What learns nothing, with its score where the medians are."""
    rows = tuple(
        ("", name, "", f"{scores[measure.name]:,.{measure.digits}f}", "", *[""] * settings)
        for name, scores in baselines.items()
        if measure.name in scores
    )
    return (rows,) if rows else ()


def _share_table(found: Outcome, cells: Sequence[Searched]) -> TableText:
    """A row a cell: the share of variance of each setting, and of settings together."""
    settings = list(cells[0].ranges)
    return TableText(
        title=_title(found, cells[0], "share of variance, in percent"),
        headings=("trials", "cell", *settings, "together"),
        sections=(tuple(_share_row(cell, settings) for cell in cells),),
        caption=(
            f"How much of the variance of {cells[0].measure} over the trials each setting explains by itself, and, as "
            "together, what only several explain: functional ANOVA on a random forest "
            "(Hutter, Hoos & Leyton-Brown 2014), by optuna.",
        ),
    )


def _share_row(cell: Searched, settings: Sequence[str]) -> tuple[str, ...]:
    shares = cell.importance
    if shares is None:
        return (str(len(cell.scores)), cell.cell, *[NOTHING] * (len(settings) + 1))
    numbers = (*(shares[name] for name in settings), max(0.0, 1 - sum(shares.values())))
    return (str(len(cell.scores)), cell.cell, *(f"{100 * share:.0f}" for share in numbers))


def _caption(found: Outcome, cells: Sequence[Searched], measure: Measure) -> tuple[str, ...]:
    first, part = cells[0], cells[0].part
    seeds = f"the median of {first.seeds} seeds" if first.seeds > 1 else "one seed"
    unit = f", in {measure.unit}" if measure.unit else ""
    sentences = [
        f"Each trial is {seeds}, at most {first.length}, start: {first.init}. Trials: those with a score, of all.",
        f"{measure.name.capitalize()}{unit}, over the trials. Trials of one number have the same draws in all cells.",
        "The best trial is chosen by the number that is shown for it, so that number flatters; the median does not.",
        "Drawn: " + "; ".join(f"{name} from {words}" for name, words in first.ranges.items()) + ".",
    ]
    if any(cell.importance is None for cell in cells):
        sentences.append(
            f"How much each setting matters is told from {FEWEST_TRIALS} trials with a score on, where scores vary."
        )
    if found.differences[part]:
        sentences.append(f"Otherwise than in the study's file: {', '.join(found.differences[part])}.")
    lost = [f"{cell.cell} {[tried.number for tried in cell.trials if tried.diverged]}" for cell in cells
            if any(tried.diverged for tried in cell.trials)]  # fmt: skip
    if lost:
        sentences.append(f"Trials with a seed that diverged, which counts in none of the scores: {'; '.join(lost)}.")
    said = [
        sentence
        for compared in found.compared
        if (compared.part, compared.size, compared.init) == (part, first.size, first.init)
        for sentence in compared.verdicts
    ]
    return (*sentences, *found.facts[part], *found.notes[part], *said)


def _title(found: Outcome, cell: Searched, what: str) -> str:
    size = "" if cell.size is None else f", {cell.size} unit{'s' if cell.size > 1 else ''}"
    return f"{found.name}: {cell.part}{size}, {what}"


def _measure(cell: Searched) -> Measure:
    return next(measure for measure in find_task(cell.task).measures if measure.name == cell.measure)
