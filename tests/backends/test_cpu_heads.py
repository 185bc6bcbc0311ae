"""Heads and losses with kernels against those of torch, with all gradients, at awkward sizes."""

import math
import platform

import pytest
import torch

from gatelab.backends.cpu import standing_head
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.standing_head import Loss, StandingHead, suits
from gatelab.errors import ShapeError, TaskError
from gatelab.tasks.losses import (
    mean_binary_cross_entropy,
    mean_cross_entropy,
    mean_squared_error,
    summed_cross_entropy,
)

LOSSES = {
    mean_binary_cross_entropy: Loss("binary", "sequences"),
    mean_cross_entropy: Loss("classes", "sequences"),
    summed_cross_entropy: Loss("classes", None),
    mean_squared_error: Loss("squares", "answers"),
}
SIZES = [(1, 1, 1, 1), (2, 64, 3, 1), (3, 7, 5, 2), (2, 8, 16, 16), (1, 9, 33, 17), (4, 19, 70, 40), (2, 100, 30, 10)]
TOLERANCES = {torch.float32: 2e-5, torch.float64: 1e-13}
host = this_host()
HOSTS = {
    "widest": host,
    "avx2": Host(host.cpu, host.features, 256),
    "plain": Host(host.cpu, host.features, 128, fused=False),
}


def case(loss, size, dtype, scale=1.0):
    """What is read, weight, bias, and targets."""
    replicas, batch, hidden, outputs = size
    if loss is mean_binary_cross_entropy:
        outputs = 1
    generator = torch.Generator().manual_seed(sum(size))
    draw = lambda *shape: scale * torch.randn(*shape, dtype=dtype, generator=generator)  # noqa: E731
    values = draw(replicas, batch, hidden), draw(replicas, outputs, hidden), draw(replicas, outputs)
    if "cross" not in loss.__name__:
        return *values, draw(replicas, batch, outputs)
    classes = torch.randint(2 if outputs == 1 and "binary" in loss.__name__ else outputs, (replicas, batch))
    return *values, classes.to(dtype) if "binary" in loss.__name__ else classes


def by_torch(loss, read, weight, bias, target):
    """Answers, losses, and the gradients of what is read, of weight and of bias."""
    values = [value.clone().requires_grad_() for value in (read, weight, bias)]
    answers = torch.baddbmm(values[2].unsqueeze(-2), values[0], values[1].mT)
    losses = loss(answers, target)
    return [answers, losses, *torch.autograd.grad(losses.sum(), values)]


def by_kernels(loss, read, weight, bias, target):
    gradients = torch.empty_like(weight), torch.empty_like(bias)
    head = StandingHead(read, weight, bias, LOSSES[loss], gradients)
    return [*head.run(read, target), head.d_hidden, *gradients]


def assert_close(ours, theirs, dtype):
    for own, other in zip(ours, theirs, strict=True):
        assert own.shape == other.shape
        size = max(float(other.detach().abs().max()), 1e-3)
        torch.testing.assert_close(own, other.detach(), rtol=0, atol=TOLERANCES[dtype] * size)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_all_that_torch_gives(loss, size, dtype):
    given = case(loss, size, dtype)
    assert_close(by_kernels(loss, *given), by_torch(loss, *given), dtype)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="narrower vectors of Intel's family")
@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_with_narrower_vectors(name, loss, monkeypatch):
    monkeypatch.setattr(standing_head, "this_host", lambda: HOSTS[name])
    for dtype in TOLERANCES:
        given = case(loss, (2, 11, 13, 9), dtype)
        assert_close(by_kernels(loss, *given), by_torch(loss, *given), dtype)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_sure_answers_neither_overflow_nor_lose_their_loss(loss):
    given = case(loss, (2, 20, 8, 5), torch.float32, scale=30.0)
    theirs = by_torch(loss, *given)
    assert theirs[0].abs().max() > 1000
    assert_close(by_kernels(loss, *given), theirs, torch.float32)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_a_replica_has_the_bits_that_it_has_alone(loss):
    given = case(loss, (5, 65, 33, 6), torch.float32)
    together = by_kernels(loss, *given)
    for replica in range(5):
        alone = by_kernels(loss, *(value[replica : replica + 1] for value in given))
        for whole, own in zip(together, alone, strict=True):
            assert torch.equal(whole[replica], own[0])


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(standing_head, "WORTH_A_THREAD", 1)
    given, threads, found = case(mean_cross_entropy, (5, 65, 33, 6), torch.float32), torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(by_kernels(mean_cross_entropy, *given))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(map(torch.equal, found[0], others))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_nan_of_one_replica_is_seen_there_and_stays_there(loss):
    read, *others = case(loss, (3, 20, 8, 5), torch.float32)
    clean = by_kernels(loss, read, *others)
    read = read.clone()
    read[1, 3, 2] = math.nan
    for whole, own in zip(clean, by_kernels(loss, read, *others), strict=True):
        assert own[1].isnan().any()
        assert torch.equal(own[[0, 2]], whole[[0, 2]])


def test_other_inputs_and_targets_wherever_they_lie():
    read, weight, bias, target = case(mean_cross_entropy, (3, 20, 8, 5), torch.float32)
    head = StandingHead(read, weight, bias, LOSSES[mean_cross_entropy], None)
    other = read.flip(1)
    expected = by_torch(mean_cross_entropy, other, weight, bias, target.flip(1))[:2]
    wide = torch.zeros(3, 4, 20, dtype=torch.long)
    wide[:, 2] = target.flip(1)
    apart = torch.zeros(3, 40, dtype=torch.long)
    apart[:, ::2] = target.flip(1)
    for lying in (target.flip(1), wide[:, 2], apart[:, ::2]):
        assert_close(head.run(other, lying), expected, torch.float32)


@pytest.mark.parametrize("size", [(1, 1, 1, 1, 1), (3, 5, 9, 17, 4), (2, 12, 1, 3, 20), (1, 7, 16, 8, 1)], ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_an_answer_at_every_step(loss, size, dtype):
    """What is read lies as layers leave it, (T, R, B, H)."""
    replicas, steps, batch, hidden, outputs = size
    read, weight, bias, target = case(loss, (replicas, steps * batch, hidden, outputs), dtype)
    lying = read.view(replicas, steps, batch, hidden).transpose(0, 1).contiguous().transpose(0, 1)
    assert suits(lying, weight)
    ours = by_kernels(loss, lying, weight, bias, target.unflatten(1, (steps, batch)))
    theirs = by_torch(loss, read, weight, bias, target)
    assert ours[2].stride() == lying.stride() or 1 in size
    for place in (0, 2):  # Answers, and the gradient of what is read.
        ours[place] = ours[place].flatten(1, 2)
    assert_close(ours, theirs, dtype)


@pytest.mark.parametrize("wrong", [5, -1, 2**40])
def test_a_target_that_is_no_class_is_named(wrong):
    read, weight, bias, target = case(mean_cross_entropy, (3, 20, 8, 5), torch.float32)
    target[1, 3] = wrong
    head = StandingHead(read, weight, bias, LOSSES[mean_cross_entropy], None)
    with pytest.raises(TaskError, match=rf"targets {wrong}, where the answers have 5 classes\.\nCount from 0"):
        head.run(read, target)
    target[1, 3] = 0
    assert head.run(read, target)[1].isfinite().all()


def test_targets_of_another_shape_or_dtype():
    read, weight, bias, target = case(mean_cross_entropy, (3, 20, 8, 5), torch.float32)
    head = StandingHead(read, weight, bias, LOSSES[mean_cross_entropy], None)
    expected = head.run(read, target)[1].clone()
    assert torch.equal(head.run(read, target.to(torch.int32))[1], expected)
    for shape in ((3, 20, 1), (3, 19), (20,)):
        with pytest.raises(ShapeError, match=r"targets have shape .* where the answers have \(3, 20, 5\)\.\nGive"):
            head.run(read, torch.zeros(shape, dtype=torch.long))


def test_what_does_not_suit():
    read, weight, *_ = case(mean_cross_entropy, (2, 20, 8, 5), torch.float32)
    assert suits(read, weight)
    assert not suits(read.bfloat16(), weight)
    assert not suits(read.transpose(0, 1), weight)
    assert not suits(torch.empty(1, 1024, 256), torch.empty(1, 8, 256)), "torch is as fast there"
