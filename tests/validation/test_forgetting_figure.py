"""Curves of forgetting and the figures of it, from rows of which everything is known."""

import numpy as np
import pytest

from sim.experiments import EXPERIMENTS
from sim.experiments.forgetting import FORGOTTEN
from sim.experiments.runs import Planned, Result
from tests.sim.test_experiments import row
from validation.forgetting_figure import (
    blocks_figure,
    forgetting_curve,
    forgetting_figure,
    forgetting_pictures,
    in_blocks,
)

POINTS = {point.cell: point for point in EXPERIMENTS["forgetting"].points()}
# Three classes, each forgotten by half with every block of another.
EPOCH = {"block_class": [2, 0, 1], "block_error": [[1, 1, 0], [0, 1, 0.5], [0.5, 0, 0.75]]}


def result(presentation, protocol, seed=0, **values):
    return Result(Planned(POINTS["CIFAR10", presentation, protocol], seed, None), [row(**values)])


def results():
    found = [result("mixed", rule, test_error=0.2) for rule in ("BP", "URFB")]
    for presentation in ("by class", "by class, 10% refreshed"):
        found += [result(presentation, rule, seed, **EPOCH) for rule in ("BP", "URFB") for seed in (0, 1)]
    return found


def test_what_is_forgotten_is_the_rise_from_the_block_of_a_class_to_the_end():
    assert FORGOTTEN.of([row(**EPOCH)]) == pytest.approx((0.75 + 0.5) / 2)  # classes 2 and 0; 1 came last
    twice = {"block_class": [0, 1, 0, 1], "block_error": [[0, 1], [0.9, 0], [0.1, 0.4], [0.7, 0.1]]}
    assert FORGOTTEN.of([row(**EPOCH), row(**twice)]) == pytest.approx(0.6)
    assert FORGOTTEN.of([row()]) is None


def test_curves_are_means_over_classes_and_seeds_while_there_are_enough():
    some = [each for each in results() if each.run.point.cell == ("CIFAR10", "by class", "BP")]
    assert forgetting_curve(some).tolist() == [0, 0.5]  # 6 values, 4 values; of the two after that 0.75 is too few
    assert len(forgetting_curve(some[:1])) == 1


def test_figures_have_a_panel_a_presentation_and_a_line_a_rule():
    assert list(in_blocks(results())) == [("CIFAR10", "by class"), ("CIFAR10", "by class, 10% refreshed")]
    figure = forgetting_figure(results())
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["CIFAR10, by class", "CIFAR10, by class, 10% refreshed"]
    for ax in figure.axes:
        solid = [line for line in ax.lines if line.get_linestyle() == "-"]
        assert [np.asarray(line.get_ydata()).tolist() for line in solid] == [[0, 50]] * 2
        assert len(ax.lines) == 4  # dotted: mixed
    lines = in_blocks(results())["CIFAR10", "by class"]
    assert [ax.get_title(loc="left") for ax in blocks_figure(lines).axes][:2] == ["BP, seed 0", "URFB, seed 0"]


def test_pages_of_mixed_runs_have_none_of_it():
    assert forgetting_pictures([result("mixed", "BP")]) == []
    assert len(forgetting_pictures(results())) == 3
