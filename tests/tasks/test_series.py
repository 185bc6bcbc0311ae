"""Forecasts: what a window shows, how it is scored, and what is refused."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from gatelab.errors import DataError, GatelabError, OptionError
from gatelab.tasks import find_task, open_problem, read_options
from gatelab.tasks.series import forecasts, prepare
from gatelab.tasks.series_options import SeriesOptions
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

ROWS = 300
SMALL = {"past": 12, "ahead": 4, "season": 8}


def wave(step):
    return math.sin(2 * math.pi * step / 8) + 0.01 * step


@pytest.fixture
def path(tmp_path):
    """A wave of 8 steps that rises slowly, behind a column of something else and one of text."""
    lines = [f"{step},day {step},{step % 5},{wave(step)}" for step in range(ROWS)]
    (tmp_path / "wave.csv").write_text("\n".join(["row,day,other,level", *lines]))
    return tmp_path / "wave.csv"


@pytest.fixture
def make(path):
    """A function that opens the task on the file, with options."""
    return lambda **options: open_problem("series", {"data": str(path), **SMALL, **options})


class Answers:
    """Stands for a model of one replica that always answers the same, or with `answer` of the inputs."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, x, lengths=None):
        return self.answer(x).unsqueeze(0)


def test_a_window_shows_the_past_and_asks_what_follows(make):
    problem = make(columns=["other", "level"], relative=False)
    batch = problem.course([0, 1], 5).batch()
    assert batch.x.shape == (2, 12, 5, 2)
    assert batch.target.shape == (2, 5, 4)
    raw = torch.tensor([wave(step) for step in range(210)], dtype=torch.float64)
    known = ((raw - raw.mean()) / raw.std(correction=0)).float()
    whole = torch.cat([batch.x[0, :, 0, 1], batch.target[0, 0]])
    starts = [at for at in range(195) if torch.allclose(known[at : at + 16], whole, atol=1e-5)]
    assert len(starts) == 1
    other = torch.tensor([(starts[0] + step) % 5 for step in range(12)])
    assert torch.equal(batch.x[0, :, 0, 0].argsort(stable=True), other.argsort(stable=True))


def test_relative_windows_are_the_others_less_their_last_values(make):
    plain = make(relative=False, columns=["other", "level"]).course([3], 7).batch()
    relative = make(columns=["other", "level"]).course([3], 7).batch()
    last = plain.x[:, -1:]
    assert torch.equal(relative.x, plain.x - last)
    assert torch.equal(relative.target, plain.target - last[:, 0, :, 1:])


def test_no_test_target_is_learned_or_chosen_on(path):
    series = prepare(SeriesOptions.model_validate({"data": str(path), **SMALL, "columns": ["row"], "target": "row"}))
    steps = [set(series.scaler.column(0).undo(part.y).round().long().flatten().tolist()) for part in series.parts]
    assert [min(one) for one in steps] == [12, 210, 240]
    assert [max(one) for one in steps] == [209, 239, 299]


def test_the_columns_and_the_target_that_nobody_chose(make):
    assert make().keeps["columns"] == ["row", "other", "level"]
    assert make().keeps["target"] == "level"
    assert make(target="other").keeps["target"] == "other"


def test_zeros_are_the_naive_forecast(make):
    problem = make()
    scores = problem.test(Answers(lambda x: torch.zeros(x.shape[1], 4)))
    for name, value in problem.baselines["naive"].items():
        assert scores[name].tolist() == pytest.approx([value], rel=1e-5)


def test_baselines_by_hand(make):
    deviation = np.std([wave(step) for step in range(210)])
    found = make().baselines
    for name, lag in (("naive", None), ("seasonal naive", 8)):
        errors = [
            wave(at + k) - wave(at - 1 if lag is None else at + k - lag) for at in range(240, 297) for k in range(4)
        ]
        assert found[name]["MSE"] == pytest.approx(np.mean(np.square(errors)) / deviation**2, rel=1e-4)
        assert found[name]["MAE"] == pytest.approx(np.mean(np.abs(errors)) / deviation, rel=1e-4)
    assert make(season=1).baselines.keys() == {"naive"}


def test_a_season_that_is_not_given_is_looked_for_in_the_training_part(make, path):
    found, given = make(season=None), make(season=8)
    assert found.baselines == given.baselines
    assert found.facts[-1].startswith("Seasonal naive: as 8 steps before, the season that the training part shows")
    assert given.facts[-1] == "Seasonal naive: as 8 steps before."
    assert open_problem("series", {"data": str(path), "past": 12, "ahead": 4}).baselines == given.baselines
    # The test part may not say what the season is.
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:241] + [f"{row},x,1,{row % 5}" for row in range(60)]))
    assert make(season=None).facts[-1] == found.facts[-1]


def test_without_a_season_there_is_no_seasonal_forecast_and_it_is_said(make):
    problem = make(season=None, target="row")
    assert problem.baselines.keys() == {"naive"}
    assert problem.facts[-1].startswith("No season shows in the training part")
    assert "easonal" not in " ".join(make(season=1).facts)


def test_a_season_may_be_longer_than_the_past(make):
    short, long = make(past=5, season=40), make(past=40, season=40)
    assert short.baselines["seasonal naive"] == pytest.approx(long.baselines["seasonal naive"])


def test_quantiles_have_a_loss_a_coverage_and_their_median_as_the_forecast(make, path):
    problem = make(quantiles=[0.1, 0.5, 0.8], relative=False)
    assert problem.output_size == 12
    assert problem.validation.name == find_task("series").validated({"quantiles": [0.1, 0.5, 0.8]}) == "pinball loss"
    # Crossed on purpose: they are sorted before they are scored.
    scores = problem.test(Answers(lambda x: torch.tensor([0.2, 1.0, 0.5]).repeat(4).expand(x.shape[1], -1)))
    series = prepare(read_options(find_task("series"), {"data": path, **SMALL}))
    true = series.parts[-1].y.flatten().numpy()
    losses = [mean_pinball_loss(true, np.full_like(true, at), alpha=q) for q, at in ((0.1, 0.2), (0.5, 0.5), (0.8, 1))]
    assert scores["pinball"].item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert scores["coverage"].item() == pytest.approx(((true >= 0.2) & (true <= 1)).mean())
    assert scores["MAE"].item() == pytest.approx(np.abs(true - 0.5).mean(), rel=1e-4)


def test_the_loss_of_quantiles_is_the_pinball_loss(make):
    problem = make(quantiles=[0.5], relative=False)
    answers, asked = torch.randn(2, 7, 4), torch.randn(2, 7, 4)
    assert torch.allclose(problem.loss(answers, asked), (answers - asked).abs().mean((1, 2)) / 2)


def test_windows_are_forecast_in_parts_with_nothing_lost(path, monkeypatch):
    series = prepare(read_options(find_task("series"), {"data": path, **SMALL}))
    model = Answers(lambda x: x[-4:, :, 0].T)
    whole, asked = forecasts(model, series.parts[0], 2, True)
    monkeypatch.setattr("gatelab.tasks.series.TEST_BATCH", 7)
    parted, again = forecasts(model, series.parts[0], 2, True)
    assert torch.equal(whole, parted)
    assert torch.equal(asked, again)
    assert asked.shape == (195, 4)


def settings(path, seeds, **choices):
    own = {"steps": 12, "batch_size": 16, "validate_every": 5, "patience": 2, **choices}
    return make_settings("series", "f", 6, seeds, options={"data": str(path), **SMALL}, **own)


def test_a_replica_is_its_seed_alone(path):
    together, alone = fit(settings(path, (0, 1))), fit(settings(path, (1,)))
    for name, weights in together.weights.items():
        torch.testing.assert_close(weights[1], alone.weights[name][0], rtol=2e-4, atol=2e-5)
    ours, theirs = together.run.results[1], alone.run.results[0]
    assert ours.chosen == theirs.chosen
    assert ours.scores == pytest.approx(theirs.scores, rel=1e-3)


def test_a_resumed_run_ends_with_the_same_bits(path):
    own = settings(path, (0, 1))
    whole, cut = Training(own), Training(own)
    for _ in range(6):
        cut.step()
    resumed = Training.restore(own, cut.checkpoint(0.0))
    for training in (whole, resumed):
        while not training.over:
            training.step()
    assert whole.results() == resumed.results()
    assert all(torch.equal(tensor, resumed.kept[name]) for name, tensor in whole.kept.items())


def test_it_learns(path):
    run = fit(settings(path, (0, 1), steps=250, learning_rate=0.01, validate_every=50)).run
    for result in run.results:
        for name in ("MSE", "MAE"):
            assert result.scores[name] < 0.5 * run.baselines["naive"][name]


def test_a_run_knows_the_content_of_its_file(path):
    before = settings(path, (0,))
    kept = before.options
    path.write_text(path.read_text() + "\n300,day,1,2.5")
    assert settings(path, (0,)).identity != before.identity
    with pytest.raises(OptionError, match=r"wave\.csv is not that of the digest(.|\n)*Bring back"):
        read_options(find_task("series"), kept)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": "no.csv"}, r"no\.csv can't be read \(No such file.*\)\.\nGive the path of a CSV file, or etth1"),
        ({"target": "levl"}, r"no column 'levl'\.\nDid you mean 'level'"),
        ({"target": "day"}, r"line 2: 'day 0' in column 'day' is no number"),
        ({"columns": ["row"], "target": "level"}, r"The target 'level' is not among the columns row\.\nTake it in"),
        ({"columns": []}, r"The columns are \[\]\.\nName one or more"),
        ({"columns": ["row", "row"]}, r"The columns are \['row', 'row'\]\.\nName one or more, each only once"),
        ({"columns": ["levl"], "target": "levl"}, r"no column 'levl'\.\nDid you mean 'level'"),
        ({"columns": ["day", "level"]}, r"line 2: 'day 0' in column 'day' is no number"),
        ({"past": 300}, r"too short for one window(.|\n)*past="),
        ({"ahead": 40}, r"too short for one window(.|\n)*ahead=30"),
        ({"past": 0}, r"past is 0"),
        ({"season": 280}, r"season of 280 steps does not fit before the test part, which begins at 240"),
        ({"shares": [0.5, 0.2, 0.2]}, r"Shares of \(0\.5, 0\.2, 0\.2\)"),
        ({"shares": "usual"}, r"The shares are 'usual'\.\nGive three numbers, or 'customary'"),
        ({"shares": "customary"}, r"ends before"),
        ({"quantiles": [0.1, 0.9]}, r"ascending order, 0\.5 among them"),
        ({"quantiles": [0.9, 0.5]}, r"ascending order, 0\.5 among them"),
        ({"quantiles": [0.5, 1.5]}, r"quantiles\.1 is 1\.5"),
        ({"pasd": 3}, r"no key 'pasd'\.\nDid you mean 'past'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_clear_error(make, options, words):
    with pytest.raises(GatelabError, match=words):
        make(**options)


def test_a_value_that_is_missing_names_its_line(make, path):
    path.write_text(path.read_text().replace("\n7,day 7,2,", "\n7,day 7,,"))
    with pytest.raises(
        DataError, match=r"column 'other' are missing or infinite, the first of them on line 9.*\n.*-o columns="
    ):
        make()


def test_columns_without_a_number_are_left_out_and_it_is_said(make, path):
    names, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{names},gone,", *(f"{line},NaN," for line in lines)]))
    problem = make()
    assert problem.keeps["columns"] == ["row", "other", "level"]
    assert "Columns left out, since they have no number: gone, one without a name." in problem.facts
    with pytest.raises(DataError, match="300 of the 300 values of column 'gone' are missing"):
        make(target="gone")


@pytest.mark.parametrize("unit", ["e301", "e38", "e39"])
def test_numbers_that_float32_cannot_hold_are_refused(make, path, unit):
    path.write_text("row,level\n" + "\n".join(f"{row},{row % 7}.5{unit}" for row in range(ROWS)))
    with pytest.raises(
        DataError, match=r"wave\.csv: column 'level' has numbers.* that float32 cannot hold\.\nGive it in"
    ):
        make()


@pytest.mark.parametrize(
    ("name", "source", "past", "season", "counts"),
    [
        ("etth1", "ett/ETTh1", 96, 24, "8,521, 2,857, 2,857 windows"),
        ("airline", "airline-passengers", 24, 12, "51, 18, 18 windows"),
        ("temperatures", "daily-min-temperatures", 30, 365, "2,519, 359, 724 windows"),
    ],
)
def test_known_series_have_their_own_usual_options(needs_data, name, source, past, season, counts):
    needs_data(source)
    options = read_options(find_task("series"), {"data": name})
    assert (options.past, options.season) == (past, season)
    problem = open_problem("series", {"data": name})
    assert counts in problem.facts[1]
    assert problem.baselines.keys() == {"naive", "seasonal naive"}
    assert options.columns == (options.target,)
    assert read_options(find_task("series"), {"data": name, "past": 40}).past == 40


def test_a_known_series_shows_the_target_that_was_chosen_or_all(needs_data):
    needs_data("ett/ETTh1")
    assert open_problem("series", {"target": "HUFL"}).keeps["columns"] == ["HUFL"]
    assert len(open_problem("series", {"columns": None}).keeps["columns"]) == 7


@pytest.mark.slow
def test_oil_temperature_is_forecast_better_than_by_either_naive_way(needs_data):
    needs_data("ett/ETTh1")
    run = fit(make_settings("series", "f", seeds=(0, 1, 2))).run
    for name in ("MSE", "MAE"):
        median = sorted(result.scores[name] for result in run.results)[1]
        assert median < min(plain[name] for plain in run.baselines.values())
