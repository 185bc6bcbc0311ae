"""Runs in several processes: the same results, and nothing lost or made twice, whoever fails or is killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from gatelab.errors import GatelabError
from gatelab.studies import workers
from gatelab.studies.plan import make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import read_study
from gatelab.studies.store import Store
from gatelab.training.folder import CELL, LOCK, MODEL, RUN, claim

TEXT = """
name = "small"
cells = ["f", "lstm", "o"]
seeds = 2
[tasks.parity]
hidden_sizes = [1]
steps = {steps}
"""


def plan_of(steps):
    return make_plan(read_study(TEXT.format(steps=steps), "small.toml"), Path())


def results(runs):
    return {identity: run.results for identity, run in runs.items()}


def children(process):
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_workers_are_as_many_as_the_cores_allow(monkeypatch):
    monkeypatch.setattr(workers, "cpu_count", lambda: 6)
    assert [workers.workers_for(threads) for threads in (1, 2, 4, 8)] == [6, 3, 1, 1]


def test_several_workers_give_the_bits_of_one(tmp_path):
    plan, one, two = plan_of(60), Store(tmp_path / "one"), Store(tmp_path / "two")
    seen = []
    several = run_study(plan, two, lambda done, planned, progress: seen.append((planned.label, progress)), workers=2)
    assert results(several) == results(run_study(plan, one))
    for planned in plan.runs:
        places = [store.place(planned.settings) for store in (one, two)]
        assert {path.name for path in places[1].iterdir()} == {RUN, MODEL, CELL}
        assert len({(place / MODEL).read_bytes() for place in places}) == 1
    for label in {label for label, _ in seen}:
        own = [progress for name, progress in seen if name == label]
        assert own[0] is None
        assert own[1].steps == 60


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_that_fails_does_not_keep_the_others(tmp_path, count):
    plan, store = plan_of(20), Store(tmp_path)
    spoiled = store.place(plan.runs[1].settings)
    spoiled.mkdir(parents=True)
    (spoiled / "thesis.tex").write_text("mine")
    with pytest.raises(GatelabError, match=r"(?s)1 run failed.*parity lstm 1: .*thesis\.tex.*run the same command"):
        run_study(plan, store, workers=count)
    assert [state.stands for state in store.states(plan)] == ["finished", "missing", "finished"]


def test_what_no_one_expects_is_named_with_its_run(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "fit", lambda settings, folder, **options: 1 / 0)
    with pytest.raises(GatelabError, match=r"(?s)3 runs failed.*parity o 1: ZeroDivisionError: division by zero"):
        run_study(plan_of(20), Store(tmp_path))


def test_what_another_process_makes_is_left_to_it_and_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("gatelab.studies.run.BUSY_SECONDS", 0.01)
    plan, store, begun = plan_of(20), Store(tmp_path), []
    busy = store.place(plan.runs[1].settings)
    busy.mkdir(parents=True)
    with ExitStack() as elsewhere:
        elsewhere.enter_context(claim(busy))

        def watch(done, planned, progress):
            if progress is None:
                begun.append(planned.label)
                if begun.count("lstm") == 3:
                    elsewhere.close()

        runs = run_study(plan, store, watch)
    assert begun == ["lstm", "f", "o", "lstm", "lstm"]
    assert len(runs) == 3
    assert not (busy / LOCK).exists()


def test_a_killed_worker_is_one_error_and_costs_nothing_that_is_kept(tmp_path):
    plan, store = plan_of(600), Store(tmp_path / "cut")
    killed = []

    def kill(done, planned, progress):
        if progress is not None and not killed:
            killed.extend(child for child in children(os.getpid()) if "loky.backend.popen" in command_of(child))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(GatelabError, match=r"(?s)A worker was killed.*it goes on from the checkpoints"):
        run_study(plan, store, kill, workers=2)
    assert len(killed) == 2
    assert not any(map(is_alive, killed))
    assert results(run_study(plan, store)) == results(run_study(plan, Store(tmp_path / "whole")))


def command_of(process):
    return Path(f"/proc/{process}/cmdline").read_text()


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    (tmp_path / "small.toml").write_text(TEXT.format(steps=50_000))
    words = ["study", "small.toml", "--workers", "2", "--quiet"]
    code = f"from gatelab.cli.main import main; main({words})"
    elsewhere = os.environ | {"TMPDIR": str(tmp_path)}  # What the killed parent leaves.
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=elsewhere)
    while len(list(tmp_path.rglob(LOCK))) < 2:
        assert parent.poll() is None
        time.sleep(0.05)
    own = children(parent.pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while any(map(is_alive, own)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for lock in tmp_path.rglob(LOCK):
        with claim(lock.parent):  # Free again.
            assert not (lock.parent / RUN).exists()
