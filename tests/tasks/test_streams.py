"""Random numbers that belong to a seed."""

import pytest
import torch

from gatelab.tasks.streams import AHEAD, Streams, stream_seed


def test_seeds_and_purposes_share_nothing():
    seeds = {stream_seed(seed, purpose) for seed in range(50) for purpose in ("weights", "batches", "bits")}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_stay_what_they_are():
    """A study's runs are named by their content, so the meaning of a seed must not change unseen."""
    assert stream_seed(0, "weights") == 3699729803252847382


def test_a_stream_does_not_depend_on_its_neighbours():
    many, one = (Streams(seeds, "batches", 1400, 100) for seeds in ([5, 6], [6]))
    assert torch.equal(many.draw()[1], one.draw()[0])


def test_drawing_ahead_gives_what_drawing_each_gives():
    streams, generator = Streams([5], "batches", 1400, 100), torch.Generator().manual_seed(stream_seed(5, "batches"))
    for _ in range(2 * AHEAD + 1):
        assert torch.equal(streams.draw()[0], torch.randint(1400, (100,), generator=generator))


@pytest.mark.parametrize("drawn", [0, 3, AHEAD, AHEAD + 3])
def test_restored_streams_go_on_and_may_be_fewer(drawn):
    streams = Streams([5, 6, 7], "batches", 1000, 50)
    for _ in range(drawn):
        streams.draw()
    streams.keep(torch.tensor([2, 0]))
    again = Streams([1, 2, 3], "batches", 1000, 50)
    again.restore(streams.state())
    for _ in range(AHEAD + 1):
        assert torch.equal(streams.draw(), again.draw())
