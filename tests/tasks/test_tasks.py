"""What every task must keep to; a new task is tested by its row in TASKS."""

import pytest
import torch

from gatelab.errors import TaskError
from gatelab.nn.heads import SequenceClassifier
from gatelab.tasks import TASKS, find_task
from gatelab.tasks.base import STEPS

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def model_for(task, replicas):
    torch.manual_seed(1)
    return SequenceClassifier("f", task.input_size, 3, task.output_size, replicas=replicas)


@every_task
def test_shapes(task):
    batch, model = task.course([3, 1]).batch(), model_for(task, 2)
    replicas, steps, size, features = batch.x.shape
    assert (replicas, features) == (2, task.input_size)
    assert steps > 0
    assert batch.target.shape == (2, size)
    logits = model(batch.x, batch.lengths)
    for number in (task.loss(logits, batch.target), task.accuracy(logits, batch.target)):
        assert number.shape == (2,)
        assert torch.isfinite(number).all()


@every_task
def test_a_replica_sees_what_its_seed_sees_alone(task):
    together, alone = task.course([3, 1, 4]), task.course([1])
    for _ in range(3):
        many, one = together.batch(), alone.batch()
        assert torch.equal(many.x[1], one.x[0])
        assert torch.equal(many.target[1], one.target[0])
    assert not torch.equal(many.x[0], many.x[1])


@every_task
def test_the_others_go_on_unchanged_when_one_leaves(task):
    left, whole = task.course([3, 1, 4]), task.course([3, 1, 4])
    left.batch(), whole.batch()
    left.keep(torch.tensor([0, 2]))
    assert torch.equal(left.batch().x, whole.batch().x[[0, 2]])


@every_task
def test_a_restored_course_goes_on_with_the_same_bits(task):
    course, model = task.course([3, 1]), model_for(task, 2)
    for step in range(1, 4):
        course.finished(step, course.batch(), model)
    again = task.course([8])
    again.restore({name: tensor.clone() for name, tensor in course.state().items()})
    first, second = course.batch(), again.batch()
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.target, second.target)
    assert torch.equal(course.finished(4, first, model), again.finished(4, second, model))
    assert course.stage() == again.stage()


@every_task
def test_the_test_gives_every_measure_and_is_the_same_for_all(task):
    with torch.no_grad():
        scores = task.test(model_for(task, 2))
    assert set(scores) == {measure.name for measure in task.measures} - {STEPS}
    for score in scores.values():
        assert score.shape == (2,)
        assert ((score >= 0) & (score <= 100)).all()


def test_an_unknown_task_offers_the_nearest():
    with pytest.raises(TaskError, match="Did you mean 'digits'"):
        find_task("digit")
