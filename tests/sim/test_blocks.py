"""Class by class: which images come when, what is recorded after each block, and that mixed runs are what they were."""

from dataclasses import replace

import numpy as np
import pytest

from network.errors import BadInput
from network.randomness import stream
from sim.blocks import TESTED, Forgetting, blocks_of, updates_of
from sim.config import TrainConfig, identity, make_config
from sim.data import Split, load_data
from sim.forgetting_figure import last_blocks, plot_forgetting, since_shown
from sim.grid import folder_name
from sim.run_folder import WEIGHTS, RunFolder, read_weights
from sim.train import prepare, resume, start
from tests.sim.conftest import engine_of, presentation

LABELS = np.random.default_rng(3).integers(0, 4, 203)
BY_CLASS = TrainConfig(batch_size=10, presentation="by-class", seed=5)
RUN = {"net": "Full 8; Output", "engine": "reference", "dtype": "float64", "batch_size": 10, "eta": 0.5}


@pytest.fixture
def four(tmp_path):
    """Four classes that are easily told apart: each has a corner of its own that is bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(250) % 4
    images = 0.2 * rng.random((250, 4))
    images[np.arange(250), labels] += 0.8
    np.savez(tmp_path / "four.npz", images=images.reshape(-1, 1, 2, 2), labels=labels)
    return str(tmp_path / "four.npz")


def shown(config, epoch=1):
    return [LABELS[block.images] for block in blocks_of(config, LABELS, epoch)]


def turns(config, epoch):
    """The classes of the blocks of an epoch."""
    return [block.label for block in blocks_of(config, LABELS, epoch) if block.label is not None]


def test_a_mixed_epoch_is_one_block_in_the_order_it_always_had():
    (block,) = blocks_of(TrainConfig(seed=5), LABELS, 3)
    assert block.label is None
    assert np.array_equal(block.images, stream(5, "batches", 3).permutation(len(LABELS)))


def test_settings_of_blocks_leave_the_names_of_other_runs_alone():
    assert identity(TrainConfig()) == {} and folder_name(TrainConfig()) == "simpnet-urfb-digits-seed0-44136fa3"
    names = {folder_name(each) for each in (TrainConfig(), BY_CLASS, replace(BY_CLASS, block=2))}
    assert len(names) == 3
    assert BY_CLASS.variations == ["by-class"]


@pytest.mark.parametrize("changes", [{}, {"block": 2}, {"refresh": 0.3}, {"block": 1, "refresh": 1.0}])
def test_every_image_is_shown_once_an_epoch(changes):
    config = replace(BY_CLASS, **changes)
    images = np.concatenate([block.images for block in blocks_of(config, LABELS, 2)])
    assert np.array_equal(np.sort(images), np.arange(len(LABELS)))
    again = np.concatenate([block.images for block in blocks_of(config, LABELS, 2)])
    assert np.array_equal(images, again)  # from the seed and the epoch alone


def test_a_block_shows_all_of_a_class_and_the_classes_come_in_another_order_each_epoch():
    blocks = blocks_of(BY_CLASS, LABELS, 1)
    assert [set(labels) for labels in shown(BY_CLASS)] == [{block.label} for block in blocks]
    assert [len(block.images) for block in blocks] == [int((LABELS == block.label).sum()) for block in blocks]
    orders = {tuple(turns(BY_CLASS, epoch)) for epoch in range(1, 30)}
    assert len(orders) > 10 and all(sorted(order) == [0, 1, 2, 3] for order in orders)


def test_short_blocks_take_turns_until_each_class_is_through():
    blocks = blocks_of(replace(BY_CLASS, block=2), LABELS, 1)
    assert [set(LABELS[block.images]) for block in blocks] == [{block.label} for block in blocks]
    labels = turns(replace(BY_CLASS, block=2), 1)
    assert sorted(labels[:4]) == [0, 1, 2, 3] and labels[4:8] == labels[:4]
    counts = np.bincount(LABELS)
    assert labels.count(0) == -(-counts[0] // 20)
    assert {len(block.images) for block in blocks[:4]} == {20}
    assert updates_of(replace(BY_CLASS, block=2), LABELS) == sum(-(-counts // 10)) == updates_of(BY_CLASS, LABELS)
    assert updates_of(TrainConfig(batch_size=10), LABELS) == 21


def test_refreshing_strews_images_of_other_classes_over_the_blocks():
    share = 0.4
    config = replace(BY_CLASS, refresh=share)
    foreign = [
        np.mean([label != block.label for label in LABELS[block.images]])
        for epoch in range(1, 21)
        for block in blocks_of(config, LABELS, epoch)
    ]
    expected = share * (1 - 1 / 4)  # an image that changes places finds any of four classes there
    assert abs(np.mean(foreign) - expected) < 0.03
    assert blocks_of(replace(BY_CLASS, refresh=0.0), LABELS, 1)[0].label is not None
    assert all(len(a) == len(b) for a, b in zip(shown(config), shown(BY_CLASS), strict=True))


def test_a_run_records_the_error_of_every_class_after_every_block(four, tmp_path):
    settings = {**RUN, "data": four, "presentation": "by-class", "epochs": 2}
    run = start(make_config(settings), tmp_path / "run", progress=False)
    data = load_data(four)
    for epoch, row in enumerate(RunFolder(run.folder).read_metrics(), 1):
        blocks = blocks_of(run.config, data.train.labels, epoch)
        assert row["block_class"] == [block.label for block in blocks]
        assert np.shape(row["block_error"]) == (4, 4)
        # The last block is the end of the epoch; here all images are looked at.
        last = np.array(row["block_error"][-1]) @ np.bincount(data.test.labels) / len(data.test)
        assert last == pytest.approx(row["test_error"], abs=1e-12)
        for label, errors in zip(row["block_class"], row["block_error"], strict=True):
            assert errors[label] == 0  # the class that has just been shown
    assert max(run.rows[-1]["block_error"][0]) == 1  # while another has been forgotten
    assert (run.folder / "forgetting.svg").exists()


def test_blocks_go_through_the_updates_one_by_one_and_a_run_goes_on_to_the_same_bits(four, tmp_path):
    settings = {**RUN, "data": four, "presentation": "by-class", "block": 2, "refresh": 0.1, "schedule": "2:.5"}
    config = make_config({**settings, "epochs": 2})
    whole = start(config, tmp_path / "whole", progress=False)
    start(make_config({**settings, "epochs": 1}), tmp_path / "parts", progress=False)
    parts = resume(tmp_path / "parts", {"epochs": 2}, progress=False)
    ours, theirs = (read_weights(each.folder / WEIGHTS)[0].arrays() for each in (whole, parts))
    assert all(np.array_equal(value, theirs[name]) for name, value in ours.items())
    assert [row["block_error"] for row in whole.rows] == [row["block_error"] for row in parts.rows]

    # Restated: one update after the other, eta halved from the second epoch on.
    data, spec, how = prepare(config)
    engine = engine_of("reference", spec, read_start(spec, config), "urfb", eta=0.5, update=how.update)
    step = 0
    for epoch in (1, 2):
        for block in blocks_of(config, data.train.labels, epoch):
            for begin in range(0, len(block.images), 10):
                batch = data.train[block.images[begin : begin + 10]]
                engine.learn(batch.images, batch.labels, step)
                step += 1
    assert how.update.factor(step // 2 - 1) == 1 and how.update.factor(step // 2) == 0.5
    assert all(np.array_equal(value, ours[name]) for name, value in engine.weights().arrays().items())


def read_start(spec, config):
    from network.rules import make_rule
    from network.weights import Weights

    return Weights.draw(spec, config.seed, make_rule(config.rule), dtype=config.dtype)


def test_equally_many_images_of_each_class_are_looked_at():
    spec, weights, *_ = presentation("Output", "urfb", shape=(1, 2, 2), classes=3)
    engine = engine_of("reference", spec, weights, "urfb")
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 4000, p=[0.6, 0.3999, 0.0001])
    test = Split(rng.random((4000, 1, 2, 2)), labels)
    forgetting = Forgetting(engine, test, 4)
    assert forgetting.row() == {}
    forgetting.see(1)
    ((errors,),) = [forgetting.row()["block_error"]]
    found = engine.outputs(test.images).argmax(1)
    for label in (0, 1):
        some = np.flatnonzero(labels == label)[: TESTED // 4]
        assert errors[label] == np.mean(found[some] != label)
    assert np.isnan(errors[3]) and forgetting.row() == {}


def test_the_curve_of_forgetting_is_the_error_by_blocks_since_a_class_was_shown():
    shown, errors = np.array([1, 0, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.5], [0.6, 0.3], [0.4, 0.7]])
    now, later = since_shown(shown, errors)
    assert sorted(now) == [0.1, 0.2, 0.3, 0.4] and sorted(later) == [0.5, 0.6, 0.7]


def test_the_figure_shows_the_last_epochs():
    rows = [{"block_class": [1, 0], "block_error": [[0.9, 0.1 * epoch], [0.2, 0.5]]} for epoch in range(5)]
    labels, errors = last_blocks(rows)
    assert labels.tolist() == [1, 0] * 3 and errors[0, 1] == pytest.approx(0.2)
    image = plot_forgetting([{"epoch": 1}, *rows])
    assert np.asarray(image.get_array()).shape == (2, 6)


@pytest.mark.parametrize("name", ["block", "refresh"])
def test_blocks_without_classes_are_one_line(name):
    with pytest.raises(BadInput, match=f"{name} 1.*: only with presentation by-class"):
        prepare(make_config({name: 1}))
