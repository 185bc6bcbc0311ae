"""A study with parts: several on one task, each with its cells, settings and options."""

from pathlib import Path

import pytest

from gatelab.errors import OptionError
from gatelab.studies.outcome import make_outcome
from gatelab.studies.plan import make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import read_study
from gatelab.studies.store import Store
from gatelab.tasks import TASKS
from gatelab.training.record import Run, SeedResult
from gatelab.training.replicas import count_parameters
from gatelab.views.figures import study_figure
from gatelab.views.tables import study_tables

TEXT = """
name = "parts"
cells = ["lstm", "f"]
seeds = 6

[tasks.plain]
task = "digits"
hidden_sizes = [4]
steps = 6

[tasks.chosen]
task = "digits"
cells = ["lstm", "gru", "f"]
inits = ["orthogonal"]
hidden_sizes = [5]
match = "lstm"
steps = 6
validate_every = 2
batch_size = 20
options = { validation = 0.1 }
output_dropout = 0.1

[tasks.parity]
hidden_sizes = [2]
steps = 5
options = { curriculum = false }

[quick]
seeds = 2
tasks.plain.steps = 3
tasks.chosen.options.validation = 0.2
tasks.parity.learning_rate = 0.05

[[reference]]
task = "chosen"
hidden_size = 5
measure = "accuracy"
source = "somewhere"
values = { gru = 50.0 }
"""


@pytest.fixture(scope="module")
def study():
    return read_study(TEXT, "parts.toml")


def run_of(planned):
    """A made-up run, in which the second of two seeds solves what can be solved."""
    measures = [measure.name for measure in TASKS[planned.settings.task].measures if measure.name != "steps"]
    results = tuple(
        SeedResult(seed, ("steps", "goal")[seed % 2], 5 + seed, dict.fromkeys(measures, 90.0 + seed), ())
        for seed in planned.settings.seeds
    )
    return Run(planned.settings, results, 1.0, {}, planned.parameters)


@pytest.fixture(scope="module")
def outcome(study):
    plan = make_plan(study, Path())
    return make_outcome(plan, {planned.settings.identity: run_of(planned) for planned in plan.runs})


def test_each_part_has_its_own_cells_settings_and_options(study):
    runs = {(run.part, run.label): run.settings for run in make_plan(study, Path()).runs}
    assert list(runs) == [
        *(("plain", "lstm"), ("plain", "f")),
        *(("chosen", "lstm"), ("chosen", "gru"), ("chosen", "f")),
        *(("parity", "lstm"), ("parity", "f")),
    ]
    plain, chosen, parity = runs["plain", "f"], runs["chosen", "f"], runs["parity", "f"]
    assert [own.task for own in (plain, chosen, parity)] == ["digits", "digits", "parity"]
    assert (plain.options, chosen.options, parity.options) == (
        {"validation": 0.0, "split": 0},
        {"validation": 0.1, "split": 0},
        {"curriculum": False, "more": 0},
    )
    assert (chosen.init, chosen.batch_size, chosen.output_dropout, chosen.validate_every) == ("orthogonal", 20, 0.1, 2)
    assert (plain.init, plain.batch_size, plain.output_dropout) == (None, 100, 0.0)


def test_matched_cells_have_as_many_parameters_as_can_be(study):
    runs = {run.label: run for run in make_plan(study, Path()).runs if run.part == "chosen"}
    assert runs["lstm"].settings.hidden_size == 5
    assert {run.size for run in runs.values()} == {5}
    wanted = runs["lstm"].parameters
    for run in runs.values():
        assert run.parameters == count_parameters(run.settings)
        for other in (-1, 1):
            beside = run.settings.model_copy(update={"hidden_size": run.settings.hidden_size + other})
            assert abs(run.parameters - wanted) <= abs(count_parameters(beside) - wanted)
    assert runs["f"].settings.hidden_size > 5


def test_a_quick_look_changes_what_it_says_and_nothing_else(study):
    whole, quick = make_plan(study, Path()), make_plan(study, Path(), quick=True)
    assert quick.differences == {
        "plain": ("2 seeds instead of 6", "at most 3 steps instead of 6"),
        "chosen": ("2 seeds instead of 6", "validation = 0.2 instead of 0.1"),
        "parity": ("2 seeds instead of 6", "learning_rate = 0.05 instead of 0.1"),
    }
    for long, short in zip(whole.runs, quick.runs, strict=True):
        differ = {name for name, value in long.settings if value != getattr(short.settings, name)}
        own = {"plain": "steps", "chosen": "options", "parity": "learning_rate"}[long.part]
        assert differ == {"seeds", own}


def test_only_some_parts_can_be_asked_for(study):
    plan = make_plan(study, Path(), parts=["parity", "plain"])
    assert list(dict.fromkeys(run.part for run in plan.runs)) == ["plain", "parity"]
    with pytest.raises(OptionError, match=r"no part 'plane'\.\nIt has: plain, chosen, parity"):
        make_plan(study, Path(), parts=["plane"])


def test_an_outcome_keeps_parts_on_one_task_apart(outcome):
    assert [group.part for group in outcome.of("plain")] == ["plain"] * 2
    assert [group.cell for group in outcome.of("chosen")] == ["lstm", "gru", "f"]
    assert [group.findings["accuracy"].reported for group in outcome.of("chosen")] == [None, 50.0, None]
    assert {group.length for group in outcome.of("parity")} == {"5 steps"}
    assert set(outcome.facts) == set(outcome.baselines) == set(outcome.notes) == {"plain", "chosen", "parity"}


def test_cells_are_compared_within_a_part_and_verdicts_stand_below_its_table(outcome):
    compared = {found.part: found for found in outcome.compared}
    assert {part: len(found.comparisons) for part, found in compared.items()} == {"plain": 1, "chosen": 3, "parity": 1}
    tables = {table.title.removeprefix("parts: "): table for table in study_tables(outcome)}
    for part, own in compared.items():
        table = tables[part]
        assert own.verdicts
        assert set(own.verdicts) <= set(table.caption)
        others = {words for name, found in compared.items() if name != part for words in found.verdicts}
        assert not others & set(table.caption)


def test_a_table_of_matched_cells_shows_their_parameters(outcome):
    tables = {table.title: table for table in study_tables(outcome)}
    assert "parameters" not in tables["parts: plain"].headings
    place = tables["parts: chosen"].headings.index("parameters")
    shown = [row[place] for section in tables["parts: chosen"].sections for row in section]
    assert shown == [f"{group.parameters:,}" for group in outcome.of("chosen")]
    assert "parameters, more or less" in study_figure(outcome, "chosen").grid[0][0].title


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('task = "digits"\nhidden_sizes = [4]', "hidden_sizes = [4]", "no task 'plain'"),
        ("output_dropout = 0.1", "output_dropuot = 0.1", r"no key 'output_dropuot'\.\nDid you mean 'output_dropout'"),
        ("output_dropout = 0.1", "output_dropout = 1.5", "output_dropout is 1.5"),
        ("tasks.plain.steps = 3", "tasks.plian.steps = 3", r"'plian', which the study lacks\.\nDid you mean 'plain'"),
        ("tasks.plain.steps = 3", "tasks.plain.stpes = 3", r"no key 'stpes'\.\nDid you mean 'steps'"),
        ('[[reference]]\ntask = "chosen"', '[[reference]]\ntask = "digits"', "'digits', which the study lacks"),
        ("gru = 50.0", "fo = 50.0", "not a cell of the study"),
    ],
)
def test_a_slip_in_a_part_is_named(old, new, words):
    assert old in TEXT
    with pytest.raises(Exception, match=words) as caught:
        read_study(TEXT.replace(old, new), "parts.toml")
    assert type(caught.value).__module__ == "gatelab.errors"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('match = "lstm"', 'match = "lstn"', "Did you mean 'lstm'"),
        ("curriculum = false", "curiculum = false", "Did you mean 'curriculum'"),
        ("tasks.chosen.options.validation", "tasks.chosen.options.validaton", "Did you mean 'validation'"),
    ],
)
def test_a_slip_that_a_plan_finds_is_named(old, new, words):
    assert old in TEXT
    with pytest.raises(OptionError, match=words):
        make_plan(read_study(TEXT.replace(old, new), "parts.toml"), Path(), quick=True)


def test_two_parts_may_share_a_run(tmp_path):
    text = """
        name = "shared"
        cells = ["lstm", "f"]
        seeds = 1
        [tasks.by-size]
        task = "digits"
        hidden_sizes = [4]
        steps = 2
        [tasks.as-large]
        task = "digits"
        hidden_sizes = [4]
        match = "lstm"
        steps = 2
        """
    plan = make_plan(read_study(text, "shared.toml"), Path())
    assert len(plan.runs) == 4 and len(plan.by_identity) == 3
    store = Store(tmp_path)
    outcome = make_outcome(plan, run_study(plan, store))
    assert [len(outcome.of(part)) for part in ("by-size", "as-large")] == [2, 2]
    assert outcome.of("by-size")[0].findings == outcome.of("as-large")[0].findings
    assert len(list((tmp_path / "runs").iterdir())) == 3 and not store.others(plan)


def test_sizes_that_matching_makes_one_are_named():
    text = 'name = "m"\ncells = ["lstm", "elman"]\n[tasks.digits]\nhidden_sizes = [1, 2]\nmatch = "elman"\nsteps = 2'
    with pytest.raises(OptionError, match="sizes 1 and 2 are matched"):
        make_plan(read_study(text, "m.toml"), Path())


@pytest.mark.parametrize("name", ["rows/short", "../evil", ""])
def test_a_part_is_named_as_a_file_can_be(name):
    text = f'name = "m"\ncells = ["lstm"]\n[tasks."{name}"]\ntask = "digits"\nhidden_sizes = [1]\nsteps = 2'
    with pytest.raises(OptionError, match="tasks"):
        read_study(text, "m.toml")
