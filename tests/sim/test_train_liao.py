"""Training with what the experiments of Liao, Leibo and Poggio add: rules, normalisation, updates, schedules."""

import numpy as np
import pytest

from network.errors import BadInput
from sim.config import make_config
from sim.run_folder import RunFolder
from sim.train import prepare, resume, start
from sim.updates import parse_schedule

NET = "Conv 6 3x3 ReLU; Maxpool 2 valid; Full 20 ReLU; Output"
LIAO = {"net": NET, "norm": "bn", "manhattan": 1, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 100, "eta": 2e-3}


def trained(folder, **settings):
    return start(make_config({**LIAO, "device": "cpu", **settings}), folder, progress=False)


@pytest.mark.parametrize("rule", ["bp", "usf", "brsf", "frsf"])
def test_networks_with_batch_normalisation_and_batch_manhattan_learn_digits(rule, tmp_path):
    run = trained(tmp_path / "run", rule=rule, epochs=3)
    assert run.rows[-1]["test_error"] < 0.2  # chance is .9


def test_a_resumed_run_reaches_the_same_bits(tmp_path):
    options = {"rule": "brsf", "flip_probability": 0.25, "norm": "bn-affine", "schedule": "2:.5"}
    whole = trained(tmp_path / "whole", **options, epochs=2)
    trained(tmp_path / "parts", **options, epochs=1)
    parts = resume(tmp_path / "parts", {"epochs": 2}, progress=False)
    ours, theirs = (RunFolder(run.folder).read_epoch()[1].arrays() for run in (whole, parts))
    assert ours.keys() == theirs.keys()
    assert {name.split("/")[0] for name in ours} == {"W", "R", "gamma", "beta", "mean", "deviation", "tau"}
    assert all(np.array_equal(value, theirs[name]) for name, value in ours.items())


def test_images_are_classified_by_statistics_taken_after_the_epoch(tmp_path):
    run = trained(tmp_path / "run", rule="bp", epochs=1)
    weights = run.engine.weights()
    images = prepare(run.config)[0].train.images
    h = run.engine.present(images, np.zeros(len(images), dtype=int)).h[1]
    assert weights.mean[1] == pytest.approx(h.mean(axis=(0, 2, 3)), rel=0.1, abs=0.02)
    assert weights.deviation[1] == pytest.approx(h.std(axis=(0, 2, 3)), rel=0.1)


def test_a_schedule_counts_epochs():
    assert parse_schedule(" 51:.1, 61:.01") == ((51, 0.1), (61, 0.01))
    config = make_config({**LIAO, "schedule": "2:.5"})
    data, _, settings = prepare(config)
    updates = -(-len(data.train) // 100)
    assert settings.update.schedule == ((updates, 0.5),)
    assert [settings.update.factor(step) for step in (0, updates - 1, updates)] == [1, 1, 0.5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "51"}, "'51' is not epoch:factor"),
        ({"schedule": "a:b"}, "is not epoch:factor"),
        ({"schedule": "0:.1"}, "count from 1"),
        ({"schedule": "5:.1,3:.01"}, "grow"),
        ({"manhattan": 1, "order": "after_update", "rule": "urfb"}, "after_update"),
        ({"flip_probability": 0.5, "rule": "usf"}, "'brsf' and 'frsf' do"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(BadInput, match=message):
        prepare(make_config({**LIAO, **settings}))


def test_a_misspelt_choice_is_answered_with_the_closest():
    with pytest.raises(BadInput, match="norm 'bnaffine': expected one of bn, bn-affine; did you mean 'bn-affine'"):
        make_config({"norm": "bnaffine"})
