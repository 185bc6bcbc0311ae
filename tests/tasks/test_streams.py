"""Random numbers that belong to a seed."""

import torch

from gatelab.tasks.streams import Streams, stream_seed


def test_seeds_and_purposes_share_nothing():
    seeds = {stream_seed(seed, purpose) for seed in range(50) for purpose in ("weights", "batches", "bits")}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_stay_what_they_are():
    """A study's runs are named by their content, so the meaning of a seed must not change unseen."""
    assert stream_seed(0, "weights") == 3699729803252847382


def test_a_stream_does_not_depend_on_its_neighbours():
    many, one = Streams([5, 6], "batches"), Streams([6], "batches")
    assert torch.equal(many.integers(1400, (100,))[1], one.integers(1400, (100,))[0])


def test_restored_streams_go_on_and_may_be_fewer():
    streams = Streams([5, 6, 7], "batches")
    streams.integers(9, (3,))
    streams.keep(torch.tensor([2, 0]))
    again = Streams([1, 2, 3], "batches")
    again.restore(streams.state())
    assert torch.equal(streams.integers(1000, (50,)), again.integers(1000, (50,)))
