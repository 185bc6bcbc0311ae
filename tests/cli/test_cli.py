"""The command line: what it prints, what it leaves on disk, and how it ends."""

import json
import signal
import subprocess
import sys
import time

import pytest

from gatelab import __version__
from gatelab.cli.main import COMMANDS
from gatelab.language.lookup import cells

STUDY = """
name = "small"
cells = ["f", "mine.cell"]
seeds = 2
[tasks.digits]
hidden_sizes = [2]
steps = 8
[tasks.parity]
hidden_sizes = [1]
steps = 8
[quick]
seeds = 1
tasks.parity.steps = 4
"""
CELL = "h = tanh(W @ x + R @ h + b)"


@pytest.fixture
def gatelab(command, tmp_path, monkeypatch):
    """Runs a command in an empty folder; its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def study(tmp_path):
    (tmp_path / "small.toml").write_text(STUDY)
    (tmp_path / "mine.cell").write_text(CELL)
    return "small.toml"


# Names and help.


def test_the_version(gatelab):
    assert gatelab("--version") == (0, f"gatelab {__version__}\n", "")


def test_help_lists_every_command(gatelab):
    code, out, _ = gatelab("--help")
    assert code == 0
    for name, command in COMMANDS.items():
        assert f"  {name}  " in out
        assert command.about.split(";")[0][:40] in out


SHOWN_OTHERWISE = ("open",)
"""Commands that print no table."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(gatelab, name):
    code, out, _ = gatelab(name, "--help")
    assert code == 0
    assert COMMANDS[name].about.split(",")[0] in out
    assert ("--json" in out) == (name not in SHOWN_OTHERWISE)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Usage"),
        (["trian"], "Did you mean 'train'"),
        (["cells", "lstn"], "Did you mean 'lstm'"),
        (["cells", "lstm", "--hidden", "0"], "--hidden"),
        (["cells", "lstm", "--width", "P"], "P=32"),
        (["train"], "task"),
        (["train", "digit"], "Did you mean 'digits'"),
        (["train", "digits", "--cell", "lstn"], "Did you mean 'lstm'"),
        (["train", "digits", "--cell", "none.cell"], "can't be read"),
        (["train", "digits", "--steps", "many"], "--steps"),
        (["train", "digits", "--lr", "-1"], "learning_rate is -1"),
        (["train", "digits", "--init", "zeroes"], "zeros"),
        (["train", "digits", "--optimizer", "adan"], "Did you mean 'adam'"),
        (["train", "digits", "--seed", "1", "--seeds", "2"], "one of the two"),
        (["train", "digits", "--cell", "ran", "--hiden", "3"], "--hiden"),
        (["study", "gates"], "gates-2018"),
        (["study", "gates-2018", "--seeds", "0"], "--seeds"),
        (["study", "gates-2018", "--workers", "0"], "--workers"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(gatelab, words, says, tmp_path):
    code, out, err = gatelab(*words)
    assert code == 2
    assert says in out + err
    assert "Traceback" not in out + err
    assert not list(tmp_path.rglob("*.json"))


def test_equations_that_are_none_end_with_1(gatelab, tmp_path):
    (tmp_path / "bad.cell").write_text("h = tahn(W @ x)")
    for words in (["cells", "bad.cell"], ["train", "digits", "--cell", "bad.cell"]):
        code, out, err = gatelab(*words)
        assert (code, out) == (1, "")
        assert err.startswith("Error: bad.cell: line 1")
        assert "^" in err


# cells


def test_cells_lists_the_catalogue(gatelab):
    code, out, _ = gatelab("cells")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if line[:1].islower()][1:] == list(cells())
    listed = json.loads(gatelab("cells", "--json")[1])
    assert [line["name"] for line in listed] == list(cells())


def test_cells_shows_one(gatelab):
    code, out, _ = gatelab("cells", "peephole", "--input", "4", "--hidden", "5")
    assert code == 0
    count = 4 * (5 * 4 + 5 * 5 + 5) + 3 * 5
    for words in ("i = sigmoid(W_i @ x + R_i @ h + p_i * c + b_i)", r"\begin{aligned}", "h, c", f"{count:,}", "Gers"):
        assert words in out
    page = json.loads(gatelab("cells", "peephole", "--input", "4", "--hidden", "5", "--json")[1])
    assert (page["parameter_count"], page["parameters"]["W_i"]) == (count, [5, 4])
    assert gatelab("cells", "peephole", "--latex")[1] == page["latex"] + "\n"


def test_cells_shows_one_of_a_file(gatelab, tmp_path):
    (tmp_path / "mine.cell").write_text(CELL)
    code, out, _ = gatelab("cells", "mine.cell")
    assert code == 0
    assert CELL in out


def test_a_short_command_loads_nothing_heavy(tmp_path):
    code = (
        "import sys; from gatelab.cli.main import main\n"
        "try: main(['cells', 'f'])\n"
        "except SystemExit: pass\n"
        "print({'scipy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.splitlines()[-1] == "set()"


# train


def test_train_leaves_a_run_and_shows_it_again(gatelab, tmp_path):
    words = ["train", "digits", "--cell", "f", "--hidden", "3", "--steps", "5", "--seeds", "2"]
    code, out, err = gatelab(*words)
    assert (code, err) == (0, "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"Written to runs/{folder.name}" in out
    assert {path.name for path in folder.iterdir()} == {"run.json", "model.safetensors", "cell.txt"}
    _, again, _ = gatelab(*words)
    assert f"Made before, in runs/{folder.name}" in again
    assert out.splitlines()[:8] == again.splitlines()[:8]


def test_train_takes_a_file_of_equations_and_a_runs_own(gatelab, tmp_path):
    (tmp_path / "my.cell").write_text(CELL)
    common = ["--hidden", "3", "--steps", "5", "--json"]
    first = json.loads(gatelab("train", "digits", "--cell", "my.cell", "--out", "a", *common)[1])
    again = json.loads(gatelab("train", "digits", "--cell", "a/cell.txt", "--out", "b", *common)[1])
    assert first["settings"]["cell"] == "my"
    assert again["results"] == first["results"]


def test_train_passes_its_options_on(gatelab):
    words = "train parity --cell lstm_projected --width P=2 --hidden 3 --layers 2 --seed 3 --steps 2 --lr 0.5".split()
    words += "--optimizer sgd --clip 2 --init orthogonal --head-init truncated_normal --json".split()
    settings = json.loads(gatelab(*words)[1])["settings"]
    expected = {
        "task": "parity", "cell": "lstm_projected", "widths": {"P": 2}, "hidden_size": 3, "num_layers": 2,
        "seeds": [3], "steps": 2, "learning_rate": 0.5, "optimizer": "sgd", "clip": 2.0, "init": "orthogonal",
        "head_init": "truncated_normal",
    }  # fmt: skip
    assert {key: settings[key] for key in expected} == expected


def test_a_folder_of_another_run_ends_with_1(gatelab):
    gatelab("train", "digits", "--steps", "2", "--out", "run")
    code, _, err = gatelab("train", "digits", "--steps", "3", "--out", "run")
    assert code == 1
    assert "holds another run" in err


def test_a_broken_run_ends_with_1_and_the_cure(gatelab, tmp_path):
    gatelab("train", "digits", "--steps", "2", "--out", "run")
    (tmp_path / "run" / "run.json").write_text("{")
    code, _, err = gatelab("train", "digits", "--steps", "2", "--out", "run")
    assert code == 1
    assert "Delete the folder run" in err


def test_a_run_is_repeated_from_its_folder_alone(gatelab, tmp_path):
    words = "train digits --cell mine.cell --hidden 3 --seeds 2 --steps 6 --batch 10 --set output_dropout=0.2".split()
    (tmp_path / "mine.cell").write_text(CELL)
    code, _, err = gatelab(*words, "-o", "validation=0.1", "--set", "validate_every=2", "--out", "first")
    assert (code, err) == (0, "")
    (tmp_path / "mine.cell").unlink()
    code, _, err = gatelab("train", "--from", "first", "--out", "second")
    assert (code, err) == (0, "")
    one, two = (tmp_path / name for name in ("first", "second"))
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    assert (one / "cell.txt").read_bytes() == (two / "cell.txt").read_bytes()
    records = [json.loads((folder / "run.json").read_text()) for folder in (one, two)]
    for record in records:
        record.pop("seconds")
    assert records[0] == records[1]
    assert gatelab("train", "--from", "first")[0] == 0
    assert (tmp_path / "runs" / next((tmp_path / "runs").iterdir()).name / "run.json").exists()


def test_from_needs_a_finished_run_and_no_task(gatelab, tmp_path):
    code, _, err = gatelab("train", "--from", "nowhere")
    assert code == 1
    assert "holds no finished run" in err
    for words in (["--lr", "0.5"], ["--set", "tied=true"], ["-o", "validation=0.1"], ["--seed", "0"]):
        code, _, err = gatelab("train", "--from", "nowhere", *words)
        assert code == 2
        assert "--from takes all settings from the run" in err
    code, _, err = gatelab("train", "digits", "--from", "nowhere")
    assert code == 2
    assert "Give a task, or a run's folder with --from" in err


def test_train_takes_any_setting_and_options_of_the_task(gatelab):
    words = "train digits --cell f --hidden 3 --epochs 2 --steps 2 --batch 7 --json -o validation=0.2".split()
    for pair in ("zoneout.h=0.1", "schedule=linear", "optimizer=sgd", "optimizer_options.momentum=0.9", "tied=false"):
        words += ["--set", pair]
    settings = json.loads(gatelab(*words)[1])["settings"]
    expected = {
        "options": {"validation": 0.2, "split": 0}, "epochs": 2, "steps": 2, "batch_size": 7, "zoneout": {"h": 0.1},
        "schedule": "linear", "optimizer": "sgd", "optimizer_options": {"momentum": 0.9}, "tied": False,
    }  # fmt: skip
    assert {key: settings[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "output_dropuot=0.5"], "Did you mean 'output_dropout'"),
        (["--set", "dropout=2"], "dropout is 2"),
        (["--set", "dropout"], "Write it as --set dropout=0.5"),
        (["--set", "schedule=cosin"], "Did you mean 'cosine'"),
        (["--set", "optimizer_options=3"], "optimizer_options is 3"),
        (["--set", "task=parity"], "There is no setting 'task'"),
        (["--set", "options=3"], "options is 3"),
        (["-o", "validaton=0.1"], "Did you mean 'validation'"),
        (["-o", "validation=0.9"], "validation is 0.9"),
        (["-o", "=0.1"], "Write it as -o"),
        (["--batch", "0"], "--batch"),
        (["--epochs", "0"], "--epochs"),
    ],
    ids=" ".join,
)
def test_a_slip_in_a_setting_ends_with_2_and_the_nearest(gatelab, words, says, tmp_path):
    code, out, err = gatelab("train", "digits", "--steps", "2", *words)
    assert code == 2
    assert says in out + err
    assert not list(tmp_path.iterdir())


# study


def test_study_writes_tables_numbers_and_figures_and_goes_on_at_once(gatelab, study, tmp_path):
    code, out, err = gatelab("study", study, "--workers", "1")
    assert (code, err) == (0, "")
    folder = tmp_path / "runs" / "small"
    files = {path.name for path in folder.iterdir()}
    kinds = (".png", ".svg", ".html", "-curves.png", "-curves.svg")
    each = {f"{part}{kind}" for part in ("digits", "parity") for kind in kinds}
    assert files == {"runs", "tables.txt", "study.json", *each}
    assert len(list((folder / "runs").iterdir())) == 4
    assert (folder / "tables.txt").read_text().strip() in out
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("run.json")}
    assert gatelab("study", study)[1] == out, "with as many workers as there are cores, and nothing to do"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("run.json")} == before


def test_study_quick_says_what_is_less(gatelab, study, tmp_path):
    code, out, _ = gatelab("study", study, "--quick", "--workers", "1", "--out", "elsewhere", "--no-page")
    assert code == 0
    assert "1 seed instead of 2" in out
    assert "at most 4 steps instead of 8" in out
    assert (tmp_path / "elsewhere" / "small-quick" / "tables.txt").exists()


def test_study_makes_only_the_parts_that_are_asked_for(gatelab, study, tmp_path):
    code, out, _ = gatelab("study", study, "--part", "digits", "--workers", "1")
    assert code == 0
    assert "small: digits" in out
    assert "small: parity" not in out
    assert len(list((tmp_path / "runs" / "small" / "runs").iterdir())) == 2
    code, _, err = gatelab("study", study, "--part", "digit")
    assert code == 2
    assert "It has: digits, parity" in err


def test_verdicts_are_in_the_table_and_in_the_json(gatelab, study, tmp_path):
    _, out, _ = gatelab("study", study, "--workers", "1")
    found = json.loads((tmp_path / "runs" / "small" / "study.json").read_text())
    assert [compared["part"] for compared in found["compared"]] == ["digits", "parity"]
    said = " ".join(out.split())
    for compared in found["compared"]:
        assert compared["verdicts"]
        for verdict in compared["verdicts"]:
            assert " ".join(verdict.split()) in said


def test_study_as_json_is_what_it_writes(gatelab, study, tmp_path):
    _, out, _ = gatelab("study", study, "--seeds", "1", "--steps", "3", "--workers", "1", "--json")
    found = json.loads(out)
    assert [group["length"] for group in found["groups"]] == ["3 steps"] * 4
    assert json.loads((tmp_path / "runs" / "small" / "study.json").read_text()) == found


def test_status_trains_nothing(gatelab, study, tmp_path):
    code, out, _ = gatelab("study", study, "--status")
    assert code == 0
    assert "4 missing" in out
    assert not (tmp_path / "runs").exists()
    rows = json.loads(gatelab("study", study, "--status", "--json")[1])
    assert [row["stands"] for row in rows] == ["missing"] * 4


def test_a_study_of_ones_own_texts_ends_with_their_classes(gatelab, tmp_path):
    rows = [f"{'fine' if k % 2 else 'dull'} film {k},{'good' if k % 2 else 'bad'}" for k in range(60)]
    (tmp_path / "own.csv").write_text("\n".join(["review,mood", *rows]))
    options = [word for pair in ("csv=own.csv", "text=review", "label=mood") for word in ("-o", pair)]
    words = ["study", "sentiment-csv", *options, "--seeds", "1", "--steps", "2", "--workers", "1", "--no-page"]
    code, out, _ = gatelab(*words, "--report")
    assert code == 0
    for words_in_it in ("csv = own.csv", "precision, %", "macro average", "Answers", "Expected calibration error"):
        assert words_in_it in out
    assert gatelab(*words, "--report", "--json")[0] == 2
    code, _, err = gatelab(*words, "-o", "colour=red")
    assert (code, err.splitlines()[0]) == (2, "Error: No task of these parts has an option 'colour'.")


def test_a_study_of_a_series_of_ones_own_stands_beside_naive_forecasts(gatelab, tmp_path):
    rows = [f"{k},{(k * 7) % 12}" for k in range(240)]
    (tmp_path / "sensor.csv").write_text("\n".join(["hour,load", *rows]))
    options = [word for pair in ("data=sensor.csv", "target=load", "past=12", "ahead=3") for word in ("-o", pair)]
    words = ["study", "series-csv", *options, "--seeds", "1", "--steps", "2", "--workers", "1", "--no-page"]
    code, out, _ = gatelab(*words, "--report")
    assert code == 0
    for words_in_it in ("sensor.csv", "MSE", "MAE", "seasonal naive", "lstm", "gru"):
        assert words_in_it in out


def test_a_run_that_fails_ends_with_1_after_the_others(gatelab, study, tmp_path):
    words = ["study", study, "--seeds", "1", "--steps", "2", "--workers", "1"]
    gatelab(*words)
    spoiled, *_ = (tmp_path / "runs" / "small" / "runs").glob("digits-f-*")
    for path in spoiled.iterdir():
        path.rename(path.with_suffix(".mine"))
    code, out, err = gatelab(*words)
    assert (code, out) == (1, "")
    assert err.startswith("Error: 1 run failed; what is finished is stored.\ndigits f 2: ")


@pytest.mark.slow
def test_a_run_killed_by_the_system_resumes_to_the_same_bits(gatelab, tmp_path):
    """A real process and a real SIGKILL, in the middle of training."""
    code = "import gatelab.training.fit as f; f.fit.__kwdefaults__['checkpoint_seconds'] = 0.0\n"
    words = ["train", "digits", "--cell", "f", "--hidden", "4", "--steps", "600", "--seeds", "2"]
    code += f"from gatelab.cli.main import main; main({[*words, '--out', 'cut']})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    while not (tmp_path / "cut" / "checkpoint.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut" / "run.json").exists()
    code, _, err = gatelab(*words, "--out", "cut")
    assert code == 1
    assert "Go on with --resume" in err
    assert gatelab(*words, "--out", "cut", "--resume")[0] == 0
    assert gatelab(*words, "--out", "whole")[0] == 0
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("cut", "whole"))
    assert one == two
