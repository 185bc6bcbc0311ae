"""What every task must keep to; a new task is tested by its row in TASKS."""

import csv
import json

import pytest
import torch
from learners import Knowing

from gatelab.data.fetch import is_at_hand
from gatelab.errors import OptionError, TaskError
from gatelab.files import read_tensors, write_tensors
from gatelab.nn.inputs import Features, Tokens
from gatelab.nn.models import SequenceModel
from gatelab.tasks import TASKS, find_task, open_problem, read_options
from gatelab.tasks.base import STEPS, Model
from gatelab.training.settings import check_choice

BATCH = 10
NEEDS = {
    "mnist": tuple(f"mnist/{part}-{kind}" for part in ("train", "test") for kind in ("images", "labels")),
    "language-model": ("tiny-shakespeare",),
    "series": ("ett/ETTh1",),
    "series-classes": ("japanese-vowels/train", "japanese-vowels/test"),
}
"""The sources that a task's usual options need."""


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """A file of short reviews, since reading all of IMDB takes 20 seconds."""
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    with path.open("w", newline="") as file:
        rows = [(("bad", "good")[k % 2], f"a {('dull', 'fine')[k % 2]} film" + " and so" * k) for k in range(60)]
        csv.writer(file).writerows([("label", "text"), *rows])
    return path


@pytest.fixture(scope="module", params=TASKS.values(), ids=list(TASKS))
def task(request):
    return request.param


@pytest.fixture(scope="module")
def problem(task, reviews):
    options = {"sentiment": {"csv": str(reviews), "vectors": "learned", "dimensions": 4}}
    missing = [name for name in NEEDS.get(task.name, ()) if not is_at_hand(name)]
    if missing:
        pytest.skip(f"no data at hand for {', '.join(missing)}; set GATELAB_DATA")
    return open_problem(task.name, options.get(task.name, {}))


def model_for(problem, replicas):
    torch.manual_seed(1)
    return SequenceModel("f", problem.inputs, 3, problem.output_size, reads=problem.reads, replicas=replicas).eval()


def test_curves_name_what_weights_are_chosen_by(task, problem):
    assert problem.validation is None or problem.validation.name == task.validated({})


def test_shapes(problem):
    batch, model = problem.course([3, 1], BATCH).batch(), model_for(problem, 2)
    replicas, steps, size = batch.x.shape[:3]
    assert (replicas, size) == (2, BATCH)
    assert steps > 0
    if isinstance(problem.inputs, Features):
        assert batch.x.shape[3:] == (problem.inputs.size,)
    else:
        assert isinstance(problem.inputs, Tokens)
        assert batch.x.ndim == 3
        assert 0 <= batch.x.min() <= batch.x.max() < problem.inputs.count
    answers = model(batch.x, batch.lengths)
    asked = (2, size) if problem.reads == "last" else (2, steps, size)
    assert answers.shape == (*asked, problem.output_size)
    assert batch.target.shape in (asked, answers.shape)
    for number in (problem.loss(answers, batch.target), problem.score(answers, batch.target)):
        assert number.shape == (2,)
        assert torch.isfinite(number).all()


def test_a_replica_sees_what_its_seed_sees_alone(problem):
    together, alone = problem.course([3, 1, 4], BATCH), problem.course([1], BATCH)
    for _ in range(3):
        many, one = together.batch(), alone.batch()
        if many.lengths is None:
            assert torch.equal(many.x[1], one.x[0])
        else:  # Padded to the longest of all replicas.
            steps = one.x.shape[1]
            assert torch.equal(many.x[1, :steps], one.x[0])
            assert torch.equal(many.lengths[1], one.lengths[0])
            assert int(many.lengths[1].max()) <= steps
        assert torch.equal(many.target[1], one.target[0])
    assert not torch.equal(many.x[0], many.x[1])


def test_the_others_go_on_unchanged_when_one_leaves(problem):
    left, whole = problem.course([3, 1, 4], BATCH), problem.course([3, 1, 4], BATCH)
    left.batch(), whole.batch()
    left.keep(torch.tensor([0, 2]))
    ours, theirs = left.batch(), whole.batch()
    steps = ours.x.shape[1]
    assert torch.equal(ours.x, theirs.x[[0, 2], :steps])
    assert torch.equal(ours.target, theirs.target[[0, 2]])


def test_a_restored_course_goes_on_with_the_same_bits(problem, tmp_path):
    course, model = problem.course([3, 1], BATCH), Knowing(model_for(problem, 2), problem.loss)
    for step in range(1, 4):
        course.finished(step, course.batch(), model)
    write_tensors(tmp_path / "course", course.state(), {})
    again = problem.course([8, 9], BATCH)
    again.restore(read_tensors(tmp_path / "course").tensors)
    first, second = course.batch(), again.batch()
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.target, second.target)
    assert first.goes_on == second.goes_on
    assert course.finished(4, first, model) == again.finished(4, second, model)
    assert course.stage() == again.stage()


def test_the_test_gives_every_measure_and_is_the_same_for_all(task, problem):
    with torch.no_grad():
        scores = problem.test(model_for(problem, 2))
    units = {measure.name: measure.unit for measure in task.measures if measure.name != STEPS}
    assert set(units) <= set(scores)
    for name, score in scores.items():
        assert score.shape == (2,)
        assert torch.isfinite(score).all()
        if units.get(name) == "%":
            assert ((score >= 0) & (score <= 100)).all()


def test_validation_gives_one_number_a_replica(problem):
    if problem.validation is None:
        pytest.skip("the task has no validation data with these options")
    with torch.no_grad():
        found = problem.validation.score(model_for(problem, 2))
    assert found.shape == (2,)
    assert torch.isfinite(found).all()


def test_a_classifiers_report_has_an_answer_for_every_sequence(problem):
    if problem.classes is None:
        pytest.skip("the task is no classification")
    with torch.no_grad():
        answers, classes = problem.classes.answers(model_for(problem, 2))
    assert answers.shape == (2, len(classes), len(problem.classes.names))
    assert 0 <= classes.min() <= classes.max() < len(problem.classes.names)


def test_what_a_file_of_the_model_keeps_is_json(problem):
    text = json.dumps(problem.keeps, allow_nan=False)
    assert json.dumps(json.loads(text)) == text


def test_the_usual_settings_are_settings(task):
    for name, value in task.usual.items():
        check_choice(name, value)
    assert {"hidden_size", "batch_size"} <= task.usual.keys()
    assert {"steps", "epochs"} & task.usual.keys()


def test_a_problem_is_opened_once():
    assert open_problem("parity", {"curriculum": False}) is open_problem("parity", {"curriculum": False})
    assert open_problem("parity", {"curriculum": False}) is not open_problem("parity", {"curriculum": True})


def test_an_unknown_task_offers_the_nearest():
    with pytest.raises(TaskError, match="Did you mean 'digits'"):
        find_task("digit")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"curiculum": True}, r"option of the task parity: There is no key 'curiculum'.\nDid you mean 'curriculum'"),
        ({"curriculum": "often"}, r"option of the task parity: curriculum is 'often'"),
    ],
    ids=["name", "value"],
)
def test_an_option_that_cannot_be_is_one_clear_error(options, words):
    with pytest.raises(OptionError, match=words):
        read_options(find_task("parity"), options)


def test_a_sequence_model_is_a_model():
    model: Model = SequenceModel("f", 1, 2, 1)
    answers, _ = model.run(torch.zeros(3, 4, 1))
    assert torch.equal(answers, model(torch.zeros(3, 4, 1)))
