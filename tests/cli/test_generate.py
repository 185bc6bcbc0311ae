"""`gatelab generate`: a text from the file of a model alone."""

import json
import shutil

import pytest

from gatelab.cli.generate import read_prompt, spaced
from gatelab.cli.main import main
from gatelab.data.vocabulary import UNKNOWN, Vocabulary
from gatelab.errors import OptionError
from gatelab.nn.saving import MODEL
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings

LINES = "the cat sat on the mat\nthe dog ate the cat\n"


def make_run(folder, units, text=LINES * 30, seeds=(3, 5), steps=2):
    (folder / "own.txt").write_text(text)
    options = {"text": str(folder / "own.txt"), "units": units, "length": 20, "size": 8}
    settings = make_settings(
        "language-model", "lstm", 16, seeds, options=options, steps=steps, batch_size=4, learning_rate=0.02
    )
    fit(settings, folder / "run")
    (folder / "own.txt").unlink()
    return folder / "run"


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    """A run of two seeds whose text is gone."""
    return make_run(tmp_path_factory.mktemp("characters"), "characters")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("words"), "words")


@pytest.fixture
def gatelab(capfd):
    """Runs `gatelab generate`; its exit code, output and error output."""

    def run(*words):
        with pytest.raises(SystemExit) as end:
            main(["generate", *map(str, words)])
        out, err = capfd.readouterr()
        return end.value.code or 0, out, err

    return run


def test_a_text_follows_the_prompt(gatelab, characters):
    code, out, err = gatelab(characters, "--prompt", "the cat", "--length", 40)
    assert (code, err) == (0, "")
    assert out.startswith("the cat")
    assert out.endswith("\n")
    assert len(out) == len("the cat") + 40 + 1
    assert set(out) <= set(LINES)


def test_a_random_seed_has_a_largest_value(gatelab, characters):
    assert gatelab(characters, "--length", 3, "--random-seed", 2**64 - 1)[0] == 0
    code, _, err = gatelab(characters, "--length", 3, "--random-seed", 2**64)
    assert code == 2 and "--random-seed" in err


def test_the_file_of_the_model_is_enough(gatelab, characters, tmp_path):
    shutil.copy(characters / MODEL, tmp_path / "alone.safetensors")
    assert gatelab(tmp_path / "alone.safetensors", "--length", 30) == gatelab(characters, "--length", 30)


def test_the_same_seeds_give_the_same_text(gatelab, characters):
    first = gatelab(characters, "--random-seed", 7)
    assert gatelab(characters, "--random-seed", 7) == first
    assert gatelab(characters, "--random-seed", 8) != first
    assert gatelab(characters, "--random-seed", 7, "--seed", 3) == first, "the first seed is the usual one"
    assert gatelab(characters, "--random-seed", 7, "--seed", 5) != first


@pytest.mark.parametrize("likeliest", [["--temperature", 0], ["--top-k", 1]])
def test_the_likeliest_needs_no_luck(gatelab, characters, likeliest):
    assert gatelab(characters, "--random-seed", 1, *likeliest) == gatelab(characters, "--random-seed", 2, *likeliest)


def test_json(gatelab, characters):
    code, out, _ = gatelab(characters, "--prompt", "the", "--length", 9, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["prompt"] + found["text"] + "\n" == gatelab(characters, "--prompt", "the", "--length", 9)[1]
    assert (found["length"], found["temperature"], found["top_k"], found["random_seed"]) == (9, 0.8, 0, 0)


def test_words(gatelab, words):
    code, out, _ = gatelab(words, "--prompt", "the dog", "--length", 30)
    assert code == 0
    assert out.startswith("the dog")
    assert set(out.split()) <= set(LINES.split())
    assert "  " not in out


def test_it_has_learned_to_spell(gatelab, tmp_path):
    run = make_run(tmp_path, "characters", seeds=(0,), steps=300)
    _, out, _ = gatelab(run, "--length", 300, "--temperature", 0.5)
    spelled = [word in LINES.split() for word in out.split()[:-1]]
    assert sum(spelled) > 0.9 * len(spelled)


def test_spaces_between_words():
    assert "".join(spaced(["a", "b", "<eos>", "c", "d"], begins=True)) == "a b\nc d"
    assert "".join(spaced(["a", "<eos>", "<eos>", "c"], begins=False)) == " a\n\nc"


@pytest.mark.parametrize(
    ("prompt", "symbols", "units", "read"),
    [
        ("ba", "ab\n", "characters", [2, 1, 0]),
        ("", "ab\n", "characters", [2]),
        ("ba", "ab", "characters", [1, 0]),
        ("b a", ("a", "b", "<eos>"), "words", [2, 1, 0]),
        ("b\na", ("a", "b", "<eos>"), "words", [2, 1, 2, 0]),
        ("", ("a", "b", "<eos>"), "words", [2]),
        ("zebra a", ("a", "<unk>", "<eos>"), "words", [2, 1, 0]),
        ("zebra a", ("a", UNKNOWN, "<eos>"), "words", [2, 1, 0]),
    ],
)
def test_how_a_prompt_is_read(prompt, symbols, units, read):
    assert read_prompt(prompt, Vocabulary(tuple(symbols)), units) == read


@pytest.mark.parametrize(
    ("prompt", "symbols", "units", "says"),
    [
        ("baßéß", ("a", "b", UNKNOWN), "characters", r"knows no 'ß', 'é'\.\nWrite the prompt with the characters"),
        ("a zebra", ("a", "b", "<eos>"), "words", r"knows no 'zebra'\.\nWrite the prompt with the words"),
    ],
)
def test_what_a_model_does_not_know_is_named(prompt, symbols, units, says):
    with pytest.raises(OptionError, match=says):
        read_prompt(prompt, Vocabulary(symbols), units)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--prompt", "zzz"], 2, "knows no 'z'"),
        (["--seed", "4"], 2, "has no seed 4.\nIt has: 3, 5."),
        (["--length", "0"], 2, "--length"),
        (["--temperature", "-1"], 2, "--temperature"),
        (["--top-k", "-1"], 2, "--top-k"),
    ],
)
def test_bad_choices(gatelab, characters, words, code, says):
    found, out, err = gatelab(characters, *words)
    assert (found, out) == (code, "")
    assert says in err


def test_a_run_that_is_not_there(gatelab, tmp_path):
    code, out, err = gatelab(tmp_path / "nowhere")
    assert (code, out) == (1, "")
    assert "nowhere.\nGive the folder of a run" in err


def test_a_model_of_another_task(gatelab, tmp_path):
    fit(make_settings("digits", "f", 3, (0,), steps=1), tmp_path / "run")
    code, out, err = gatelab(tmp_path / "run")
    assert (code, out) == (2, "")
    assert "has not learned to go on with a text.\nGive a run of the task language-model." in err
