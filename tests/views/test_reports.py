"""Reports: a model in a table, and a classifier's answers judged as scikit-learn does."""

import numpy as np
import pytest
import torch
from sklearn.metrics import classification_report

from gatelab.nn.inputs import Tokens
from gatelab.nn.models import SequenceModel
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings
from gatelab.views.classification import calibration_bins, judge, probabilities, short_names
from gatelab.views.figures import save_figure
from gatelab.views.report_figures import draw_confusion, draw_reliability
from gatelab.views.reports import make_report, report_tables
from gatelab.views.summaries import summarise_model, summary_table
from gatelab.views.tables import table_text

NAMES = ("ape", "bee", "cat", "dog")


def flat(table):
    return [list(row) for section in table.sections for row in section]


@pytest.fixture
def answers():
    """Logits for 60 sequences of four classes; the third is never answered, and the last never there."""
    torch.manual_seed(2)
    target = torch.arange(60) % 3
    logits = torch.randn(60, 4) + 2 * torch.nn.functional.one_hot(target, 4)
    logits[:, 2] = -9.0
    return logits, target


# The model.


def test_the_assignments_model_has_its_76051_parameters():
    model = SequenceModel("lstm", Tokens(5000, 15), 10, 1)
    assert flat(summary_table(model)) == [
        ["75,000", "vectors of 5,000 tokens", "(T, B, 15)"],
        ["1,040", "lstm", "(T, B, 10)"],
        ["11", "linear", "(B, 1)"],
        ["76,051", "in all", ""],
    ]


def test_layers_directions_and_replicas():
    options = {"num_layers": 2, "bidirectional": True, "reads": "every"}
    model = SequenceModel("gru", 3, 5, 2, replicas=4, **options)
    first, second = summarise_model(model).layers[1:3]
    assert (first.name, first.output) == ("gru, both ways", "(T, B, 10)")
    assert second.learned - first.learned == 2 * 3 * 5 * (10 - 3)
    assert summarise_model(model).layers[3].output == "(T, B, 2)"
    assert summarise_model(model) == summarise_model(SequenceModel("gru", 3, 5, 2, **options))


def test_given_and_tied_vectors_are_counted_for_what_they_are():
    given = summarise_model(SequenceModel("f", Tokens(7, 4, learned=False), 4, 1))
    assert (given.layers[0].learned, given.given) == (0, 28)
    assert "28 more are given" in summary_table(SequenceModel("f", Tokens(7, 4, learned=False), 4, 1)).caption[0]
    tied = SequenceModel("f", Tokens(7, 4), 4, 7, tied=True, reads="every", replicas=2)
    found = summarise_model(tied)
    assert (found.layers[0].learned, found.layers[2].learned) == (28, 7)
    assert 2 * found.learned == sum(parameter.numel() for parameter in tied.parameters())


# A classifier's answers.


def test_classes_are_scored_as_scikit_learn_does(answers):
    logits, target = answers
    found = judge(logits, target, NAMES)
    theirs = classification_report(
        target, logits.argmax(-1), labels=range(4), target_names=NAMES, output_dict=True, zero_division=0.0
    )
    for one in found.classes:
        assert {"precision": one.precision, "recall": one.recall, "f1-score": one.f1, "support": one.count} == (
            pytest.approx(theirs[one.name])
        )
    for one, name in zip(found.averages, ("macro avg", "weighted avg"), strict=True):
        assert (one.precision, one.recall, one.f1) == pytest.approx(tuple(theirs[name].values())[:3])
    assert found.classes[2].precision == found.classes[3].recall == 0.0
    assert found.loss == pytest.approx(torch.nn.functional.cross_entropy(logits, target).item(), rel=1e-5)


def test_confusions_count_every_sequence_once(answers):
    logits, target = answers
    found = np.array(judge(logits, target, NAMES).confusion)
    answered = logits.argmax(-1)
    for row in range(4):
        for column in range(4):
            assert found[row, column] == ((target == row) & (answered == column)).sum()


def test_one_logit_is_the_second_of_two_classes():
    logits = torch.tensor([[2.0], [-1.0], [0.5]])
    assert probabilities(logits)[:, 1] == pytest.approx(logits.sigmoid().squeeze(-1).numpy())
    found = judge(logits, torch.tensor([1, 0, 0]), ("no", "yes"))
    assert found.confusion == ((1, 1), (0, 1))
    assert found.accuracy == pytest.approx(2 / 3)


def test_the_calibration_error_by_hand():
    confidence = np.array([0.95, 0.91, 0.55, 0.6, 0.3])
    right = np.array([True, False, True, True, False])
    bins = calibration_bins(confidence, right)
    assert [one.low for one in bins] == pytest.approx([0.2, 0.5, 0.9])
    assert [one.high for one in bins] == pytest.approx([0.3, 0.6, 1.0])
    assert [one.count for one in bins] == [1, 2, 2]
    assert [one.confidence for one in bins] == pytest.approx([0.3, 0.575, 0.93])
    assert [one.accuracy for one in bins] == [0.0, 1.0, 0.5]
    # Logits of two classes whose larger probability is 0.8, of which 3 in 4 are right.
    logits = torch.tensor([[np.log(4.0), 0.0]] * 4)
    assert judge(logits, torch.tensor([0, 0, 0, 1]), ("a", "b")).calibration_error == pytest.approx(0.05)


def test_figures_are_the_same_again(answers, tmp_path):
    found = judge(*answers, NAMES)
    for draw in (draw_confusion, draw_reliability):
        for name in ("one", "two"):
            save_figure(draw(found, "pets"), tmp_path / name)
        for ending in ("png", "svg"):
            assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


# Whole reports.


def test_a_classifiers_report_agrees_with_its_run(tmp_path):
    run = fit(make_settings("digits", "f", 4, (5, 7), steps=30), tmp_path / "run").run
    report = make_report(tmp_path / "run", 7)
    assert report.result == run.results[1]
    assert 100 * report.classification.accuracy == pytest.approx(report.result.scores["accuracy"], rel=1e-5)
    assert report.summary.learned == run.parameters
    assert make_report(tmp_path / "run").result.seed == 5
    titles = [table.title for table in report_tables(report)]
    assert titles == ["The model", "digits: the test", "Classes", "Answers", "Calibration"]


def test_confusions_that_do_not_fit_the_width_have_no_table(tmp_path, answers):
    fit(make_settings("digits", "f", 2, (0,), steps=1), tmp_path / "run")
    report = make_report(tmp_path / "run")
    object.__setattr__(report, "classification", judge(*answers, [name * 9 for name in NAMES]))
    tables = {table.title: table for table in report_tables(report)}
    assert "Answers" not in tables and "columns" in tables["Classes"].caption[-1]


def test_long_names_are_cut_and_stay_apart(answers, tmp_path):
    names = ["Credit reporting and its repair", "Credit reporting and its repair services", *NAMES[2:]]
    short = short_names(names)
    assert len(set(short)) == len(names) and max(map(len, short)) <= 32 and short[2:] == list(NAMES[2:])
    found = judge(*answers, names)
    figure = draw_confusion(found, "texts")
    figure.savefig(tmp_path / "confusion.png")
    (axes, _) = figure.axes
    inside = figure.get_window_extent()
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        box = label.get_window_extent()
        assert inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1


def test_a_forecasts_report_has_the_naive_ones_beside_it(tmp_path):
    (tmp_path / "up.csv").write_text("\n".join(["level", *(str(step % 7 + step / 50) for step in range(200))]))
    options = {"data": str(tmp_path / "up.csv"), "past": 9, "ahead": 2, "season": 7, "quantiles": [0.1, 0.5, 0.9]}
    run = fit(make_settings("series", "f", 3, (0,), steps=2, options=options), tmp_path / "run").run
    report = make_report(tmp_path / "run")
    assert report.classification is None
    scores = report_tables(report)[1]
    assert scores.headings == ("seed", "by", "MSE", "MAE", "pinball", "coverage")
    naive = run.baselines["naive"]
    assert [row[1] for row in flat(scores)] == ["f", "naive", "seasonal naive"]
    assert flat(scores)[1][2:] == [f"{naive['MSE']:.4f}", f"{naive['MAE']:.4f}", "-", "-"]
    assert "up.csv" not in table_text(report_tables(report))
    assert "9 of level" in table_text(report_tables(report))


def test_a_diverged_seed_has_a_report_without_classes(tmp_path):
    fit(make_settings("digits", "f", 2, (0,), steps=3, learning_rate=1e38), tmp_path / "run")
    report = make_report(tmp_path / "run")
    assert report.result.end == "diverged"
    assert report.classification is None
    assert flat(report_tables(report)[1]) == [["0", "f", "-"]]
