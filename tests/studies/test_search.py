"""Random search: what is drawn, the runs that it asks for, what it finds, and slips."""

import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gatelab.cli.main import main
from gatelab.errors import OptionError
from gatelab.studies.importance import FEWEST_TRIALS, importance
from gatelab.studies.outcome import make_outcome
from gatelab.studies.plan import make_plan
from gatelab.studies.search import Among, Between, Search
from gatelab.studies.spec import find_study, read_study
from gatelab.training.record import Run, SeedResult
from gatelab.views.search_tables import search_tables
from gatelab.views.tables import WIDTH, study_tables, table_text

TEXT = """
name = "drawn"
cells = ["lstm", "f"]
seeds = 1

[tasks.digits]
steps = 5
batch_size = 10

[tasks.digits.search]
trials = 3
hidden_size = { low = 2, high = 9, log = true }
learning_rate = { low = 1e-3, high = 1e-1, log = true }
optimizer = { among = ["adam", "rmsprop"] }

[quick]
tasks.digits = { trials = 2, cells = ["f"], steps = 4 }
"""
OPEN = {"hidden_size": {"low": 2, "high": 9}, "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}


def plan_of(text=TEXT, **others):
    return make_plan(read_study(text, "drawn.toml"), Path(), **others)


def changed(old, new):
    assert old in TEXT
    return TEXT.replace(old, new)


# What is drawn.


@given(some.floats(1e-6, 1e6), some.floats(1.01, 1e4), some.booleans(), some.floats(0, 1, exclude_max=True))
def test_a_number_is_inside_of_its_range_and_short(low, factor, log, share):
    span = Between(low, low * factor, log)
    value = span.draw(share)
    assert span.low <= value <= span.high
    assert value in (span.low, span.high, float(f"{value:.3g}"))


@given(some.integers(1, 900), some.integers(1, 900), some.booleans(), some.floats(0, 1, exclude_max=True))
def test_a_whole_number_is_whole_and_inside(low, more, log, share):
    value = Between(low, low + more, log, whole=True).draw(share)
    assert type(value) is int
    assert low <= value <= low + more


@given(some.floats(0, 1, exclude_max=True))
def test_logarithms_are_drawn_evenly_where_that_is_asked_for(share):
    assert math.log10(Between(1e-4, 1e-1, log=True).draw(share)) == pytest.approx(-4 + 3 * share, abs=3e-3)
    assert Between(-1.0, 3.0).draw(share) == pytest.approx(-1 + 4 * share, abs=5e-3)


def test_whole_numbers_are_as_likely_at_the_ends_as_between():
    drawn = [Between(2, 5, whole=True).draw((place + 0.5) / 4000) for place in range(4000)]
    assert {value: drawn.count(value) for value in set(drawn)} == {2: 1000, 3: 1000, 4: 1000, 5: 1000}


@given(some.lists(some.integers(), min_size=2, max_size=9, unique=True), some.floats(0, 1, exclude_max=True))
def test_one_of_some_values_is_one_of_them(values, share):
    assert Among(tuple(values)).draw(share) in values


@given(some.integers(1, 12), some.integers(1, 12), some.integers(0, 3))
def test_more_trials_keep_the_earlier_ones(some_, others, seed):
    search = Search(seed=seed, **OPEN)
    few, many = sorted((some_, others))
    assert search.draw(many)[:few] == search.draw(few)


def test_draws_depend_on_the_seed_and_not_on_the_order_of_the_ranges():
    usual = Search(**OPEN).draw(5)
    assert Search(**dict(reversed(OPEN.items()))).draw(5) == usual
    assert Search(seed=1, **OPEN).draw(5) != usual


def test_no_trial_comes_twice_and_an_exhausted_range_says_so():
    small = Search(num_layers={"low": 1, "high": 2}, optimizer={"among": ["adam", "sgd"]})
    assert len({tuple(trial.drawn.values()) for trial in small.draw(4)}) == 4
    with pytest.raises(OptionError, match=r"5 trials are asked for, and after 4(.|\n)*Widen them"):
        small.draw(5)


# The runs.


def test_every_cell_has_the_same_trials():
    by_cell = {cell: [run for run in plan_of().runs if run.label == cell] for cell in ("lstm", "f")}
    lstm, f = ([(run.trial, run.settings.hidden_size) for run in runs] for runs in by_cell.values())
    assert lstm == f
    assert [trial.number for trial, _ in f] == [0, 1, 2]
    for run in by_cell["f"]:
        assert run.asked is None
        assert run.trial.drawn == {name: getattr(run.settings, name) for name in run.trial.drawn}


def test_a_study_with_more_trials_makes_only_the_new_runs():
    few = {run.settings.identity for run in plan_of().runs}
    many = {run.settings.identity for run in plan_of(changed("trials = 3", "trials = 5")).runs}
    assert few < many
    assert len(many) == 10


def test_a_quick_look_has_fewer_trials_and_cells_and_says_so():
    plan = plan_of(quick=True)
    assert [(run.label, run.trial) for run in plan.runs] == [
        ("f", run.trial) for run in plan_of().runs if run.label == "f" and run.trial.number < 2
    ]
    assert plan.differences == {
        "digits": ("2 trials instead of 3", "1 cell instead of 2", "at most 4 steps instead of 5")
    }


def test_sizes_that_are_not_searched_each_have_all_trials():
    text = changed("hidden_size = { low = 2, high = 9, log = true }\n", "").replace(
        "steps = 5\n", "steps = 5\nhidden_sizes = [2, 3]\nmatch = 'lstm'\n"
    )
    runs = plan_of(text).runs
    assert len(runs) == 2 * 2 * 3
    assert {run.asked for run in runs} == {2, 3}
    assert len({run.trial.number for run in runs if (run.label, run.size) == ("f", 3)}) == 3


def test_the_preset_is_the_nine_cells_of_the_paper_with_three_searched_settings():
    study, folder = find_study("odyssey-lite")
    plan, quick = make_plan(study, folder), make_plan(study, folder, quick=True)
    assert len(plan.runs) == 9 * 20
    assert len(quick.runs) == len(study.quick.tasks["digits"].cells) * 4
    for run in plan.runs:
        assert 8 <= run.settings.hidden_size <= 64
        assert 1e-4 <= run.settings.learning_rate <= 1e-1
        assert 0 <= run.settings.input_noise <= 1
        assert (run.settings.steps, run.settings.options) == (1500, {"validation": 0.2, "split": 0})
    assert not any(plan.differences.values())


# What is found.


def run_of(planned):
    """A made-up run: the score is the learning rate's logarithm, f has one more; the last trial of lstm diverged."""
    if planned.label == "lstm" and planned.trial.number == 11:
        results = (SeedResult(0, "diverged", 5, {"accuracy": None}, ()),)
    else:
        score = 90 + 10 * math.log10(planned.settings.learning_rate) + (planned.label == "f")
        results = (SeedResult(0, "steps", 5, {"accuracy": score}, ()),)
    return Run(planned.settings, results, 1.0, {}, planned.parameters)


@pytest.fixture(scope="module")
def outcome():
    plan = plan_of(changed("trials = 3", "trials = 12"))
    return make_outcome(plan, {planned.settings.identity: run_of(planned) for planned in plan.runs})


def test_the_best_trial_is_found_and_the_others_are_summed_up(outcome):
    lstm, f = outcome.searched
    assert not outcome.groups
    assert (lstm.cell, f.cell, f.size, f.seeds, f.length) == ("lstm", "f", None, 1, "5 steps")
    assert f.best.drawn["learning_rate"] == max(tried.drawn["learning_rate"] for tried in f.trials)
    assert f.best.score == f.summary.best == max(f.scores.values())
    inside = [score for score in f.scores.values() if f.quartiles[0] <= score <= f.quartiles[1]]
    assert len(inside) == 6
    assert (len(f.scores), len(lstm.scores), lstm.trials[11].score, lstm.trials[11].diverged) == (12, 11, None, (0,))


def test_cells_are_compared_trial_by_trial(outcome):
    (compared,) = outcome.compared
    (comparison,) = compared.comparisons
    assert (comparison.pairs, comparison.difference) == (11, pytest.approx(-1))
    (words,) = compared.verdicts
    assert words.startswith("f beats lstm on digits: +1.0 points")
    assert "11 trials" in words
    assert "seed" not in words


def test_the_setting_that_decides_explains_the_variance(outcome):
    for cell in outcome.searched:
        shares = cell.importance
        assert max(shares, key=shares.get) == "learning_rate"
        assert shares["learning_rate"] > 0.7
        assert 0 <= sum(shares.values()) <= 1 + 1e-9


def test_shares_follow_a_made_up_function_and_not_the_order_of_the_settings():
    search = Search(**OPEN, optimizer={"among": ["adam", "sgd"]})
    trials = [trial.drawn for trial in search.draw(40)]
    functions = {
        "hidden_size": lambda drawn: float(drawn["hidden_size"]),
        "learning_rate": lambda drawn: math.log(drawn["learning_rate"]),
        "optimizer": lambda drawn: 5.0 * (drawn["optimizer"] == "adam"),
    }
    for name, function in functions.items():
        found = importance(search.ranges, trials, [function(drawn) for drawn in trials])
        assert found[name] > 0.9
        assert found == importance(search.ranges, trials, [function(drawn) for drawn in trials])


def test_too_few_scores_or_equal_ones_tell_nothing():
    search = Search(**OPEN)
    trials = [trial.drawn for trial in search.draw(FEWEST_TRIALS)]
    scores = [float(place) for place in range(FEWEST_TRIALS)]
    assert importance(search.ranges, trials, scores) is not None
    assert importance(search.ranges, trials[1:], scores[1:]) is None
    assert importance(search.ranges, trials, [1.0] * FEWEST_TRIALS) is None


def test_tables_show_the_best_settings_the_shares_and_the_verdicts(outcome):
    assert not study_tables(outcome)
    trials, shares = search_tables(outcome)
    rows = {row[1]: dict(zip(trials.headings, row, strict=True)) for row in trials.sections[0]}
    f = outcome.searched[1]
    assert rows["lstm"]["trials"] == "11/12"
    assert rows["f"]["accuracy\nbest"] == f"{f.best.score:.1f}"
    assert rows["f"]["\nlearning_rate"] == str(f.best.drawn["learning_rate"])
    assert set(outcome.compared[0].verdicts) <= set(trials.caption)
    assert any("diverged" in sentence and "lstm [11]" in sentence for sentence in trials.caption)
    assert [sum(map(int, row[2:])) for row in shares.sections[0]] == [pytest.approx(100, abs=2)] * 2
    assert all(len(line) <= WIDTH for line in table_text((trials, shares)).splitlines())


def test_without_optuna_it_is_said_before_the_first_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(OptionError, match=r"not installed\.\nInstall it: pip install gatelab\[search\]"):
        plan_of()
    plan_of(TEXT.split("[tasks.digits.search]")[0] + "hidden_sizes = [2]")


# From the command line.


def test_a_search_from_the_command_line_grows(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def gatelab(*words):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert not end.value.code
        return capfd.readouterr().out

    Path("drawn.toml").write_text(changed("trials = 3", "trials = 2"))
    gatelab("study", "drawn.toml", "--workers", "1")
    folders = set(Path("runs/drawn/runs").iterdir())
    made = {path: path.stat().st_mtime_ns for folder in folders for path in folder.iterdir()}
    Path("drawn.toml").write_text(TEXT)
    assert gatelab("study", "drawn.toml", "--status").rstrip().endswith("4 finished, 2 missing.")
    out = gatelab("study", "drawn.toml", "--workers", "1")
    assert {path: path.stat().st_mtime_ns for path in made} == made
    written = {path.name for path in Path("runs/drawn").iterdir()}
    assert written == {"runs", "tables.txt", "study.json", "digits.png", "digits.svg"}
    found = json.loads(Path("runs/drawn/study.json").read_text())
    assert [len(cell["trials"]) for cell in found["searched"]] == [3, 3]
    for cell in found["searched"]:
        best = max(cell["trials"], key=lambda tried: tried["score"])
        assert cell["best"]["score"] == best["score"]
        kept = json.loads(Path("runs/drawn/runs", best["run"], "run.json").read_text())
        assert kept["settings"]["learning_rate"] == best["drawn"]["learning_rate"]
    assert "drawn: digits, trials" in out
    assert "3 trials can't show any difference between lstm and f" in out
    assert json.loads(gatelab("study", "drawn.toml", "--json")) == found


# Slips.

RATE = "learning_rate = { low = 1e-3, high = 1e-1, log = true }"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("low = 1e-3", "low = 1", r"learning_rate is from 1 to 0\.1\.\nlow must be below high"),
        ("low = 1e-3", "low = 0.1", r"low must be below high"),
        ("low = 1e-3", "low = 0", r"no logarithm\.\nTake a low above 0"),
        ("low = 1e-3", "low = nan", r"from nan to 0\.1(.|\n)*two numbers"),
        ("low = 1e-3", "low = true", r"two numbers"),
        ("low = 1e-3, ", "", r"from None to 0\.1(.|\n)*two numbers"),
        ("low = 1e-3", "lwo = 1e-3", r"no key 'lwo'\.\nDid you mean 'low'"),
        ("low = 1e-3, high = 1e-1, log = true", "low = -1.0, high = 1.0", "learning_rate is -1"),
        ("low = 2, high", "low = 2.5, high", r"hidden_size is 2\.5"),
        (RATE, "learning_rat = { low = 1, high = 2 }", r"no key 'learning_rat'\.\nDid you mean 'learning_rate'"),
        (RATE, "trails = 4", r"no key 'trails'\.\nDid you mean 'trials'"),
        (RATE, "learning_rate = 0.1", r"0\.1, not a range\.\nWrite { low"),
        (RATE, "schedule = { low = 1, high = 2 }", r"not a number\.\nName its values"),
        (RATE, "batch_size = { among = [] }", "two values or more"),
        (RATE, "batch_size = { among = [5, 5] }", "each once"),
        (RATE, "batch_size = { among = [5, -5] }", "batch_size is -5"),
        (RATE, "batch_size = { among = [[5], [6]] }", "Give a list of numbers"),
        (RATE, "batch_size = { among = [5, 6], low = 5 }", "no key 'low'"),
        (RATE, "steps = { low = 1, high = 5 }", r"steps is both given and searched"),
        (RATE, "options = { among = [1, 2] }", "options is 1"),
        ("steps = 5\n", "steps = 5\nhidden_sizes = [3]\n", "hidden_size is both given and searched"),
        ("hidden_size = { low = 2, high = 9, log = true }\n", "", r"'hidden_sizes' is missing"),
        ("trials = 3", "trials = 0", r"tasks\.digits\.search\.trials is 0"),
        ('cells = ["f"]', 'cells = ["ff"]', r"quick takes 'ff'(.|\n)*Did you mean 'f'"),
        ("trials = 2", "trials = 2, learning_rate = 0.1", "quick gives learning_rate"),
        (TEXT[TEXT.index("[tasks.digits.s") : TEXT.index("[quick]")], "hidden_sizes = [2]\n", "has no search"),
        (TEXT[TEXT.index("hidden_size =") : TEXT.index("[quick]")], "", "nothing is searched"),
        ("[quick]", "[[reference]]\ntask = 'digits'\nhidden_size = 3\nmeasure = 'accuracy'\nsource = 'x'\n"
         "values = { f = 1 }\n[quick]", "a reference speaks of digits, which is searched"),
    ],
)  # fmt: skip
def test_a_slip_in_a_search_is_named(old, new, words):
    with pytest.raises(OptionError, match=words):
        read_study(changed(old, new), "drawn.toml")


def test_steps_can_not_be_given_from_outside_where_they_are_searched():
    text = changed(RATE, "steps = { low = 1, high = 5 }").replace("steps = 5\n", "").replace(", steps = 4", "")
    assert len({run.settings.steps for run in plan_of(text).runs}) > 1
    with pytest.raises(OptionError, match="steps is searched in digits"):
        plan_of(text, steps=3)
