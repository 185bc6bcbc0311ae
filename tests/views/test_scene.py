"""Scenes: their values are the layer's, their answers the model's, and every task has examples for one."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import WORDS, token_examples, token_model

from gatelab.errors import OptionError, ShapeError, StoreError
from gatelab.language.catalogue import NAMES
from gatelab.language.lookup import find_cell
from gatelab.nn.models import SequenceModel
from gatelab.tasks import TASKS, find_task, open_problem, read_options
from gatelab.training.fit import fit
from gatelab.training.folder import read_run
from gatelab.training.settings import make_settings
from gatelab.views.examples import Examples, in_turn, spread, visible
from gatelab.views.run_scenes import best_seed, scene_of_run
from gatelab.views.scene import make_scene, typeset
from gatelab.views.task_examples import EXAMPLES


def by_key(side):
    return {watched.key: watched for watched in side.watched}


# What is inside.


def test_values_are_those_of_the_layer_and_end_where_sequences_end():
    model, examples = token_model("lstm"), token_examples()
    (side,) = make_scene(model, examples).sides
    output, _ = model.recurrent(model.embedding(examples.x), None, examples.lengths)
    found = by_key(side)
    assert list(found) == ["i", "f", "z", "c", "o", "h"]
    for place, end in enumerate(examples.ends):
        assert found["h"].values[place] == pytest.approx(output[:end, place].detach().numpy(), abs=1e-6)
        made = found["o"].values[place] * np.tanh(found["c"].values[place])
        assert made == pytest.approx(found["h"].values[place], abs=1e-6)
    assert [watched.key for watched in side.watched if watched.is_gate] == ["i", "f", "o"]


def test_layers_and_directions_have_keys_of_their_own():
    model = token_model("f", num_layers=2, bidirectional=True)
    found = by_key(make_scene(model, token_examples()).sides[0])
    assert {"f_l0", "f_l0_reverse", "f_l1", "c_l1_reverse"} < found.keys()
    assert {found[key].name for key in ("f_l0", "f_l1_reverse")} == {"f"}
    assert found["f_l1_reverse"].is_gate


def test_where_room_is_short_the_units_that_vary_most_are_kept_of_all_names():
    model, examples = token_model("lstm"), token_examples()
    with torch.no_grad():  # All that units 1 and 4 compute stays the same.
        for name, parameter in model.recurrent.named_parameters():
            if name.startswith(("W", "R")):
                parameter[[1, 4]] = 0
        model.recurrent.b_i_l0[[1, 4]] = -30.0
    whole, tight = (make_scene(model, examples, room=room).sides[0] for room in (10**6, 4 * 6 * sum(examples.ends)))
    assert {watched.units for watched in tight.watched} == {(0, 2, 3, 5)}
    assert {watched.width for watched in tight.watched} == {6}
    for few, every in zip(tight.watched, whole.watched, strict=True):
        assert np.array_equal(few.values[1], every.values[1][:, [0, 2, 3, 5]])
    assert {len(watched.units) for watched in make_scene(model, examples, room=1).sides[0].watched} == {1}


# What is said.


@pytest.mark.parametrize("bidirectional", [False, True])
def test_after_its_last_step_a_text_is_answered_as_by_the_model_itself(bidirectional):
    model, examples = token_model("lstm", bidirectional=bidirectional), token_examples()
    (side,) = make_scene(model, examples).sides
    logits = model(examples.x, examples.lengths).detach().squeeze(-1)
    for place, second in enumerate(logits.sigmoid().tolist()):
        said = dict(side.says[place][-1])
        assert said["<good>"] == pytest.approx(second, abs=1e-5)
        assert said["bad"] == pytest.approx(1 - second, abs=1e-5)
        assert side.traced[place][-1] == pytest.approx(said[["bad", "<good>"][examples.target[place]]])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_after_any_step_it_is_answered_as_if_it_ended_there(bidirectional):
    model, examples = token_model("gru", output_size=3, bidirectional=bidirectional), token_examples()
    examples = replace(examples, answers=("a", "b", "c"))
    says = make_scene(model, examples).sides[0].says[2]
    assert len(says) == 9
    for step in (0, 4, 8):
        shares = model(examples.x[: step + 1, 2:3]).softmax(-1)[0].tolist()
        assert dict(says[step]) == pytest.approx(dict(zip("abc", shares, strict=True)), abs=1e-5)
        assert list(says[step]) == sorted(says[step], key=lambda one: -one[1])


def test_where_no_class_is_known_one_is_drawn_and_named():
    scene = make_scene(token_model("f"), replace(token_examples(), target=None))
    assert scene.traced == "<good>"
    assert scene.examples[0].targets == ()
    assert scene.sides[0].traced[1][3] == pytest.approx(dict(scene.sides[0].says[1][3])["<good>"])


def test_numbers_are_said_as_they_are_and_their_goal_beside_them():
    torch.manual_seed(0)
    x, model = torch.rand(5, 2, 1), SequenceModel("f", 1, 3, 2).eval()
    labels = (tuple("abcde"),) * 2
    target = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    examples = Examples(x, "values", labels, target, ("low", "high"), are_classes=False, traced=1)
    scene = make_scene(model, examples)
    answer = model(x)[0].tolist()
    assert [name for name, _ in scene.sides[0].says[0][-1]] == ["low", "high"]
    assert [number for _, number in scene.sides[0].says[0][-1]] == pytest.approx(answer)
    assert scene.sides[0].traced[0][-1] == pytest.approx(answer[1])
    assert [own.targets for own in scene.examples] == [("2",), ("4",)]
    assert scene.examples[1].wanted.tolist() == [4.0]
    assert scene.examples[1].inputs == pytest.approx(x[:, 1].numpy())


def test_targets_of_every_step_end_with_the_sequence():
    examples = replace(token_examples(), target=torch.arange(36).view(12, 3) % 2)
    shown = make_scene(token_model("f", reads="every"), examples).examples
    assert [len(own.targets) for own in shown] == [12, 7, 9]
    assert shown[1].targets[:2] == ("<good>", "bad")


# What can't be shown.


def test_models_in_training_or_with_replicas_are_refused():
    with pytest.raises(OptionError, match="has replicas or is in training"):
        make_scene(token_model("f").train(), token_examples())
    with pytest.raises(OptionError, match="has replicas or is in training"):
        make_scene(token_model("f", replicas=2), token_examples())
    with pytest.raises(OptionError, match="no model"):
        make_scene({}, token_examples())


def test_labels_must_fit_the_steps():
    with pytest.raises(ShapeError, match=r"labels for \[2\] steps"):
        Examples(torch.zeros(3, 1, 1), "values", (("a", "b"),), None, ("next",))


# Equations.


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_of_the_catalogue_is_typeset(name):
    cell = find_cell(name)
    for line, row in zip(cell.lines, typeset(cell), strict=True):
        assert (row.name, row.text) == (line.name, str(line))
        found = ElementTree.fromstring(row.mathml)
        text = "".join(found.itertext())
        assert "\\" not in text and "=" in text
        assert not any("merror" in element.tag for element in found.iter())


# Examples.


def test_classes_come_in_turn():
    classes = torch.tensor([2, 2, 0, 2, 0, 1])
    assert in_turn(classes, 4).tolist() == [2, 5, 0, 4]
    assert in_turn(classes, 99).tolist() == [2, 5, 0, 4, 1, 3]
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(2, 4).tolist() == [0, 1]
    assert visible("a b\n") == "a␣b⏎"


def test_every_task_has_examples():
    assert EXAMPLES.keys() == TASKS.keys()


@pytest.fixture
def files(tmp_path):
    """Options of the tasks that read files, for files made here."""
    (tmp_path / "up.csv").write_text("\n".join(["level", *(str(step % 7 + step / 50) for step in range(200))]))
    (tmp_path / "text.txt").write_text("to be or not to be\n" * 60)
    rows = [f"{'good fine' if row % 2 else 'bad dull'} film {row},{'yes' if row % 2 else 'no'}" for row in range(40)]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *rows]))
    texts = {"csv": str(tmp_path / "texts.csv"), "vectors": "learned"}
    return {
        "series": {"data": str(tmp_path / "up.csv"), "past": 9, "ahead": 2},
        "quantiles": {"data": str(tmp_path / "up.csv"), "past": 9, "ahead": 2, "quantiles": [0.1, 0.5, 0.9]},
        "language-model": {"text": str(tmp_path / "text.txt"), "length": 12},
        "sentiment": texts,
        "padded": {**texts, "padding": "front", "length": 6},
    }


KINDS = {
    "adding": "values", "copying": "tokens", "digits": "rows", "language-model": "tokens", "mnist": "rows",
    "parity": "tokens", "sentiment": "tokens", "series": "values", "series-classes": "values", "sine": "values",
    "temporal-order": "tokens",
}  # fmt: skip
NEEDED = {"mnist": ("mnist/test-images",), "series-classes": ("japanese-vowels/train",)}
CASES = [*((task, task) for task in TASKS), ("series", "quantiles"), ("sentiment", "padded")]


@pytest.mark.parametrize(("task", "case"), CASES)
def test_examples_of_a_task_fit_its_models(task, case, files, needs_data):
    needs_data(*NEEDED.get(task, ()))
    options, problem = files.get(case, {}), open_problem(task, files.get(case, {}))
    examples = EXAMPLES[task](read_options(find_task(task), options), problem.keeps, 3)
    model = SequenceModel("f", problem.inputs, 3, problem.output_size, reads=problem.reads).eval()
    scene = make_scene(model, examples)
    assert scene.kind == KINDS[task]
    assert len(scene.examples) == 3
    for shown, says in zip(scene.examples, scene.sides[0].says, strict=True):
        assert len(shown.labels) == len(says)
        assert len(shown.targets) == (len(says) if problem.reads == "every" else 1)
        assert {name for name, _ in says[0]} <= set(examples.answers)
        assert (shown.wanted is None) == examples.are_classes
    answers = model(examples.x, examples.lengths)
    if examples.are_classes:
        assert len(examples.answers) == max(2, problem.output_size)
        target = examples.target.float() if problem.output_size == 1 else examples.target
        assert problem.loss(answers.unsqueeze(0), target.unsqueeze(0)).isfinite().all()
    else:
        assert len(examples.answers) == problem.output_size
        assert examples.target.shape == answers.shape
    assert scene.unit == examples.unit == ("in deviations, from the last value read" if task == "series" else "")


@pytest.mark.parametrize(("columns", "numbers", "dots"), [("abc", 3, 0), ("abcd", 3, 1)])
def test_numbers_that_a_label_leaves_out_are_dots(columns, numbers, dots, tmp_path):
    rows = [",".join([str(step)] * len(columns)) for step in range(100)]
    (tmp_path / "up.csv").write_text("\n".join([",".join(columns), *rows]))
    options = {"data": str(tmp_path / "up.csv"), "past": 9, "ahead": 2}
    examples = EXAMPLES["series"](read_options(find_task("series"), options), {}, 1)
    parts = examples.labels[0][0].split(", ")
    assert [part == "…" for part in parts] == [False] * numbers + [True] * dots


def test_words_and_their_numbers_belong_together(files):
    problem = open_problem("sentiment", files["sentiment"])
    examples = EXAMPLES["sentiment"](read_options(find_task("sentiment"), files["sentiment"]), problem.keeps, 4)
    words = problem.keeps["reading"]["vocabulary"]
    for place, own in enumerate(examples.labels):
        assert [words[number] for number in examples.x[: len(own), place].tolist()] == list(own)
        assert ("good" in own) == (examples.answers[int(examples.target[place])] == "yes")


# Runs.


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    fit(make_settings("digits", "f", 4, (5, 7, 8), steps=30), folder)
    return folder


def test_a_run_is_shown_by_its_best_seed_with_all_that_made_it(run_folder):
    run = read_run(run_folder)
    scores = {result.seed: result.scores["accuracy"] for result in run.results}
    assert scores[best_seed(run)] == max(scores.values())
    scene = scene_of_run(run_folder, count=10)
    assert [own.targets for own in scene.examples] == [(digit,) for digit in "0123456789"]
    facts = dict(scene.foot[0].rows)
    assert facts["seed shown"] == f"{best_seed(run)}, one of 3"
    assert facts["to make it again"] == "gatelab train --from one --out again"
    assert facts["run"] == run.settings.identity
    assert facts["equations"] == run.settings.equations
    assert facts.keys() > set(type(run.settings).model_fields)
    assert {f"version of {name}" for name in ("gatelab", "torch", "python")} < facts.keys()
    assert str(run_folder.parent) not in str(scene.foot)


def test_of_equal_seeds_the_quickest_is_the_best_and_a_diverged_one_the_last(run_folder):
    run = read_run(run_folder)
    one = run.results[0]
    equal = [replace(one, seed=1, steps=20), replace(one, seed=2, steps=10), replace(one, seed=3, steps=10)]
    assert best_seed(replace(run, results=tuple(equal))) == 2
    lost = replace(one, seed=9, end="diverged", scores={"accuracy": None}, steps=1)
    assert best_seed(replace(run, results=(lost, *equal))) == 2
    assert best_seed(replace(run, results=(lost,))) == 9


def test_runs_of_one_problem_are_compared_and_others_are_not(run_folder, tmp_path):
    fit(make_settings("digits", "f", 3, (0,), steps=2), tmp_path / "two")
    fit(make_settings("digits", "f", 3, (0,), steps=2, options={"validation": 0.1}), tmp_path / "three")
    scene = scene_of_run(run_folder, tmp_path / "two")
    assert [side.title for side in scene.sides] == ["f 4", "f 3"]
    assert len(scene.foot) == 3
    with pytest.raises(OptionError, match="or their options differ"):
        scene_of_run(run_folder, tmp_path / "three")
    with pytest.raises(OptionError, match="no seed 6"):
        scene_of_run(run_folder, seed=6)
    with pytest.raises(StoreError, match="holds no finished run"):
        scene_of_run(Path(tmp_path / "nowhere"))


def test_the_words_of_these_tests_are_all_read():
    assert {word for own in token_examples((40, 40)).labels for word in own} == set(WORDS)
