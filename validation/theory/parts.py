"""The parts of the theory, each checked: claims and figures, as ``hebb theory`` shows them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from circuits.figures import figure_of
from network.errors import BadInput, unknown
from validation.claims import Claim
from validation.theory.figure12 import Settings, simulate
from validation.theory.figure12_claims import figure12_claims
from validation.theory.figures import (
    counterexamples_figure,
    figure_12,
    figure_12_spread,
    plot_margins,
    plot_second,
    scalar_figure,
)
from validation.theory.outside import map_of_second, outside_theorem_1, outside_theorem_2
from validation.theory.scalar_claims import scalar_claims
from validation.theory.theorem_claims import check_explicit, check_theorem_1, check_theorem_2

DRAWS, QUICK_DRAWS = 10_000, 1_000
RUNS = 3
# Outside the hypotheses: one scalar system for so many draws, and one network of each size, which takes longer.
OUTSIDE, NETWORKS = 10, 50
TIMES = (
    '"Every time" is some hundred times of each system, closer where it changes faster: from where lambda_1 is about '
    "an eighth of lambda_R,2 or less to where every error is e^-19 of what it was."
)


@dataclass(frozen=True)
class Part:
    """A part of the theory, checked: its claims and its figures, by file name."""

    title: str
    text: str
    claims: tuple[Claim, ...]
    figures: dict[str, tuple[Figure, str]]


@dataclass(frozen=True)
class Asked:
    """How much is to be checked.

    Attributes
    ----------
    draws : int
        Random systems of each theorem.
    runs : int
        Of figure 12, each with its seed.
    seed : int
        Of everything random.
    settings : Settings
        Of figure 12.
    progress : bool
        Whether to show progress bars on stderr.
    """

    draws: int = DRAWS
    runs: int = RUNS
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    progress: bool = True

    def __post_init__(self) -> None:
        for flag, value, least in (("--draws", self.draws, 1), ("--runs", self.runs, 1), ("--seed", self.seed, 0)):
            if value < least:
                raise BadInput(f"{flag} {value}: expected at least {least}")


def check_theory(name: str = "all", asked: Asked | None = None) -> list[Part]:
    """Check a part of section 5 and Appendix 2, or all: ``hebb theory`` without its page.

    Parameters
    ----------
    name : {"scalar", "theorem1", "theorem2", "fig12", "all"}
    asked : Asked, optional
        How much; what the command does by default where not given.

    Raises
    ------
    BadInput
        For a part that there is not.
    """
    if name != "all" and name not in CHECKS:
        raise unknown("part of the theory", name, (*CHECKS, "all"))
    return [CHECKS[each](asked or Asked()) for each in (CHECKS if name == "all" else (name,))]


def _bar(asked: Asked, what: str, total: int) -> tuple[tqdm, Callable[[int], None]]:
    """A progress bar, and what tells it how much is done."""
    bar = tqdm(total=total, desc=what, unit="system", disable=not asked.progress, leave=False)

    def tell(done: int) -> None:
        bar.update(done - bar.n)

    return bar, tell


def _scalar(asked: Asked) -> Part:
    return Part(
        "The equations",
        "Closed forms, invariants and reductions against what scipy integrates.",
        tuple(scalar_claims(asked.seed, max(20, asked.draws // NETWORKS))),
        {
            "scalar.png": (
                scalar_figure(),
                "Equation (15) with λ_T .9, λ_R,2 .1 and, for k = 3, λ_R,3 .04. The last λ ends lower the larger ε is.",
            )
        },
    )


def _outside(asked: Asked) -> tuple[int, int]:
    """How many systems and networks are drawn outside the hypotheses."""
    return max(20, asked.draws // OUTSIDE), max(20, asked.draws // NETWORKS)


def _drawn(figure: Axes, caption: str) -> tuple[Figure, str]:
    return figure_of(figure), caption


def _theorem_1(asked: Asked) -> Part:
    bar, tell = _bar(asked, "Theorem 1", asked.draws)
    with bar:
        checked = check_theorem_1(asked.seed, asked.draws, tell)
    margins = plot_margins(checked.margins, ("rate", "error", "lambda_1"), title=f"Theorem 1: {asked.draws:,} systems")
    return Part(
        "Theorem 1: two layers",
        f"Random systems within the hypotheses, and what happens outside them. {TIMES}",
        (*checked.claims, *outside_theorem_1(asked.seed, *_outside(asked))),
        {
            "theorem1.png": _drawn(margins, "The least increase with ε over all times, for every system drawn."),
            "counterexamples.png": (counterexamples_figure(), "Outside: networks in which a larger ε is behind."),
        },
    )


def _theorem_2(asked: Asked) -> Part:
    bar, tell = _bar(asked, "Theorem 2", 2 * asked.draws)
    with bar:
        checked = check_theorem_2(asked.seed, asked.draws, tell)
        explicit = check_explicit(asked.seed, asked.draws, lambda done: tell(asked.draws + done))
    margins = plot_margins(checked.margins, ("rate", "error", "lambda_2"), title=f"Theorem 2: {asked.draws:,} systems")
    return Part(
        "Theorem 2: three layers",
        f"Random systems within the hypotheses, the same with an explicit bound, and what happens outside. {TIMES}",
        (*checked.claims, *explicit.claims, *outside_theorem_2(asked.seed, *_outside(asked))),
        {
            "theorem2.png": _drawn(margins, "The least increase with ε over all times, for every system drawn."),
            "lambda2.png": _drawn(
                plot_second(*map_of_second()),
                "Where λ_2 increases with ε. Theorem 2 speaks to the right of the line and below the dotted one; the "
                "explicit bound reaches up to the dashed one.",
            ),
        },
    )


def _fig12(asked: Asked) -> Part:
    settings = asked.settings
    seeds = range(asked.seed, asked.seed + asked.runs)
    runs = [
        simulate(settings, seed)
        for seed in tqdm(seeds, "figure 12", unit="run", disable=not asked.progress, leave=False)
    ]
    return Part(
        "Figure 12",
        f"A network with layers of {', '.join(map(str, settings.sizes))} units; matrices of the target with sd "
        f"{settings.target_sd:g}, W(0) of back-propagation {settings.weight_sd:g}, R(0) {settings.feedback_sd:g}; "
        f"{settings.iterations} iterations with steps of {settings.step:g}.",
        tuple(figure12_claims(runs)),
        {
            "fig12.png": (figure_12(runs), "Figure 12: log-error, and correlation of W_l and R_l^t in each layer."),
            "fig12-spread.png": (figure_12_spread(runs), "The same over all runs: mean, lowest and highest."),
        },
    )


CHECKS = {"scalar": _scalar, "theorem1": _theorem_1, "theorem2": _theorem_2, "fig12": _fig12}
