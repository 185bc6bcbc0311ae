"""How a run is computed: any backend gives the same run but for rounding, and the record says which it was."""

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.studies import workers
from gatelab.studies.plan import make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import read_study
from gatelab.studies.store import Store
from gatelab.training.fit import fit
from gatelab.training.folder import read_run
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

pytestmark = pytest.mark.usefixtures("every_step_is_watched")

STUDY = """
name = "small"
cells = ["f", "lstm"]
seeds = 2
[tasks.digits]
hidden_sizes = [2]
steps = 5
"""


def settings():
    return make_settings("digits", "lstm", 3, (0, 1), steps=12, options={"validation": 0.1}, validate_every=4)


class Killed(Exception):
    """Stands for a kill."""


def kill(progress):
    raise Killed


@pytest.fixture
def used(monkeypatch):
    """The backends that layers are run on, while the test lasts."""
    seen = set()
    own = Training._load

    def load(training, weights):
        model = own(training, weights)
        seen.add(model.recurrent.backend)
        return model

    monkeypatch.setattr(Training, "_load", load)
    return seen


def test_all_backends_come_to_the_same_but_for_rounding(used):
    one, other = (fit(settings(), backend=name) for name in ("cpu", "eager"))
    assert used == {"cpu", "eager"}
    for name, weights in one.weights.items():
        torch.testing.assert_close(weights, other.weights[name], rtol=1e-3, atol=1e-4)
    for ours, theirs in zip(one.run.results, other.run.results, strict=True):
        assert [point.loss for point in ours.curve] == pytest.approx([point.loss for point in theirs.curve], rel=1e-3)


def test_the_record_says_which_and_the_run_is_the_same(tmp_path):
    made = fit(settings(), tmp_path / "run", backend="eager").run
    assert made.versions["backend"] == "eager"
    assert fit(settings(), tmp_path / "run", backend="cpu").run == made == read_run(tmp_path / "run")
    assert fit(settings()).run.versions["backend"] == "auto"


def test_a_stopped_run_may_go_on_with_another(tmp_path):
    with pytest.raises(Killed):
        fit(settings(), tmp_path / "run", watch=kill, checkpoint_seconds=0, backend="eager")
    resumed, whole = fit(settings(), tmp_path / "run", backend="cpu"), fit(settings(), backend="cpu")
    assert resumed.run.versions["backend"] == "cpu"
    for name, weights in resumed.weights.items():
        torch.testing.assert_close(weights, whole.weights[name], rtol=1e-3, atol=1e-4)


def test_a_run_resumed_on_one_backend_has_the_bits_of_the_run_left_alone(tmp_path):
    with pytest.raises(Killed):
        fit(settings(), tmp_path / "run", watch=kill, checkpoint_seconds=0, backend="eager")
    resumed, whole = fit(settings(), tmp_path / "run", backend="eager"), fit(settings(), backend="eager")
    assert resumed.run.results == whole.run.results
    assert all(torch.equal(weights, whole.weights[name]) for name, weights in resumed.weights.items())


def test_what_a_backend_can_not_do_is_said():
    with pytest.raises(
        OptionError, match=r"backend='torch' can't do this: torch has no replicas\.\nTake backend='auto'"
    ):
        fit(settings(), backend="torch")


def test_a_study_hands_it_on_to_its_runs(tmp_path):
    plan, store = make_plan(read_study(STUDY, "small.toml"), tmp_path), Store(tmp_path)
    runs = run_study(plan, store, backend="eager")
    assert [run.versions["backend"] for run in runs.values()] == ["eager"] * 2
    assert run_study(plan, store, backend="cpu") == runs, "they are finished, so none is made again"


def test_a_worker_takes_what_is_usual_unless_told_otherwise(tmp_path):
    (first, _) = make_plan(read_study(STUDY, "small.toml"), tmp_path).runs
    (made,) = workers.make_runs([workers.Job(first, tmp_path / "run")], 1, lambda planned, progress: None)
    assert made.run.versions["backend"] == "auto"
