"""What is counted for which measure."""

from pathlib import Path

import pytest

from gatelab.studies.outcome import make_outcome
from gatelab.studies.plan import make_plan
from gatelab.studies.spec import read_study
from gatelab.training.record import Run, SeedResult
from gatelab.training.replicas import count_parameters

TEXT = """
name = "small"
cells = ["f"]
seeds = 4
[tasks.digits]
hidden_sizes = [2]
notes = ["One image is 0.25 points."]
[tasks.parity]
hidden_sizes = [1]
[[reference]]
task = "parity"
hidden_size = 1
measure = "steps"
source = "somewhere"
values = { f = 67 }
"""


@pytest.fixture
def groups():
    plan = make_plan(read_study(TEXT, "small.toml"), Path())
    ends = ("goal", "steps", "diverged", "goal")

    def run_of(settings, scores):
        results = tuple(
            SeedResult(
                seed,
                end,
                100 * (seed + 1),
                dict.fromkeys(scores) if end == "diverged" else dict.fromkeys(scores, 90.0 + seed),
                (),
            )
            for seed, end in enumerate(ends)
        )
        return Run(settings, results, 1.0, {}, count_parameters(settings))

    scores = {"digits": ["accuracy"], "parity": ["accuracy at 16", "accuracy at 100"]}
    runs = {run.settings.identity: run_of(run.settings, scores[run.settings.task]) for run in plan.runs}
    outcome = make_outcome(plan, runs)
    assert outcome.notes == {"digits": ("One image is 0.25 points.",), "parity": ()}
    assert outcome.sources == {"digits": (), "parity": ("somewhere",)}
    return {group.part: group for group in outcome.groups}


def test_a_score_is_over_all_seeds_but_those_that_diverged(groups):
    found = groups["digits"].findings["accuracy"]
    assert found.values == {0: 90.0, 1: 91.0, 3: 93.0}
    assert (found.summary.best, found.summary.median, found.reported) == (93.0, 91.0, None)


def test_a_measure_of_the_solved_is_over_those_only(groups):
    found = groups["parity"].findings
    assert found["accuracy at 100"].values == {0: 90.0, 3: 93.0}
    assert found["steps"].values == {0: 100.0, 3: 400.0}
    assert (found["steps"].summary.best, found["steps"].reported) == (100.0, 67.0)


def test_a_diverged_seed_counts_as_one_that_did_not_reach_the_goal(groups):
    for group in groups.values():
        assert (group.reached.count, group.reached.of, group.seeds) == (2, 4, 4)
        assert group.diverged == (2,)


def test_the_parameters_are_those_of_one_model(groups):
    # f with I = 1, H = 1: two matrices on x, two on h, two biases; a head of one weight and one bias.
    assert groups["parity"].parameters == 2 + 2 + 2 + 2
