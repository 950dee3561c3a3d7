"""The timing laboratory: each disturbance does what it says, and nothing where it is none."""

import json
from dataclasses import replace

import numpy as np
import pytest

from network.rules import ORDERS
from network.weights import Weights
from sim.config import make_config
from sim.laboratory import STUDIES, Bench, Disturbance, measure, settings_of
from sim.laboratory import disturbance as wrong
from sim.laboratory.measure import compare_updates
from sim.laboratory.studies import timed
from sim.schedule import Timing
from validation.tolerances import TOLERANCES

NET = "Full 12; Full 11; Full 9; Output"
LONG = {"timing": Timing.settled(40), "unchecked": True}  # nothing is left of what went before
PART = np.arange(12)


@pytest.fixture(scope="module")
def bench():
    return Bench.of(make_config({"net": NET, "batch_size": 30, "epochs": 1}))


@pytest.fixture(scope="module")
def weights(bench):
    """Weights large enough to saturate some units."""
    drawn = bench.draw(0)
    return Weights({i: 2 * W for i, W in drawn.W.items()}, drawn.R)


def presented(bench, weights, disturbance=None, seed=0):
    return bench.present(weights, bench.train[PART], disturbance or Disturbance(), seed)


def agree(found, expected, tolerance="float64"):
    assert expected.any()
    assert np.abs(found - expected).max() <= TOLERANCES[tolerance].relative * np.abs(expected).max()


def product(bench, above, below):
    return bench.settings.eta / len(PART) * above.T @ below.reshape(len(below), -1)


def test_without_disturbance_the_updates_are_the_algorithms(bench, weights):
    right = bench.algorithm(weights, bench.train[PART])
    found = compare_updates(presented(bench, weights)[0], right)
    assert max(found["delta_error"]) <= TOLERANCES["float64"].relative
    assert found["length"] == pytest.approx(1, rel=TOLERANCES["float64"].relative)
    assert max(found["angle"], *found["angle_dW"], *found["angle_dR"]) < 1e-4  # degrees; acos loses half of the digits


def test_in_finite_time_they_are_off_by_what_has_not_settled(bench, weights):
    right = bench.algorithm(weights, bench.train[PART])
    errors = [
        max(compare_updates(presented(bench, weights, Disturbance(settings=settings))[0], right)["delta_error"])
        for settings in (timed(), timed(slack=30.0))
    ]
    assert 1e-4 < errors[1] < errors[0] < 0.2


def test_both_ways_of_learning_make_the_same_updates(bench):
    """By the engine, and from the traces of presentations, as where tags wait."""
    immediate = Disturbance(partners=wrong.any_image(0.0))
    (ours, _), (theirs, _) = (bench.learn(1, disturbance) for disturbance in (Disturbance(), immediate))
    for i in ours.W:
        agree(ours.W[i], theirs.W[i], "trained")
        agree(ours.R[i], theirs.R[i], "trained")
        assert not np.array_equal(ours.W[i], bench.draw(1).W[i])


def test_nothing_is_dropped():
    dropping = Bench.of(make_config({"net": "Drop .2; Full 8; Drop .5; Output"}))
    assert dropping.spec.notation == "Full 8; Output"


@pytest.mark.parametrize("order", ORDERS)
def test_a_sweep_in_order_is_no_disturbance(bench, weights, order):
    bench = replace(bench, settings=replace(bench.settings, order=order))
    ordered = Disturbance(lambda planned, count, seed: wrong.sweep(planned.schedule, [4, 3, 2, 1]))
    trace, run = presented(bench, weights, ordered)
    assert not run.violations
    agree(trace.dW[1], presented(bench, weights)[0].dW[1])


def test_two_layers_in_the_wrong_order_take_activity_for_feedback(bench, weights):
    """Layer 2 comes before layer 3: it receives x of 3, and the gate of 3 finds delta of 2."""
    swapped = Disturbance(lambda planned, count, seed: wrong.sweep(planned.schedule, [4, 2, 3, 1]))
    trace, run = presented(bench, weights, swapped)
    right, passes = presented(bench, weights)[0], np.abs(trace.h[2]) < 1
    assert not passes.all()
    agree(trace.dW[4], right.dW[4])
    agree(trace.delta[2], passes * (trace.x[3] @ weights.R[3]))
    agree(trace.dW[3], product(bench, right.delta[3], trace.delta[2]))
    assert {"feedback arrived", "gate closed", "x feedforward"} <= run.counts.keys()


@pytest.mark.parametrize("neighbours", [True, False])
def test_the_share_of_disordered_sweeps(bench, neighbours):
    happens = wrong.disordered_sweep(0.3, neighbours=neighbours)
    planned = bench.happens(Disturbance(), 1, 0)
    disturbed = [bool(happens(planned, 1, seed).violations) for seed in range(200)]
    # Of the random orders of four layers one in 24 is right; of changes of places none.
    assert np.mean(disturbed) == pytest.approx(0.3 * (1 if neighbours else 23 / 24), abs=0.1)


def test_lost_feedback_silences_the_layers_below(bench, weights):
    lost = Disturbance(wrong.lost_feedback(1.0), LONG)
    trace, run = presented(bench, weights, lost)
    agree(trace.dW[4], presented(bench, weights, Disturbance(settings=LONG))[0].dW[4])
    assert all(np.abs(trace.delta[i]).max() < 1e-12 for i in (1, 2, 3))
    assert run.counts == {"feedback arrived": 3}


def test_late_feedback_does_nothing_within_the_slack(bench, weights):
    settings = timed(slack=30.0)
    right, _ = presented(bench, weights, Disturbance(settings=settings))
    within, quiet = presented(bench, weights, Disturbance(wrong.late_feedback(0.02), settings))
    beyond, loud = presented(bench, weights, Disturbance(wrong.late_feedback(0.2), settings))
    assert not quiet.violations and set(loud.counts) == {"feedback arrived"}
    near, far = (np.abs(trace.delta[1] - right.delta[1]).max() for trace in (within, beyond))
    assert near < far


def test_units_that_are_not_replaced_keep_their_activity(bench, weights):
    trace, _ = presented(bench, weights, Disturbance(wrong.missed_replacement(1.0, "unit"), LONG))
    agree(trace.dW[2], product(bench, trace.x[2], trace.x[1]), "trained")


def test_images_whose_replacements_are_missed(bench, weights):
    """Those of some images: their mean increments lie between those with all replaced, and none, image by image."""
    some = wrong.missed_replacement(0.5, "image")
    run = some(bench.happens(Disturbance(settings=LONG), len(PART), 3), len(PART), 3)
    masks = [firing.units for firing in run.firings if firing.units is not None]
    replaced = masks[0][:, 0]
    assert replaced.any() and not replaced.all()
    assert all((mask == replaced[:, None]).all() for mask in masks)
    trace, _ = presented(bench, weights, Disturbance(some, LONG), seed=3)
    right, _ = presented(bench, weights, Disturbance(settings=LONG))
    above = np.where(replaced[:, None], right.delta[2], right.x[2])
    agree(trace.dW[2], product(bench, above, right.x[1]), "trained")


def test_layers_that_are_not_replaced_differ_from_image_to_image(bench):
    run = wrong.missed_replacement(0.5, "layer")(bench.happens(Disturbance(), 50, 0), 50, 0)
    masks = [firing.units for firing in run.firings if firing.units is not None]
    assert all((mask == mask[:, :1]).all() for mask in masks)
    assert not np.array_equal(masks[0][:, 0], masks[1][:, 0])


def test_a_clock_with_little_jitter_keeps_the_requirements(bench, weights):
    settings = timed(slack=30.0)
    _, precise = presented(bench, weights, Disturbance(wrong.jittering_clock(0.003), settings))
    _, sloppy = presented(bench, weights, Disturbance(wrong.jittering_clock(0.05), settings))
    assert not precise.violations
    assert sloppy.violations


def test_units_with_times_of_their_own(bench, weights):
    trace, run = presented(bench, weights, Disturbance(wrong.jittering_units(0.01, ("latch",)), timed()))
    kinds = {firing.event.kind for firing in run.firings if firing.units is not None}
    assert kinds == {"latch"}
    assert not np.array_equal(trace.dW[1], presented(bench, weights, Disturbance(settings=timed()))[0].dW[1])


def test_partners_are_of_the_class(bench):
    labels, among, random = np.array([3, 1, 3, 0]), bench.train.labels, np.random.default_rng(0)
    found = wrong.image_of_the_class(1.0).draw(labels, among, random)
    assert np.array_equal(among[found], labels)
    assert not np.array_equal(among[wrong.any_image(1.0).draw(labels, among, random)], labels)


def test_gates_that_open_in_the_presentation_of_another_image(bench, weights):
    chosen = np.arange(12) + 40
    partners = wrong.Partners(1.0, lambda labels, among, random: chosen)
    trace, _ = presented(bench, weights, Disturbance(partners=partners))
    other = bench.algorithm(weights, bench.train[chosen])
    agree(trace.dW[3], product(bench, trace.delta[3], other.x[2]))
    agree(trace.dR[3], trace.dW[3])
    agree(trace.dW[1], product(bench, trace.delta[1], bench.train.images[chosen]))


def test_tags_that_wait_keep_w_minus_r_only_if_both_change_together(bench):
    start = bench.draw(0)
    gaps = []
    for apart in (False, True):
        learned, _ = bench.learn(0, Disturbance(consolidation=5.0, apart=apart))
        assert not np.array_equal(learned.W[2], start.W[2])
        gaps.append(np.abs((learned.W[2] - learned.R[2]) - (start.W[2] - start.R[2])).max())
    assert gaps[0] <= TOLERANCES["trained"].relative < gaps[1]


def test_batches_of_one_class_show_every_image_once(bench):
    batches = list(bench.batches(0, by_class=True))
    assert all(len(np.unique(bench.train.labels[batch])) == 1 for batch in batches)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(len(bench.train)))


def test_a_network_that_explodes_is_said_to_have_diverged(bench):
    steep = replace(bench, settings=replace(bench.settings, eta=1.0))
    learned, diverged = steep.learn(0, Disturbance(wrong.jittering_clock(0.1), timed()))
    assert diverged
    assert np.isfinite(steep.error(learned))


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_a_study_begins_with_no_disturbance_and_ends_with_some(bench, study):
    """The first value of each series gives small angles and the worst larger ones, or tags only wait."""
    short = replace(
        bench, settings=replace(bench.settings, eta=0.5), train=bench.train[: 600 if study.name == "phase" else 120]
    )
    worst = 0.5 if study.name == "phase" else study.values[-1]
    assert worst in study.values and set(study.few) <= set(study.values)
    for name in study.series:
        key = {"study": study.name, "series": name, "seed": 0}
        first, last = (measure(short, study, {**key, "value": value}) for value in (study.values[0], worst))
        assert json.loads(json.dumps(last, allow_nan=False)) == last
        # With D = 2 tau silent outputs come no nearer to 0 than e^-2.
        assert first["angle"] < (25 if name == "D = 2 τ" else 5), name
        if study.name == "consolidation":
            assert last["angle"] == first["angle"]
        else:
            assert last["angle"] is None or last["angle"] > 2 * first["angle"], name


def test_rows_of_a_study(bench):
    study = STUDIES["order"]
    keys = settings_of(study, 2, quick=True)
    assert len(keys) == 2 * len(study.series) * len(study.few)
    row = measure(replace(bench, train=bench.train[:90]), study, keys[0])
    assert row | keys[0] == row
    assert 0 <= row["test_error"] <= 1 and not row["diverged"] and row["violations"] == {}
