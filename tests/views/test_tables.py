"""Tables as records and as text."""

from dataclasses import replace

import pytest

from gatelab.studies.outcome import Compared, Finding, Group, Outcome
from gatelab.studies.statistics import share, summarise
from gatelab.training.record import Look, Run, SeedResult
from gatelab.training.settings import make_settings
from gatelab.views.runs import run_table
from gatelab.views.tables import study_tables, table_text


def finding(measure, values, reported=None, best="highest"):
    return Finding(measure, dict(enumerate(values)), summarise(values, best), reported)


def digits_group(cell, values, reported, hidden_size=30, init="zeros", diverged=()):
    findings = {"accuracy": finding("accuracy", values, reported), "steps": finding("steps", [600.0], best="lowest")}
    return Group(
        part="digits",
        task="digits",
        cell=cell,
        init=init,
        size=hidden_size,
        hidden_size=hidden_size,
        length="1,500 steps",
        parameters=4990,
        seeds=3,
        reached=share(2, 3),
        solved={0: True, 1: True, 2: False},
        diverged=diverged,
        findings=findings,
    )


def parity_group(cell, values, reported, seeds=3):
    findings = {
        "steps": finding("steps", [61.0] * len(values), reported, "lowest"),
        "accuracy at 16": finding("accuracy at 16", values),
        "accuracy at 100": finding("accuracy at 100", values, 99.89 if values else None),
    }
    return Group(
        part="parity",
        task="parity",
        cell=cell,
        init="zeros",
        size=3,
        hidden_size=3,
        length="2,000 steps",
        parameters=30,
        seeds=seeds,
        reached=share(len(values), seeds),
        solved={seed: seed < len(values) for seed in range(seeds)},
        diverged=(),
        findings=findings,
    )


def outcome(*groups, differences=(), notes=(), compared=(), baselines=None, facts=()):
    parts = list(dict.fromkeys(group.part for group in groups))
    return Outcome(
        "gates",
        "Which?",
        groups,
        compared,
        dict.fromkeys(parts, differences),
        dict.fromkeys(parts, notes),
        dict.fromkeys(parts, ("the report",)),
        dict.fromkeys(parts, baselines or {}),
        dict.fromkeys(parts, facts),
    )


def flat(table):
    return [list(row) for section in table.sections for row in section]


def test_digits_have_the_report_beside_best_median_and_interval():
    (table,) = study_tables(outcome(digits_group("lstm", [95.0, 96.5, 97.0], 97.22), digits_group("f", [98.25], None)))
    assert [" ".join(heading.split()) for heading in table.headings] == [
        *("size", "cell", "early"),
        *("accuracy report", "accuracy best", "accuracy median", "accuracy interval", "steps median"),
    ]
    assert flat(table) == [
        ["30", "lstm", "2/3", "97.22", "97.0", "96.5", "95.0-97.0", "600"],
        ["30", "f", "2/3", "-", "98.2", "98.2", "-", "600"],
    ]


def test_where_nothing_stops_early_there_is_no_word_of_it():
    groups = [replace(digits_group("lstm", [95.0, 96.5, 97.0], None), reached=share(0, 3)) for _ in range(2)]
    (table,) = study_tables(outcome(*groups))
    assert "early" not in table.headings and not any(line.startswith("Early") for line in table.caption)
    (table,) = study_tables(outcome(groups[0], digits_group("f", [98.25], None)))
    assert [row[2] for row in flat(table)] == ["0/3", "2/3"]
    assert any(line.startswith("Early") for line in table.caption)


def test_parity_has_the_share_solved_and_steps():
    table, intervals = study_tables(outcome(parity_group("fo", [99.0, 100.0], 47419), parity_group("o", [], None)))
    assert intervals.title == "gates: parity, intervals of the medians"
    assert flat(intervals)[0] == ["3", "fo", "61", "61-61", "99.5", "99.0-100.0", "99.5", "99.0-100.0"]
    assert flat(intervals)[1][2:] == ["-"] * 6
    assert [" ".join(heading.split()) for heading in table.headings] == [
        *("size", "cell", "solved and 95 %", "steps report", "steps median"),
        *("at 16 best", "at 16 median", "at 100 report", "at 100 best", "at 100 median"),
    ]
    assert flat(table) == [
        ["3", "fo", "2/3   9-99", "47,419", "61", "100.0", "99.5", "99.89", "100.0", "99.5"],
        ["3", "o", "0/3   0-71", "-", "-", "-", "-", "-", "-", "-"],
    ]


def test_sizes_and_starts_make_sections_and_starts_a_column():
    groups = [
        digits_group("f", [90.0], None, hidden_size=size, init=init)
        for size in (30, 1)
        for init in ("zeros", "default")
    ]
    (table,) = study_tables(outcome(*groups))
    assert len(table.sections) == 4
    assert table.headings[2] == "start"
    assert [row[2] for row in flat(table)] == ["zeros", "default"] * 2


def test_without_a_report_there_is_no_column_for_it():
    (table,) = study_tables(outcome(digits_group("f", [90.0], None)))
    assert not [heading for heading in table.headings if "report" in heading]


def test_the_caption_says_what_differs_and_how_intervals_were_made():
    (table,) = study_tables(
        outcome(
            digits_group("lstm", [95.0, 96.5, 97.0], 97.22, diverged=(2,)),
            differences=("3 seeds instead of 10", "at most 1,500 steps instead of 6,000"),
            notes=("Its split is not known.",),
        )
    )
    caption = " ".join(table.caption)
    for words in (
        "3 seeds a row, at most 1,500 steps, start: zeros",
        "Otherwise than in the study's file: 3 seeds instead of 10, at most 1,500 steps instead of 6,000.",
        "the range of the seeds, which has the median of all seeds in it with 75 %",
        "Report: the report.",
        "Diverged, and counted in none of the scores: lstm with 30 units, seeds [2].",
        "Its split is not known.",
    ):
        assert words in caption
    assert "ordered" not in caption


def test_verdicts_facts_and_what_learns_nothing_have_their_place():
    compared = Compared("digits", 30, "zeros", (), ("f beats lstm.", "2 seeds can't tell io from o."))
    elsewhere = Compared("parity", 3, "zeros", (), ("not here",))
    (table,) = study_tables(
        outcome(
            digits_group("f", [90.0, 92.0], None),
            compared=(compared, elsewhere),
            baselines={"always 3": {"accuracy": 10.26}},
            facts=("1,401 images to learn from.",),
            notes=("One image is 0.25 points.",),
        )
    )
    assert flat(table)[-1] == ["", "always 3", "", "", "10.3", "", ""]
    assert table.caption[-4:] == (
        *("1,401 images to learn from.", "One image is 0.25 points."),
        *("f beats lstm.", "2 seeds can't tell io from o."),
    )


def test_a_runs_table_says_which_weights_were_kept_and_what_learns_nothing():
    looks = (Look(5, 80.0), Look(10, 79.0))
    results = (SeedResult(0, "patience", 10, {"accuracy": 80.0}, (), looks, 5),)
    settings = make_settings("digits", "f", 4, options={"validation": 0.1})
    table = run_table(Run(settings, results, 2.0, {}, 1234, {"always 3": {"accuracy": 10.26}}, ("A fact.",)))
    assert flat(table) == [["0", "got no better", "10", "80.0"], ["", "always 3", "", "10.3"]]
    assert table.caption[1:3] == (
        "Weights are those that were best on the validation data, after step 5.",
        "A fact.",
    )
    assert "at most 6,000 steps; 1,234 parameters" in table.caption[3]


def test_from_six_seeds_on_the_interval_has_95_percent():
    (table,) = study_tables(outcome(digits_group("lstm", [float(value) for value in range(90, 96)], None)))
    assert "between two of the ordered seeds, the median of all seeds with 95 %" in " ".join(table.caption)


def test_written_tables_fit_a_narrow_terminal_and_are_plain():
    tables = study_tables(
        outcome(
            *(digits_group(cell, [95.0, 96.5, 97.0], 97.22) for cell in ("lstm", "myfo")),
            *(parity_group(cell, [100.0] * 10, 47419, seeds=10) for cell in ("lstm", "myfo")),
        )
    )
    text = table_text(tables)
    assert "\x1b" not in text
    rules = [line for line in text.splitlines() if line.startswith("─")]
    assert len(rules) == 3
    assert max(map(len, rules)) <= 80
    assert max(map(len, text.splitlines())) <= 100
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "…" not in text


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_runs_table_has_a_row_a_seed_and_the_median_of_several(seeds):
    ends = ("goal", "steps", "diverged")[:seeds]
    results = tuple(
        SeedResult(seed, end, 10 * seed + 10, {"accuracy": None if end == "diverged" else 90.0 + seed}, ())
        for seed, end in enumerate(ends)
    )
    table = run_table(Run(make_settings("digits", "f", 4, tuple(range(seeds))), results, 2.0, {}))
    expected = [
        ["0", "reached the goal", "10", "90.0"],
        ["1", "took all steps", "20", "91.0"],
        ["2", "diverged", "30", "-"],
    ]
    assert flat(table) == expected[:seeds] + ([["", "median", "", "90.5"]] if seeds > 1 else [])
