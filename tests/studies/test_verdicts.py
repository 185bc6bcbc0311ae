"""Verdicts, as sentences."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatelab.studies.comparisons import compare, compare_all, shares
from gatelab.studies.verdicts import fewest_seeds, is_claim, kind_of, verdict, verdicts

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
BASE = np.array([95.0, 96.0, 94.5, 95.5, 96.5, 95.0, 94.0, 96.0, 95.5, 95.0])
GAINS = np.array([0.5, 1.0, 1.5, 1.0, 0.5, 1.0, 2.0, 0.5, 1.0, 0.0])
NOISE = np.array([0.5, -0.5, 1.0, -1.0, 0.5, 0.0, -1.0, 0.5, 0.5, 0.5])


def by_seed(values):
    return {seed: float(value) for seed, value in enumerate(values)}


def accuracies(first, second, count=10):
    return compare(
        by_seed(first[:count]), by_seed(second[:count]), "highest", names=("f", "lstm"), measure="accuracy", unit="%"
    )


def test_a_claim():
    assert verdict(accuracies(BASE + GAINS, BASE), "sentiment") == (
        "f beats lstm on sentiment: +0.9 points, 95 % interval 0.5 to 1.3, 10 seeds "
        "(paired permutation test, p = 0.004)."
    )


def test_a_claim_names_the_winner_first():
    said = verdict(accuracies(BASE, BASE + GAINS), "sentiment")
    assert said.startswith("lstm beats f on sentiment: +0.9 points, 95 % interval 0.5 to 1.3, 10 seeds")


def test_seeds_that_cannot_tell():
    assert verdict(accuracies(BASE + NOISE, BASE), "digits") == (
        "10 seeds can't tell f from lstm on digits (difference 0.1 points, 95 % interval -0.4 to 0.6; "
        "paired permutation test, p = 0.820)."
    )


def test_fewer_seeds_than_the_correction_needs():
    """Eight seeds give p = 2 / 256 at the least; times 6 that is 0.047."""
    values = {"f": by_seed(BASE[:8] + GAINS[:8]), "lstm": by_seed(BASE[:8])}
    others = {f"like {n}": by_seed(BASE[:8] + sign * NOISE[:8]) for n, sign in enumerate((1, -1))}
    found = compare_all({**values, **others}, "highest", measure="accuracy", unit="%")[0]
    assert (found.p, found.adjusted, found.comparisons) == (2 / 256, 12 / 256, 6)
    assert is_claim(found) and not is_claim(found, 0.01)
    assert verdict(found, "digits").endswith("(paired permutation test, p = 0.047, Holm over 6 comparisons).")
    assert verdict(found, "digits", 0.04).endswith(
        "8 seeds can't show any difference between f and lstm on digits with the paired permutation test over "
        "6 comparisons; take at least 9 (difference so far 1.0 points)."
    )


def test_a_p_that_is_small_alone_is_given_beside_the_corrected_one():
    found = compare_all(
        {"f": by_seed(BASE + np.repeat([1, -1], [8, 2])), "lstm": by_seed(BASE), "o": by_seed(BASE + NOISE)},
        "highest",
        measure="accuracy",
        unit="%",
    )[0]
    assert found.p <= 0.15 < found.adjusted
    assert "p = 0.109 alone, but p = 0.328, Holm over 3 comparisons)" in verdict(found, "digits", alpha=0.15)


@pytest.mark.parametrize(("count", "seeds"), [(1, "1 seed"), (2, "2 seeds"), (5, "5 seeds")])
def test_too_few_seeds_for_any_difference(count, seeds):
    found = accuracies(BASE + 3 + GAINS, BASE, count)
    assert verdict(found, "digits") == (
        f"{seeds} can't show any difference between f and lstm on digits with the paired permutation test; "
        f"take at least 6 (difference so far {found.difference:.1f} points)."
    )


@pytest.mark.parametrize(("comparisons", "fewest"), [(1, 6), (2, 7), (15, 10), (190, 13), (1638, 16), (1639, None)])
def test_the_fewest_seeds_that_can_show_a_difference(comparisons, fewest):
    """2 / 2^n times the comparisons must be at most 0.05."""
    assert fewest_seeds(comparisons) == fewest


def test_the_page_shows_real_sentences_and_counts():
    quoted = re.findall(r"^> (.*)$", PAGE, flags=re.MULTILINE)
    assert quoted == [
        verdict(accuracies(BASE + GAINS, BASE), "sentiment"),
        verdict(accuracies(BASE + NOISE, BASE), "digits"),
        verdict(accuracies(BASE + 3 + GAINS, BASE, 5), "digits"),
    ]
    comparisons, seeds = (
        re.search(rf"^\| {title} \|(.*)\|$", PAGE, flags=re.MULTILINE)[1].split("|")
        for title in ("comparisons", "seeds, at least")
    )
    for most, count in zip(comparisons, seeds, strict=True):
        ends = [int(end) for end in re.findall(r"\d+", most)]
        assert {fewest_seeds(end) for end in ends} == {int(count)} != {fewest_seeds(ends[-1] + 1)}


def test_equal_cells_and_cells_without_a_common_seed():
    assert verdict(accuracies(BASE, BASE), "digits") == "f and lstm are equal on digits, seed by seed (10 seeds)."
    assert verdict(compare({0: 1.0}, {1: 1.0}, "highest", names=("f", "o"), measure="accuracy at 16"), "parity") == (
        "f and o have no seed in common on parity, accuracy at 16, so nothing can be said of them."
    )


def test_where_less_is_better():
    steps = [compare(by_seed(900 - 100 * GAINS), by_seed(np.full(10, 900)), "lowest", names=("f", "lstm"),
                     measure="steps", digits=0)]  # fmt: skip
    assert verdict(steps[0], "parity") == (
        "f needs 90 steps fewer than lstm on parity, 95 % interval 50 to 133, 10 seeds "
        "(paired permutation test, p = 0.004)."
    )
    loss = compare(by_seed(1.5 + GAINS / 100), by_seed(np.full(10, 1.5)), "lowest", names=("f", "lstm"),
                   measure="loss", unit="nats", digits=3)  # fmt: skip
    assert verdict(loss, "char-lm").startswith(
        "lstm beats f on char-lm, loss: 0.009 nats lower, 95 % interval 0.005 to 0.013,"
    )


def test_an_interval_without_0_is_never_printed_with_one():
    found = accuracies(BASE + GAINS / 40, BASE)
    assert found.interval.low > 0
    assert "+0.02 points, 95 % interval 0.01 to 0.03, " in verdict(found, "digits")


def test_shares_of_solved_seeds():
    solved = {"f": dict.fromkeys(range(12), True), "io": {seed: seed < 4 for seed in range(12)}}
    assert verdict(shares(solved)[0], "parity") == (
        "f beats io on parity, solved: +66.7 points, 95 % interval 26.3 to 86.2, 12 seeds "
        "(exact McNemar test, p = 0.008)."
    )


def test_claims_come_first_and_the_largest_before_the_others():
    rng = np.random.default_rng(0)
    values = {name: by_seed(mean + rng.normal(0, 0.2, 12)) for name, mean in
              {"f": 95, "o": 90, "lstm": 99, "io": 90, "fo": 95}.items()}  # fmt: skip
    said = verdicts(compare_all(values, "highest", measure="accuracy", unit="%"), "digits")
    claims = [sentence for sentence in said if " beats " in sentence]
    gaps = [float(re.search(r"\+([\d.]+) points", sentence)[1]) for sentence in claims]
    assert len(claims) == 8 and said[:8] == tuple(claims)
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > 8.5
    assert ["12 seeds can't tell" in sentence for sentence in said[8:]] == [True, True]


def test_many_that_come_to_the_same_are_one_sentence():
    values = {name: by_seed(np.random.default_rng(seed).normal(96, 1, 10)) for seed, name in enumerate("abcd")}
    (said,) = verdicts(compare_all(values, "highest", measure="accuracy", unit="%"), "digits")
    assert said.startswith("On digits 10 seeds can't tell ")
    assert len(re.findall(r"[a-d] from [a-d] \(-?[\d.]+ points\)", said)) == 6
    assert re.search(r"; paired permutation test, p = [\d.]+ or more, Holm over 6 comparisons\.$", said)

    few = compare_all({name: dict(list(of.items())[:5]) for name, of in values.items()}, "highest")
    assert verdicts(few, "digits") == (
        "5 seeds can't show any difference on digits with the paired permutation test over 6 comparisons; "
        "take at least 8.",
    )
    equal = compare_all({name: by_seed(BASE) for name in "abcd"}, "highest")
    assert verdicts(equal, "digits") == (
        "Equal on digits, seed by seed (10 seeds): a and b, a and c, a and d, b and c, b and d, c and d.",
    )
    apart = compare_all({name: {} for name in "abcd"}, "highest", "a")
    assert verdicts(apart, "digits")[0].startswith("b and a have no seed in common")
    assert verdicts(compare_all({name: {} for name in "abcd"}, "highest"), "digits")[0].startswith("No seed in common")


def test_pairs_with_fewer_seeds_have_a_sentence_of_their_own():
    values = {name: by_seed(np.random.default_rng(seed).normal(96, 1, 12 if seed else 10))
              for seed, name in enumerate("abcde")}  # fmt: skip
    said = verdicts(compare_all(values, "highest"), "digits")
    assert [sentence.split(" can't")[0] for sentence in said] == ["On digits 12 seeds", "On digits 10 seeds"]


def test_no_comparison_has_no_sentence():
    assert verdicts((), "digits") == ()


cells = st.lists(st.lists(st.integers(-6, 6).map(lambda value: value / 4), min_size=7, max_size=9), min_size=2,
                 max_size=4)  # fmt: skip


@given(cells, st.sampled_from(["highest", "lowest"]), st.sampled_from([0.01, 0.05, 0.2]))
def test_every_comparison_is_of_one_kind_and_a_claim_has_an_interval_without_0(rows, best, alpha):
    found = compare_all({f"cell{n}": by_seed(row) for n, row in enumerate(rows)}, best)
    said = verdicts(found, "task", alpha)
    claims = [each for each in found if is_claim(each, alpha)]
    assert sum(" beats " in sentence for sentence in said) == len(claims)
    for each in claims:
        assert each.adjusted <= alpha and not each.interval.low <= 0 <= each.interval.high
        winner, loser = re.match(r"(\w+) beats (\w+) on", verdict(each, "task", alpha)).groups()
        first_ahead = (each.difference > 0) == (best == "highest")
        assert (winner, loser) == ((each.first, each.second) if first_ahead else (each.second, each.first))
    for each in found:
        assert kind_of(each, alpha) == "claim" or " beats " not in verdict(each, "task", alpha)
        assert each.first in " ".join(said) or kind_of(each, alpha) == "few"
