"""The readings of a run, their tables, and what is drawn of it."""

import math
from dataclasses import replace

import pytest
import torch

from gatelab.errors import DataError, OptionError
from gatelab.nn.saving import load
from gatelab.probes.automaton import Agreement, Automaton
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings
from gatelab.views.examples import Examples
from gatelab.views.machines import MOST_SYMBOLS, Machine, find_machine, machine_table
from gatelab.views.opened import open_probe, probe_scene
from gatelab.views.own_inputs import bits_as_examples, typed_examples
from gatelab.views.probe_tables import probe_tables
from gatelab.views.probes import read_probe, watch_all
from gatelab.views.run_scenes import examples_of
from gatelab.views.spread_figures import draw_spreads, spreads
from gatelab.views.tables import WIDTH, table_text


@pytest.fixture(scope="module")
def parity(tmp_path_factory):
    """A run that solves parity with one unit."""
    folder = tmp_path_factory.mktemp("runs") / "parity"
    fit(make_settings("parity", "fo", 1, (0,)), folder)
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run of two seeds that has learned a little."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    fit(make_settings("digits", "lstm", 4, (0, 1), steps=40), folder)
    return folder


@pytest.fixture(scope="module")
def found(digits):
    return read_probe(open_probe(digits, seed=1), inputs=50)


def test_a_solved_parity_is_the_machine_of_two_states(parity):
    model = load(parity)
    examples = examples_of(parity, "parity", 100)
    machine = find_machine(model, examples, watch_all(model, examples))
    assert machine.automaton.table == ((0, 1), (1, 0))
    assert machine.automaton.answers == (0, 1)
    assert machine.others == Agreement(1.0, 1.0, 1.0)
    table = machine_table(machine)
    assert table.headings == ("state", "answers", "0", "1")
    assert table.sections == ((("> 0", "even", "0", "1"), ("1", "odd", "1", "0")),)
    assert "100.00 % of steps and 100.00 % of ends" in " ".join(table.caption)


def test_what_was_never_seen_has_a_dash():
    machine = Automaton((1,), ((-1,), (0,)), (-1, 1), 2, Agreement(0.5, 0.5, 0.5))
    rows = machine_table(Machine(machine, ("a", "b"), ("no", "yes"), Agreement(0, 0, 0))).sections[0]
    assert rows == (("> 0", "-", "-"), ("1", "yes", "0"))


def test_many_symbols_and_pictures_make_no_machine(parity):
    model, examples = load(parity), bits_as_examples(["0110", "1000"])
    record = watch_all(model, examples)
    assert find_machine(model, examples, record) is not None
    assert find_machine(model, replace(examples, kind="values"), record) is None
    x = torch.rand(MOST_SYMBOLS + 1, 2, 1)
    many = Examples(x, "tokens", tuple(tuple(map(str, range(len(x)))) for _ in range(2)), None, ("even", "odd"))
    assert find_machine(model, many, watch_all(model, many)) is None


def test_every_name_has_its_readings(found, digits):
    assert [one.key for one in found.readings] == ["i", "f", "z", "c", "o", "h"]
    assert (found.seed, found.inputs, found.cell) == (1, 50, "lstm")
    by_key = {one.key: one for one in found.readings}
    assert {key for key, one in by_key.items() if one.saturation is not None} == {"i", "f", "o"}
    assert {key: one.keeps for key, one in by_key.items() if one.keeps} == {"c": "f"}
    model = load(digits, 1)
    seen = watch_all(model, examples_of(digits, "digits", 50))
    assert by_key["f"].saturation.open == pytest.approx((seen["f"] > 0.9).double().mean())
    mean = seen["f"].double().log().mean((0, 1))
    assert by_key["c"].half_life.by_unit == pytest.approx((math.log(0.5) / mean).tolist())
    assert by_key["i"].distribution.edges[0] == 0
    assert by_key["i"].distribution.edges[-1] == 1


def test_units_tell_something_of_the_digit(found):
    assert set(found.information) == {"i", "f", "z", "c", "o", "h"}
    assert found.information["h"].pairs == 50
    assert found.machine is None


def test_hard_gates_are_tested_on_the_whole_test(found, digits):
    scores = found.hardened.scores
    assert list(scores.rows) == ["none", "i", "f", "o", "all"]
    opened = open_probe(digits, seed=1)
    assert scores.soft[0] == pytest.approx(opened.run.results[1].scores["accuracy"], rel=1e-4)
    assert found.hardened.measure.name == "accuracy"


def test_names_can_be_chosen(digits):
    opened = open_probe(digits)
    told = []
    chosen = read_probe(opened, ["f", "c"], inputs=20, say=told.append)
    assert [one.key for one in chosen.readings] == ["f", "c"]
    assert set(chosen.information) == {"f", "c"}
    assert len(told) == 5
    with pytest.raises(OptionError, match="no 'ff' in the equations"):
        read_probe(opened, ["ff"])


def test_tables_fit_the_width_and_say_what_was_read(found, parity):
    text = table_text(probe_tables(found))
    for words in ("gates and states", "half-life", "What a unit tells", "What hard gates leave", "50 inputs", "seed 1"):
        assert words in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "…" not in text


def test_a_memory_that_keeps_all_lasts_for_ever(tmp_path):
    fit(make_settings("digits", "io", 2, (0,), steps=2), tmp_path / "run")
    table = probe_tables(read_probe(open_probe(tmp_path / "run"), inputs=10))[0]
    row = next(row for section in table.sections for row in section if row[1] == "c")
    assert row[4:6] == ("1", "for ever")


def test_a_cell_without_gates_has_no_hard_ones(tmp_path):
    settings = make_settings("digits", "elman", 2, (0,), steps=2, num_layers=2, bidirectional=True)
    fit(settings, tmp_path / "run")
    found = read_probe(open_probe(tmp_path / "run"), inputs=10)
    assert [one.key for one in found.readings] == ["h_l0", "h_l0_reverse", "h_l1", "h_l1_reverse"]
    assert found.hardened is None
    assert "shut" not in " ".join(probe_tables(found)[0].caption).lower()


def test_the_test_has_no_more_inputs_than_it_has(digits):
    with pytest.raises(OptionError, match="has 396 inputs, fewer than 397"):
        read_probe(open_probe(digits), inputs=397)


def test_a_seed_that_has_diverged_says_so(digits, tmp_path):
    opened = open_probe(digits)
    with torch.no_grad():
        next(opened.model.recurrent.parameters()).fill_(torch.nan)
    with pytest.raises(DataError, match="diverged"):
        read_probe(opened, inputs=10)


def test_the_report_s_inputs_are_drawn_unless_others_are_typed(parity, digits):
    scene = probe_scene(open_probe(parity))
    assert [example.title for example in scene.examples] == [
        "ones",
        "ones, with ten zeros",
        "a single one, then ones",
    ]
    assert [facts.title for facts in scene.foot] == ["fo on parity", "this page"]
    own = probe_scene(open_probe(parity, typed={"--bits": ["0110", "1"], "--text": []}))
    assert [example.labels for example in own.examples] == [("0", "1", "1", "0"), ("1",)]
    assert [example.targets for example in own.examples] == [("even",), ("odd",)]
    assert len(probe_scene(open_probe(digits)).examples) == 8


def test_runs_are_compared_on_the_same_inputs(parity, digits, tmp_path):
    fit(make_settings("parity", "lstm", 2, (0,), steps=2), tmp_path / "other")
    mine, other = open_probe(parity), open_probe(tmp_path / "other")
    scene = probe_scene(mine, [other])
    assert [side.title for side in scene.sides] == ["fo", "lstm"]
    assert scene.title == "parity: fo and lstm"
    assert [facts.title for facts in scene.foot] == ["fo on parity", "lstm on parity", "this page"]
    assert [side.title for side in probe_scene(other, [replace(other, folder=parity)]).sides] == [
        str(tmp_path / "other"),
        str(parity),
    ]
    with pytest.raises(OptionError, match="Compare runs that read the same inputs"):
        probe_scene(mine, [open_probe(digits)])


READS = {"style": "letters", "start": False, "length": 9, "keep": "last", "padding": "none"}
REVIEWS = {"reading": {**READS, "vocabulary": ["<pad>", "<start>", "<unknown>", "good", "film"]}, "names": ["-", "+"]}
CHARACTERS = {"symbols": ["a", "b", "\n"], "units": "characters"}
WORDS = {"symbols": ["a", "<eos>", "<unk>"], "units": "words"}


@pytest.mark.parametrize(
    ("task", "keeps", "text", "labels"),
    [
        ("sentiment", REVIEWS, "A good film!", ("<unknown>", "good", "film")),
        ("language-model", CHARACTERS, "ab\n", ("a", "b", "⏎")),
        ("language-model", WORDS, "a b", ("a", "<unk>", "<eos>")),
    ],
)
def test_texts_are_read_as_the_model_reads_them(task, keeps, text, labels):
    assert typed_examples(task, keeps, {"--text": [text]}).labels == (labels,)


@pytest.mark.parametrize(
    ("task", "keeps", "typed", "says"),
    [
        ("parity", {}, {"--bits": ["0121"]}, "have '2' in them.\nWrite zeros and ones"),
        ("parity", {}, {"--bits": [""]}, "are empty.\nWrite zeros and ones"),
        ("parity", {}, {"--text": ["01"]}, "A model of parity does not read what --text gives"),
        ("digits", {}, {"--bits": ["01"]}, "A model of digits does not read what --bits gives"),
        ("sentiment", REVIEWS, {"--text": ["?!"]}, "has nothing to read.\nWrite at least one word"),
        ("language-model", CHARACTERS, {"--text": [" "]}, "has nothing to read"),
        ("language-model", CHARACTERS, {"--text": ["abc"]}, "knows no 'c'.\nWrite with the characters of its text"),
    ],
)
def test_what_cannot_be_read_is_refused(task, keeps, typed, says):
    with pytest.raises(OptionError) as caught:
        typed_examples(task, keeps, typed)
    assert says in str(caught.value)


def test_spreads_are_shares_of_the_steps(found):
    spread = {one.name: one for one in spreads(found.readings)}
    assert list(spread) == ["i", "f", "o", "z", "c", "h"]
    for one in spread.values():
        assert one.mean.sum() == pytest.approx(100)
        assert (one.low <= one.high).all()
        assert one.units == 4
    figure = draw_spreads(list(spread.values())[:4], "four")
    assert [axes.get_visible() for axes in figure.axes] == [True] * 4 + [False] * 2
