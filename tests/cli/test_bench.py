"""`gatelab bench`: its tables, its JSON, and its errors."""

import json
from functools import partial

import pytest

from gatelab.bench.report import MORE


@pytest.fixture
def bench(command):
    """Runs the command; its exit code, output and error output."""
    return partial(command, "bench")


QUICK = ("--seconds", "0", "--threads", "1", "--no-peers")
OWN = ["nn.LSTM", "gl.nn", "lstm", "lstm eager", "f", "f eager"]


def test_the_json_has_everything(bench):
    words = ("--sizes", "2x3x4x5,3x2x4x5", "--cells", "gru,f", "--more", "streaming", "--backend", "eager", "--json")
    code, out, err = bench(*QUICK, *words)
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert set(report) == {"machine", "peak", "conditions", "steps", "cells", "more", "summary", "seconds"}
    assert set(report["machine"]) == {
        *("system", "processor", "llvm_name", "vector_bits", "features", "cores", "load", "threads", "keras_backend"),
        "versions",
    }
    assert report["machine"]["versions"]["torch"]
    assert set(report["peak"]) == {"one", "all", "threads", "chains"}
    assert report["conditions"] == {"backend": "eager", "threads": 1, "seconds": 0.0}
    assert [(step["size"]["name"], step["loss"]) for step in report["steps"]] == [
        (size, loss) for size in ("2x3x4x5", "3x2x4x5") for loss in ("all", "last")
    ]
    for step in report["steps"]:
        assert [timing["name"] for timing in step["timings"]] == OWN
        for timing in step["timings"]:
            assert set(timing) == {"name", "median", "low", "high", "count", "first", "why_not"}
            assert timing["count"] >= 3 and 0 < timing["low"] <= timing["median"] <= timing["high"]
        names = [ratio["name"] for ratio in step["ratios"]]
        assert names == ["nn.LSTM / lstm", "jax f / f", "lstm eager / lstm", "f eager / f"]
        keys = {"name", "at", "value", "unit", "loss", "at_least", "at_most", "holds", "why_not"}
        assert all(set(ratio) == keys and ratio["loss"] == step["loss"] for ratio in step["ratios"])
        assert {rate["name"] for rate in step["rates"]} == {"lstm", "f"}
        assert all(0 < rate["share"] == rate["gflops"] / step["peak"] for rate in step["rates"])
    assert [(row["cell"], row["at"], row["loss"]) for row in report["cells"]] == [
        (cell, size, loss) for size in ("2x3x4x5", "3x2x4x5") for loss in ("all", "last") for cell in ("gru", "f")
    ]
    for row in report["cells"]:
        assert set(row) == {"cell", "at", "loss", "timings", "work", "ratios"}
        assert [set(each) for each in row["work"]] == 2 * [{"multiply_adds", "in_loop", "kept"}]
    assert set(report["more"]) == {"streaming"}
    # Of sizes of one's own nothing is asked, only of a single step.
    assert set(report["summary"]) == {"hold", "fail", "open"}
    assert report["summary"]["hold"] + len(report["summary"]["fail"]) == 2 and report["summary"]["open"] == []


def test_the_tables_fit_and_mark_what_does_not_hold(bench):
    code, out, _ = bench(*QUICK, "--sizes", "parity", "--backend", "eager")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    assert "64, 8, 1, 3  parity" in out
    # Eager is not five times as fast as itself.
    assert "! " in out and "(5)" in out
    assert "2 could not be measured" in out, "jax was to be left out"
    assert "The floors were set with the loss on the last output" in out


def test_one_loss_alone(bench):
    code, out, _ = bench(*QUICK, "--sizes", "2x3x4x5", "--backend", "eager", "--loss", "last")
    assert code == 0
    assert "A training step, loss on the last output" in out and "A training step, loss on all" not in out


def test_cells_have_sizes_of_their_own(bench):
    words = ("--sizes", "none", "--cells", "sru,multiplicative_lstm", "--cells-at", "2x3x4x5,4001x10x1x10")
    code, out, _ = bench(*QUICK, *words, "--backend", "eager", "--loss", "all")
    assert code == 0
    assert "Cells beside lstm at 4001x10x1x10, loss on all outputs" in out and "A training step" not in out
    assert max(map(len, out.splitlines())) <= 100


def test_sizes_of_which_nothing_is_asked(bench):
    code, out, _ = bench(*QUICK, "--sizes", "2x3x4x5", "--backend", "eager")
    assert code == 0
    assert "Nothing is asked of these." in out


def test_nothing_but_the_further_tables(bench):
    code, out, _ = bench(*QUICK, "--sizes", "none", "--more", "streaming", "--backend", "eager")
    assert code == 0
    assert "layer.step" in out and "parity" not in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sizes", "digit"], "Did you mean 'digits'"),
        (["--sizes", "parity,imdb_glove"], "Did you mean 'imdb-glove'"),
        (["--sizes", "1x2"], "32x10x8x16"),
        (["--cells", "lstn"], "Did you mean 'lstm'"),
        (["--loss", "lst"], "Did you mean 'last'"),
        (["--more", "memry"], "Did you mean 'memory'"),
        (["--backend", "cpuu", "--sizes", "none"], "Did you mean 'cpu'"),
        (["--threads", "100000"], "cores"),
        (["--threads", "0"], "--threads"),
    ],
    ids=" ".join,
)
def test_wrong_words(bench, words, says):
    code, out, err = bench(*words)
    assert (code, out) == (2, "")
    assert says in err


def test_help(bench):
    code, out, _ = bench("--help")
    assert code == 0
    words = " ".join(out.replace("|", " ").replace("│", " ").split())
    for name in (*MORE, "--sizes", "--cells", "--cells-at", "--loss", "--no-peers", "--seconds", "--threads"):
        assert name in words
