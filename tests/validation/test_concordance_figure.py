"""The figure of rules beside back-propagation: what it draws of runs that were measured, wholly or in part."""

import numpy as np
import pytest

from network.spec import NetworkSpec
from sim.experiments import EXPERIMENTS
from sim.experiments.runs import Planned, Result
from validation.concordance_figure import concordance_figure, was_measured

POINTS = EXPERIMENTS["concordance"].points()


def result(layers, epochs, seed=0, angle=70.0, since=1):
    rows = []
    for epoch in range(1, epochs + 1):
        measured = {"delta_angle": [angle + seed] * (layers - 1) + [0.0], "sign_concordance": [None] * layers}
        rows.append({"epoch": epoch, **(measured if epoch >= since else {})})
    return Result(Planned(POINTS[0], seed, None), rows)


def spec_of(layers):
    return NetworkSpec.parse("; ".join(["Full 5"] * (layers - 1) + ["Output"]), (1, 3, 3), 4)


def test_few_layers_have_curves_over_the_epochs_that_all_seeds_have():
    lines = {"URFB": [result(3, 4), result(3, 3, seed=2)], "FRFB": [result(3, 4, angle=80.0, since=3)]}
    figure = concordance_figure(lines, spec_of(3))
    assert len(figure.axes) == 4
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert np.asarray(drawn["URFB"].get_xdata()).tolist() == [1, 2, 3]
    assert drawn["URFB"].get_ydata() == pytest.approx([71.0] * 3)
    assert np.asarray(drawn["FRFB"].get_xdata()).tolist() == [3, 4]
    assert np.isnan(np.asarray(figure.axes[2].lines[0].get_ydata())).all()  # what is undefined leaves a gap


def test_many_layers_have_the_last_epoch_against_the_layer():
    figure = concordance_figure({"URFB": [result(8, 3)]}, spec_of(8))
    assert len(figure.axes) == 2
    assert np.asarray(figure.axes[0].lines[0].get_xdata()).tolist() == list(range(1, 8))


def test_runs_that_were_not_measured_are_seen():
    assert was_measured([result(3, 2)])
    assert not was_measured([result(3, 2, since=9), Result(Planned(POINTS[0], 0, None), [])])
    assert concordance_figure({"URFB": [result(3, 2, since=9)]}, spec_of(3)).axes  # and draw nothing
