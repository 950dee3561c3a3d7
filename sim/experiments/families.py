"""Families that neither paper runs on images: how much R learns (epsilon), and how fast it forgets (lambda)."""

from sim.experiments.amit import ONLY_CIFAR10, SETTINGS
from sim.experiments.experiment import Axis, Expectation, Experiment, Variant

RATES = (0.0, 0.25, 0.5, 1.0)  # as in figure 12
DECAYS = (0.0, 1e-4, 1e-3, 1e-2)

EPSILON = Experiment(
    name="epsilon",
    paper="extension",
    where="equation (7), figure 12",
    title="From FRFB to URFB: R changes by epsilon times the increment of W",
    outcome=(
        "The paper shows for linear networks that the error falls faster the larger epsilon is (section 5); it runs no "
        "image experiment between epsilon 0 (FRFB) and 1 (URFB). This does, with simpnet.",
    ),
    base={**SETTINGS, "net": "simpnet", "rule": "urfb"},
    axes=(ONLY_CIFAR10, Axis("epsilon", tuple(Variant(f"{rate:g}", {"feedback_rate": rate}) for rate in RATES))),
    figure="curves",
    expectations=(
        Expectation(
            "faster-with-epsilon",
            "The error falls faster with epsilon 1 than with epsilon 0.",
            "section 5",
            ((1, {"epsilon": "0"}), (-1, {"epsilon": "1"})),
            "more",
        ),
        Expectation(
            "halfway",
            "The error falls faster with epsilon .5 than with epsilon 0.",
            "section 5",
            ((1, {"epsilon": "0"}), (-1, {"epsilon": "0.5"})),
            "more",
        ),
    ),
)

DECAY = Experiment(
    name="decay",
    paper="extension",
    where="Kolen and Pollack (1994)",
    title="URFB with decay: W and R both lose a share lambda of themselves with each update",
    outcome=(
        "Without decay W - R stays what it was at the start; with it the difference dies out as (1 - lambda)^updates. "
        "Amit runs lambda 0.",
    ),
    base={**SETTINGS, "net": "simpnet", "rule": "urfb"},
    axes=(ONLY_CIFAR10, Axis("lambda", tuple(Variant(f"{each:g}", {"feedback_decay": each}) for each in DECAYS))),
    figure="curves",
)
