"""Finite timing approaches ideal timing as e^{-T/tau} (claim: a settled circuit computes the algorithm)."""

import numpy as np
import pytest

from circuits.figures import figure_of
from network.rules import ORDERS, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.data import load_data
from sim.engine import Settings
from sim.event.engine import EventEngine
from sim.schedule import Event, Timing
from sim.schedule_plan import Schedule
from tests.sim.conftest import engine_of, presentation
from validation.settling import Settling, measure_settling, plot_convergence
from validation.tolerances import TOLERANCES

RATIOS = range(2, 22, 2)
DIGITS = {"full": "Full 40; Full 30; Output", "conv": "Conv 6 3x3; Maxpool 3; Drop .3; Full 30; Output"}
RANDOM = [
    "Full 6; Output",
    "Local 3 2x2; Avgpool 2/1; Full 9; Full 8; Full 7; Output",
    "Conv 3 3x3; Conv 3 2x2; SUM; Maxpool 2/2; Local 3 3x3; Full 6; Output",
]


def settling_of(case, rule, order="before_update", ratios=RATIOS):
    spec, weights, images, labels = case
    settings = Settings(make_rule(rule), order=order, dtype="float64", device="cpu")
    return measure_settling(spec, weights, images, labels, settings, ratios)


def digits(net, rule):
    data = load_data("digits", None)
    spec = NetworkSpec.parse(net, data.image_shape, data.classes)
    weights = Weights.draw(spec, 0, make_rule(rule))
    for values in (weights.W, weights.R):
        for i in values:
            values[i] = values[i] * 2
    return spec, weights, data.train.images[:50] / 255, data.train.labels[:50]


def check(found: Settling, quantities):
    assert set(found.errors) == set(quantities)
    for quantity in found.errors:
        slope, _, off = found.line(quantity)
        assert abs(slope + 1) <= TOLERANCES["settling"].relative, quantity
        assert off <= TOLERANCES["settling line"].relative, quantity
    assert found.clean[-5:].all()  # the line is as long as that


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rule", ["urfb", "frfb", "bph"])
@pytest.mark.parametrize("net", DIGITS)
def test_digits(net, rule, order):
    found = settling_of(digits(DIGITS[net], rule), rule, order)
    check(found, {"h", "delta", "dW"} | ({"dR"} if rule == "urfb" else set()))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("net", RANDOM)
def test_random_networks(net, seed):
    case = presentation(net, "urfb", images=5, shape=(2, 7, 6), classes=4, seed=seed, scale=2.0)
    check(settling_of(case, "urfb"), {"h", "delta", "dW", "dR"})


def test_units_misjudged_for_lack_of_time_are_counted_and_left_out():
    found = settling_of(digits(DIGITS["full"], "urfb"), "urfb")
    assert found.misjudged[0] > 0 and not found.clean[0]
    slope, intercept, _ = found.line("delta")
    off = np.abs(np.log(found.errors["delta"]) - intercept - slope * found.ratios)
    assert off[~found.clean].max() > 1  # they would have hidden the line


def test_no_line_through_too_few_points():
    found = Settling(np.arange(4.0), {"h": np.exp(-np.arange(4.0))}, np.array([1, 0, 0, 0]))
    with pytest.raises(ValueError, match="that makes no line"):
        found.line("h")


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 4.0])
def test_the_first_layer_misjudges_those_that_have_not_come_to_saturation_yet(ratio):
    """With u and v latched T after the input arrived: exactly the units with 1 < |h| < 1 / (1 - e^{-T/tau})."""
    spec, weights, images, labels = presentation(
        "Full 30; Output", "urfb", images=200, shape=(1, 4, 4), classes=5, scale=3.0
    )
    right = engine_of("event", spec, weights, "urfb").present(images, labels)
    timing = Timing.settled(ratio)
    schedule = Schedule(spec, timing=timing)
    early = schedule.times[Event("settle", 1)] - schedule.times[Event("latch", 1)]
    engine = engine_of("event", spec, weights, "urfb", timing=timing)
    assert isinstance(engine, EventEngine)
    found = engine.present(images, labels, schedule.shift({Event("latch", 1): early}).run("record"))
    size = np.abs(right.h[1])
    expected = (size >= 1) & (size < 1 / (1 - np.exp(-ratio)))
    assert np.array_equal((size >= 1) & (found.delta[1] != 0), expected)
    assert found.meta["misjudged"] == {1: np.count_nonzero(expected)} and expected.any()


def test_figure():
    ax = plot_convergence(settling_of(digits(DIGITS["full"], "urfb"), "urfb"))
    assert [label for line in ax.lines if not (label := str(line.get_label())).startswith("_")] == [
        "h: slope -1.000", "δ: slope -1.000", "ΔW: slope -1.000", "ΔR: slope -1.000", "with misjudged units",
        r"$e^{-T/\tau}$",
    ]  # fmt: skip
    assert figure_of(ax).axes == [ax]
