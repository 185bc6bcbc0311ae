"""MNIST as sequences, on images made up here and, where they are at hand, on the real ones."""

import pytest
import torch

from gatelab.data.images import Images
from gatelab.errors import OptionError
from gatelab.files import read_tensors, write_tensors
from gatelab.tasks import mnist, read_options
from gatelab.training import loop, replicas
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

REAL = tuple(f"mnist/{part}-{kind}" for part in ("train", "test") for kind in ("images", "labels"))


def made_up(train, test):
    """Images of which the class is the place of a bright row, on weak noise."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randint(0, 60, (train + test, 28, 28), generator=generator)
    labels = torch.randint(10, (train + test,), generator=generator)
    rows = torch.arange(28).view(1, 28, 1) == 2 * labels.view(-1, 1, 1) + 5
    found = torch.where(rows, 255, noise).to(torch.uint8)
    return Images(found[:train], labels[:train], found[train:], labels[train:])


@pytest.fixture
def data(monkeypatch):
    found = made_up(240, 100)
    monkeypatch.setattr(mnist, "images", lambda name: found)
    for module in (loop, replicas):  # Past the memory of opened tasks, which other tests fill with real images.
        monkeypatch.setattr(module, "open_problem", lambda name, options: opened(**options))
    return found


def opened(**options):
    return mnist.open_mnist(mnist.MnistOptions(**options))


def settings_for(seeds=(0, 1), **choices):
    usual = {"hidden_size": 4, "epochs": 2, "batch_size": 60, "options": {"validation": 0.25}}
    return make_settings("mnist", "rnn", seeds=seeds, **{**usual, **choices})


def test_a_row_is_a_step(data):
    batch = opened(validation=0).course([0, 1], 7).batch()
    assert batch.x.shape == (2, 28, 7, 28)
    assert batch.target.shape == (2, 7)
    for replica in (0, 1):
        for place in range(7):
            same = (data.train / 255 == batch.x[replica, :, place]).all((1, 2)).nonzero().flatten()
            assert data.train_labels[same].tolist() == [batch.target[replica, place]]


def test_a_point_is_a_step(data):
    rows, points, mixed = (opened(order=order).course([0], 5).batch().x[0] for order in ("rows", "pixels", "permuted"))
    assert points.shape == mixed.shape == (784, 5, 1)
    assert torch.equal(points.view(28, 28, 5).permute(0, 2, 1), rows)
    assert torch.equal(mixed, points[mnist.point_order()])


def test_the_order_of_points_is_one_for_all_and_stays_what_it_is():
    """Runs are named by their content, so the meaning of an option must not change unseen."""
    order = mnist.point_order()
    assert order.sort().values.tolist() == list(range(784))
    assert order[:4].tolist() == [585, 338, 540, 108]


def test_values(data):
    assert opened().course([0], 5).batch().x.max() == 1
    assert opened(scale=False).course([0], 5).batch().x.max() == 255


@pytest.mark.parametrize(("train", "validation", "learned"), [(None, 0.25, 180), (100, 0.1, 90), (100, 0, 100)])
def test_the_last_images_are_for_validation_and_never_learned_from(data, train, validation, learned):
    problem, asked = opened(train=train, validation=validation), []
    course = problem.course([0], learned)
    assert course.epoch == 1
    seen = (course.batch().x[0].transpose(0, 1) * 255).round().to(torch.uint8)
    assert {tuple(one.flatten().tolist()) for one in seen} == {
        tuple(one.flatten().tolist()) for one in data.train[:learned]
    }
    if validation:
        problem.validation.score(lambda x, lengths=None: asked.append(x) or torch.zeros(1, x.shape[-2], 10))
        assert torch.equal(asked[0].transpose(0, 1) * 255, data.train[learned : train or 240].float())
    else:
        assert problem.validation is None


def test_scores_and_baseline_by_hand(data):
    problem = opened()

    def says(digit):
        return lambda x, lengths=None: torch.eye(10)[digit].expand(1, x.shape[-2], 10)

    common = int(data.train_labels.mode().values)
    for digit in range(10):
        share = 100 * (data.test_labels == digit).float().mean().item()
        assert problem.test(says(digit))["accuracy"].item() == pytest.approx(share)
        if digit == common:
            assert problem.baselines["most frequent class"]["accuracy"] == pytest.approx(share)
    logits, labels = problem.classes.answers(says(3))
    assert logits.shape == (1, 100, 10)
    assert torch.equal(labels, data.test_labels)


def test_more_images_than_there_are(data):
    with pytest.raises(OptionError, match=r"train is 241, and there are 240 training images\.\nTake"):
        opened(train=241)


@pytest.mark.parametrize("options", [{"order": "columns"}, {"dataset": "emnist"}, {"validation": 0.9}, {"train": 0}])
def test_bad_options_are_named(options):
    (name,) = options
    with pytest.raises(OptionError, match=f"An option of the task mnist: {name} is"):
        read_options(mnist.MNIST, options)


def test_a_replica_is_its_seed_alone(data):
    together = fit(settings_for())
    for replica, seed in enumerate((0, 1)):
        alone = fit(settings_for((seed,)))
        for name, weights in together.weights.items():
            assert torch.equal(weights[replica], alone.weights[name][0]), name


def test_a_restored_training_ends_with_the_same_bits(data, tmp_path):
    training = Training(settings_for())
    for _ in range(4):
        training.step()
    part = training.checkpoint(0.0)
    write_tensors(tmp_path / "checkpoint", part.tensors, part.facts)
    again = Training.restore(settings_for(), read_tensors(tmp_path / "checkpoint"))
    for one in (training, again):
        while not one.over:
            one.step()
    assert training.results() == again.results()
    assert all(torch.equal(tensor, again.kept[name]) for name, tensor in training.kept.items())


def test_it_is_learned(data):
    settings = settings_for(hidden_size=16, epochs=20, batch_size=30, learning_rate=0.01, options={"validation": 0})
    for result in fit(settings).run.results:
        assert result.scores["accuracy"] > 60


def test_fashion_has_names_of_its_own(data):
    assert opened(dataset="fashion-mnist").classes.names[-1] == "Ankle boot"


@pytest.mark.slow
def test_real_digits_are_learned(needs_data):
    needs_data(*REAL)
    settings = make_settings("mnist", "lstm", 32, options={"train": 6000}, epochs=6, learning_rate=0.005)
    assert fit(settings).run.results[0].scores["accuracy"] > 88
