"""The training loop: replicas as if alone, stops, divergence, and the same bits after a resume."""

import csv

import pytest
import torch

from gatelab.errors import StoreError
from gatelab.nn.saving import load
from gatelab.tasks import digits, open_problem
from gatelab.tasks.streams import stream_seed
from gatelab.training.fit import fit
from gatelab.training.folder import CELL, CHECKPOINT, MODEL, RUN, read_run, read_weights
from gatelab.training.loop import Training
from gatelab.training.replicas import load_replicas, make_model
from gatelab.training.settings import make_settings

pytestmark = pytest.mark.usefixtures("every_step_is_watched")


def settings_for(task, cell="f", hidden_size=3, seeds=(0, 1, 2), steps=12, **options):
    return make_settings(task, cell, hidden_size, seeds, steps=steps, **options)


class Killed(Exception):
    """Stands for a kill at a moment that a test chooses."""


def killed_at(step):
    def watch(progress):
        if progress.step == step:
            raise Killed

    return watch


@pytest.mark.parametrize(
    ("task", "cell", "options"),
    [
        ("digits", "lstm", {}),
        ("digits", "fo", {"init": "zeros", "head_init": "truncated_normal"}),
        ("digits", "lstm", {"optimizer": "rmsprop", "clip": 0.5, "num_layers": 2}),
        ("digits", "f", {"optimizer": "sgd", "learning_rate": 1e-4}),
        ("parity", "lstm", {}),
        ("parity", "qrnn", {}),  # Its output is no state.
        ("parity", "fastrnn", {"learning_rate": 0.01}),
    ],
)
def test_a_replica_is_its_seed_alone(task, cell, options):
    check_seeds_alone(task, cell, **options)


def test_a_replica_is_its_seed_alone_on_texts_of_all_lengths(tmp_path):
    """Batches are as long as their longest text, those of several seeds as the longest of all."""
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        rows = [(k % 2, f"a {('dull', 'fine')[k % 2]} film" + " and so on" * (k * 7 % 60)) for k in range(100)]
        csv.writer(file).writerows([("label", "text"), *rows])
    given = {"csv": str(path), "vectors": "learned", "dimensions": 4}
    check_seeds_alone("sentiment", "lstm", hidden_size=20, batch_size=8, options=given)


def check_seeds_alone(task, cell, **options):
    together = fit(settings_for(task, cell, **options))
    for replica, seed in enumerate((0, 1, 2)):
        alone = fit(settings_for(task, cell, seeds=(seed,), **options))
        for name, weights in together.weights.items():
            assert torch.equal(weights[replica], alone.weights[name][0]), name
        assert together.run.results[replica] == alone.run.results[0]


def test_it_is_what_a_plain_loop_in_torch_gives():
    """Clipping included, which a norm over all replicas would get wrong."""
    settings = settings_for("digits", "lstm", seeds=(5, 7), clip=1.0)
    ours, problem = fit(settings), open_problem("digits", settings.options)
    for replica, seed in enumerate(settings.seeds):
        torch.manual_seed(stream_seed(seed, "weights"))
        model, course = make_model(settings, None), problem.course([seed], 100)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
        for _ in range(settings.steps):
            batch = course.batch()
            loss = torch.nn.functional.cross_entropy(model(batch.x[0]), batch.target[0], reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        for name, weights in model.state_dict().items():
            torch.testing.assert_close(ours.weights[name][replica], weights, rtol=2e-4, atol=2e-5)


def test_seeds_start_differently_and_each_the_same_again():
    first, again = Training(settings_for("digits")), Training(settings_for("digits", seeds=(2,)))
    weights, alone = first.kept["recurrent.W_f_l0"], again.kept["recurrent.W_f_l0"]
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[2], alone[0])


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(settings_for("parity", steps=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_training_learns():
    result = fit(settings_for("digits", "lstm", 20, seeds=(0,), steps=150)).run.results[0]
    assert result.curve[-1].loss < 0.6 * result.curve[0].loss
    assert result.scores["accuracy"] > 60


def test_each_replica_stops_at_its_own_goal(monkeypatch):
    """With a goal that seeds reach at different steps, each keeps the weights it has then."""
    monkeypatch.setattr(digits, "CHECK_EVERY", 5)
    monkeypatch.setattr(digits, "GOAL", 225.0)
    settings = settings_for("digits", "lstm", 6, seeds=(0, 1, 2, 3), steps=40)
    together = fit(settings)
    steps = [result.steps for result in together.run.results]
    assert len(set(steps)) > 1, "the seeds of this test must stop at different steps"
    for replica, result in enumerate(together.run.results):
        alone = fit(settings.model_copy(update={"seeds": (result.seed,)}))
        assert (result.end, result.steps) == (alone.run.results[0].end, alone.run.results[0].steps)
        assert result.curve[-1].step == result.steps
        for name, weights in together.weights.items():
            torch.testing.assert_close(weights[replica], alone.weights[name][0], rtol=1e-3, atol=1e-4)


def test_a_solved_replica_is_told_from_one_without_steps_left():
    found = fit(settings_for("parity", "fo", 3, seeds=(0, 1, 2, 3), steps=70)).run.results
    assert {result.end for result in found} == {"goal", "steps"}
    for result in found:
        assert (result.steps == 70) == (result.end == "steps")


def test_a_diverged_replica_does_not_touch_the_others():
    settings = settings_for("digits", "lstm", steps=8, clip=1.0)
    training, sound = Training(settings), fit(settings)
    with torch.no_grad():
        training.model.head.weight[1] = torch.nan
    while not training.over:
        training.step()
    results = training.results()
    assert [result.end for result in results] == ["steps", "diverged", "steps"]
    assert results[1].steps == 1
    assert results[1].scores == {"accuracy": None}
    assert results[1].curve[0].loss is None
    for name, weights in sound.weights.items():
        torch.testing.assert_close(training.kept[name][[0, 2]], weights[[0, 2]])


def test_weights_that_go_wrong_in_the_last_step_are_seen(monkeypatch):
    training = Training(settings_for("digits", "lstm", steps=1))
    learn = training.steady.learn

    def spoiled(batch):
        found = learn(batch)
        training.model.head.bias.grad[1] = torch.nan
        return found

    monkeypatch.setattr(training.steady, "learn", spoiled)
    training.step()
    assert [history.end for history in training.histories] == ["steps", "diverged", "steps"]


@pytest.mark.parametrize(
    ("task", "cell", "steps", "kill", "options"),
    [
        ("digits", "lstm", 30, 20, {"clip": 5.0}),
        ("digits", "f", 30, 10, {"optimizer": "rmsprop"}),
        ("digits", "f", 30, 10, {"optimizer": "sgd", "learning_rate": 1e-4}),
        # By step 80 one seed of these has solved it and left.
        ("parity", "fo", 100, 80, {"init": "zeros", "head_init": "truncated_normal"}),
    ],
)
def test_a_killed_run_ends_with_the_same_bits(tmp_path, task, cell, steps, kill, options):
    settings = settings_for(task, cell, steps=steps, **options)
    whole = fit(settings, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(settings, tmp_path / "cut", watch=killed_at(kill), checkpoint_seconds=0)
    assert (tmp_path / "cut" / CHECKPOINT).exists()
    assert not (tmp_path / "cut" / RUN).exists()
    resumed = fit(settings, tmp_path / "cut")
    assert resumed.run.results == whole.run.results
    assert all(torch.equal(tensor, whole.weights[name]) for name, tensor in resumed.weights.items())
    assert (tmp_path / "cut" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()
    assert not (tmp_path / "cut" / CHECKPOINT).exists()


def test_the_killed_parity_run_above_had_lost_a_replica(tmp_path):
    settings = settings_for("parity", "fo", steps=100, init="zeros", head_init="truncated_normal")
    training = Training(settings)
    for _ in range(80):
        training.step()
    assert 0 < len(training.learning) < 3


def test_a_kill_costs_only_the_steps_since_the_checkpoint(tmp_path):
    settings, seen = settings_for("digits", steps=40), []
    with pytest.raises(Killed):
        fit(settings, tmp_path / "run", watch=killed_at(30), checkpoint_seconds=0)
    fit(settings, tmp_path / "run", watch=lambda progress: seen.append(progress.step))
    assert seen == list(range(31, 41))


def test_a_finished_run_is_read_and_not_made_again(tmp_path):
    settings = settings_for("digits")
    first = fit(settings, tmp_path / "run")
    again = fit(settings, tmp_path / "run", watch=killed_at(10))
    assert again.run == first.run
    assert read_run(tmp_path / "run") == first.run
    assert {path.name for path in (tmp_path / "run").iterdir()} == {RUN, MODEL, CELL}


def test_a_trained_model_can_be_loaded_whole_and_by_seed(tmp_path):
    settings = settings_for("digits", "lstm", seeds=(4, 9))
    fit(settings, tmp_path / "run")
    whole, one = load_replicas(settings, read_weights(tmp_path / "run")), load(tmp_path / "run", seed=9)
    x = digits.images().test[:5].transpose(0, 1)
    torch.testing.assert_close(whole(x)[1], one(x))


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_with_another_run_is_refused(tmp_path, finished):
    watch = None if finished else killed_at(10)
    try:
        fit(settings_for("digits"), tmp_path / "run", watch=watch, checkpoint_seconds=0)
    except Killed:
        assert not finished
    with pytest.raises(StoreError, match="holds another run, digits-f-3"):
        fit(settings_for("digits", learning_rate=0.5), tmp_path / "run")


def test_an_unfinished_run_is_not_thrown_away_unasked(tmp_path):
    with pytest.raises(Killed):
        fit(settings_for("digits"), tmp_path / "run", watch=killed_at(10), checkpoint_seconds=0)
    with pytest.raises(StoreError, match="Go on with --resume, or delete"):
        fit(settings_for("digits"), tmp_path / "run", resume=False)


def test_a_folder_or_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match=r"file can't be a run's folder"):
        fit(settings_for("digits"), tmp_path / "file")
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match=r"which is not of a run\.\nChoose a new or empty folder"):
        fit(settings_for("digits"), tmp_path)


def test_a_broken_checkpoint_is_named_with_the_cure(tmp_path):
    settings = settings_for("digits")
    with pytest.raises(Killed):
        fit(settings, tmp_path / "run", watch=killed_at(10), checkpoint_seconds=0)
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match=rf"{CHECKPOINT} can't be read(.|\n)*delete"):
        fit(settings, tmp_path / "run")
