"""A study that is killed again and again ends with the table and the bits of the one left alone."""

import random
import signal
import subprocess
import sys
import time

import pytest

from gatelab.files import read_tensors
from gatelab.nn.saving import MODEL

STUDY = """
name = "small"
cells = ["f", "lstm"]
seeds = 3
[tasks.parity]
hidden_sizes = [1]
steps = 2500
[tasks.digits]
hidden_sizes = [6]
steps = 2500
dropout = 0.2
num_layers = 2
recurrent_dropout = 0.1
weight_decay = 1e-4
schedule = "cosine"
options = { validation = 0.2 }
[tasks.text]
task = "language-model"
hidden_sizes = [8]
epochs = 40
batch_size = 4
output_dropout = 0.1
options = { text = "TEXT", length = 10, size = 4 }
"""
KILLS = 20
SCRIPT = """
import sys
from functools import partial
from pathlib import Path
import torch
from gatelab.cli.main import main
from gatelab.studies import workers
torch.set_num_threads(1)
workers.fit = partial(workers.fit, checkpoint_seconds=0.05)
main(["study", sys.argv[1], "--out", sys.argv[2], "--workers", "1", "--quiet"])
"""


def begin(study, out):
    command = [sys.executable, "-c", SCRIPT, str(study), str(out)]
    with errors_of(out).open("w") as errors:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)


def errors_of(out):
    return out.with_suffix(".errors")


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("what was once said is said again, and once more; " * 40)
    study = tmp_path / "small.toml"
    study.write_text(STUDY.replace("TEXT", str(text)))
    alone = begin(study, tmp_path / "alone")
    began = time.monotonic()
    assert alone.wait() == 0, errors_of(tmp_path / "alone").read_text()
    whole = time.monotonic() - began
    chance, killed = random.Random(0), 0
    for _ in range(20 * KILLS):
        process = begin(study, tmp_path / "killed")
        try:
            # From within the loading of torch to the whole of a study.
            process.wait(chance.uniform(1, 2 + whole / 4))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            if killed < KILLS:
                continue
            process = begin(study, tmp_path / "killed")
        assert process.wait() == 0, errors_of(tmp_path / "killed").read_text()
        if killed >= KILLS:
            break
        # It came to its end too early: take a run away, to be made again under further kills.
        for run in list((tmp_path / "killed" / "small" / "runs").iterdir())[: chance.randint(1, 3)]:
            (run / "run.json").unlink()
    assert killed == KILLS
    ours, others = tmp_path / "killed" / "small", tmp_path / "alone" / "small"
    for name in ("tables.txt", "study.json"):
        assert (ours / name).read_text() == (others / name).read_text()
    for run in (others / "runs").iterdir():
        weights = read_tensors(ours / "runs" / run.name / MODEL).tensors
        for name, tensor in read_tensors(run / MODEL).tensors.items():
            assert weights[name].equal(tensor), f"{run.name}: {name}"
