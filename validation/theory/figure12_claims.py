"""What section 5.1 says about figure 12, run by run."""

from collections.abc import Sequence

import numpy as np

from validation.claims import Claim
from validation.theory.equations import Array
from validation.theory.figure12 import Run, Settings, continuous
from validation.tolerances import THEORY

NEGLIGIBLE = -6.0  # log10 of e^2 at the end over e^2 at the start
CLOSE_TO_ONE = 0.9
# Between which errors the differential equations are compared: the fraction left of e^2, and log10 of e^2.
FALLEN, COMPARED = 0.99, -8.0


def figure12_claims(runs: Sequence[Run]) -> list[Claim]:
    """All claims about figure 12, each over all runs and with its worst run.

    Parameters
    ----------
    runs : sequence of Run
        Of the same settings.
    """
    settings = runs[0].settings
    final = np.stack([run.correlation[:, :, -1] for run in runs])  # (runs, epsilons, k)
    return [
        *_errors(runs),
        _spread(runs),
        _at_least(
            "figure 12: top layer",
            "The correlation of W_l and R_l^t in the top layer comes very close to 1, for every epsilon.",
            final[:, :, -1],
            CLOSE_TO_ONE,
            f"The least of {len(runs)} runs.",
        ),
        _below(
            "figure 12: FRFB below the top",
            "With epsilon = 0 the correlations of the layers below stay away from 1.",
            final[:, 0, :-1],
            0.5,
        ),
        _at_least(
            "figure 12: correlations",
            "They end higher the larger epsilon is, in each layer.",
            np.diff(final, axis=1),
            0.0,
            "The least increase between neighbours in epsilon.",
        ),
        _at_least(
            "figure 12: input over middle",
            "With epsilon = 1 the correlation of the input layer ends slightly higher than that of the middle layer.",
            final[:, -1, 0] - final[:, -1, 1],
            0.0,
            "The least difference.",
        ),
        _smaller_epsilon(final, settings),
        _continuous(settings, runs[0]),
    ]


def ordering(run: Run) -> tuple[float, float, int]:
    """Whether log-errors are in the order of epsilon.

    Returns
    -------
    least : float
        The smallest difference of log10 e^2 between neighbours in epsilon over all iterations; negative where the
        order is broken.
    later : float
        The same from `resolved` on.
    resolved : int
        The first iteration at which every difference is more than rounding.
    """
    gap = -np.diff(run.log_error[1:], axis=0)
    resolved = int(np.argmax((gap > THEORY["rounding"].relative).all(axis=0)))
    return float(gap.min()), float(gap[:, resolved:].min()), resolved


def _errors(runs: Sequence[Run]) -> list[Claim]:
    found = [ordering(run) for run in runs]
    bound = THEORY["rounding"].relative
    kept = [least > -bound and later > bound for least, later, _ in found]
    last = [(-np.diff(run.log_error[1:, -1])).min() for run in runs]
    fallen = np.array([run.log_error[:, -1] - run.log_error[:, 0] for run in runs])
    ahead = [int(np.flatnonzero(run.log_error[0] <= run.log_error[1:].min(axis=0)).max(initial=0)) for run in runs]
    return [
        Claim(
            "figure 12: ordering",
            "The error decreases with epsilon at every iteration, in every run.",
            "section 5.1, figure 12",
            f"{sum(kept)} of {len(runs)} runs",
            "all",
            all(kept),
            f"From iteration {max(resolved for *_, resolved in found)} on every difference is more than rounding, and "
            f"within it before; at the end neighbours in epsilon differ by {min(last):.2g} or more in log10 e^2.",
        ),
        Claim(
            "figure 12: negligible error",
            "All five algorithms have negligible error after the last iteration.",
            "section 5.1",
            float(fallen.max()),
            f"<= {NEGLIGIBLE:g}",
            bool(fallen.max() <= NEGLIGIBLE),
            "log10 of e^2 at the end over e^2 at the start; the worst of all.",
        ),
        Claim(
            "figure 12: BP",
            "The last iteration at which back-propagation, from random weights, is ahead of every epsilon, from W = 0.",
            "figure 12",
            "iteration " + ", ".join(map(str, ahead)),
            "",
            None,
            "At the end its log10 e^2 is " + ", ".join(f"{run.log_error[0, -1]:.1f}" for run in runs) + "; that of "
            "epsilon = 1 " + ", ".join(f"{run.log_error[-1, -1]:.1f}" for run in runs) + ".",
        ),
    ]


def _spread(runs: Sequence[Run]) -> Claim:
    """Mean and standard deviation over runs of the last log-error."""
    last = np.stack([run.log_error[:, -1] for run in runs])
    deviation = last.std(axis=0, ddof=1) if len(runs) > 1 else np.full(last.shape[1], np.nan)
    spread = zip(runs[0].settings.labels, last.mean(axis=0), deviation, strict=True)
    return Claim(
        "figure 12: spread",
        "log10 e^2 after the last iteration, mean and standard deviation over runs, for BP and each epsilon.",
        "figure 12",
        f"{len(runs)} runs",
        "",
        None,
        "; ".join(f"{label}: {mean:.1f} ± {sd:.1f}" for label, mean, sd in spread) + ".",
    )


def _at_least(name: str, statement: str, values: Array, bound: float, note: str) -> Claim:
    least = float(values.min())
    return Claim(name, statement, "section 5.1, figure 12", least, f"> {bound:g}", bool(least > bound), note)


def _below(name: str, statement: str, values: Array, bound: float) -> Claim:
    largest = float(values.max())
    return Claim(
        name, statement, "section 5.1, figure 12", largest, f"< {bound:g}", bool(largest < bound), "The largest."
    )


def _smaller_epsilon(final: Array, settings: Settings) -> Claim:
    """The order of input and middle layer at the other epsilon, which the text does not tell apart."""
    higher = final[:, :-1, 0] > final[:, :-1, 1]
    counted = ", ".join(
        f"{epsilon:g} in {n} of {len(final)}" for epsilon, n in zip(settings.epsilons, higher.sum(0), strict=False)
    )
    return Claim(
        "figure 12: input over middle, epsilon < 1",
        "Runs in which the input layer's correlation ends above the middle layer's.",
        "section 5.1",
        f"{higher.sum()} of {higher.size}",
        "",
        None,
        f"Epsilon {counted} runs. R_1 carries nothing: with epsilon = 0 it stays uncorrelated.",
    )


def _continuous(settings: Settings, run: Run) -> Claim:
    """The iterations against the differential equations that they stand for."""
    iterations, log_error = continuous(settings, run.seed)
    # From where the errors have begun to fall: before, they differ by less than the integration's error.
    compared = (log_error > COMPARED).all(axis=0) & (log_error[-1] < log_error[-1, 0] + np.log10(FALLEN))
    gap = -np.diff(log_error[:, compared], axis=0)
    at = np.round(iterations[compared]).astype(int)
    apart = np.abs(run.log_error[1:, at] - log_error[:, compared]).max()
    bound = THEORY["single"].relative
    return Claim(
        "figure 12: continuous time",
        "The differential equations, integrated by scipy, have the same order of errors.",
        "equation (9)",
        float(gap.min()),
        f"> {bound:g}",
        bool(gap.min() > bound),
        f"Seed {run.seed}, at {compared.sum()} times, from e^2 = {FALLEN:g} of its start to 10^{COMPARED:g}. "
        f"The iterations, steps of {settings.step:g}, differ from them by up to {apart:.2g} in log10 e^2.",
    )
