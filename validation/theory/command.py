"""Check section 5 and Appendix 2: the equations, Theorems 1 and 2 within and outside their hypotheses, figure 12.

examples:
  hebb theory
  hebb theory theorem2 --draws 20000 --seed 3
  hebb theory fig12 --runs 10 --feedback-sd 0.1
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from circuits.figures import figure_of, save
from network.errors import BadInput
from sim.cli.parser import add_json, report
from validation.claims import HEADER, Claim, all_pass, table
from validation.report import Picture, Report, Section
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

PARTS = ("scalar", "theorem1", "theorem2", "fig12")
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", nargs="?", default="all", choices=(*PARTS, "all"), help="what to check (default all)")
    parser.add_argument(
        "--draws", type=int, help=f"random systems of each theorem (default {DRAWS:,}; quick {QUICK_DRAWS:,})"
    )
    parser.add_argument(
        "--runs", type=int, default=RUNS, help=f"runs of figure 12, each with its seed (default {RUNS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default 0)")
    standard = Settings()
    for flag, value, what in (
        ("--weight-sd", standard.weight_sd, "of W(0) in back-propagation"),
        ("--feedback-sd", standard.feedback_sd, "of R(0)"),
        ("--step", standard.step, "of an iteration"),
    ):
        parser.add_argument(flag, type=float, default=value, help=f"figure 12: {what} (default {value:g})")
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    parser.add_argument(
        "--out", default="runs/theory", metavar="DIR", help="folder of report.html, theory.json, figures"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.draws is None:
        args.draws = QUICK_DRAWS if args.quick else DRAWS
    for flag, value, least in (("--draws", args.draws, 1), ("--runs", args.runs, 1), ("--seed", args.seed, 0)):
        if value < least:
            raise BadInput(f"{flag} {value}: expected at least {least}")
    for flag, value in (("--weight-sd", args.weight_sd), ("--feedback-sd", args.feedback_sd), ("--step", args.step)):
        if not 0 < value < 100:
            raise BadInput(f"{flag} {value:g}: expected a number above 0 and below 100")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    parts = [CHECKS[name](args) for name in (PARTS if args.part == "all" else (args.part,))]
    claims = list(chain.from_iterable(part.claims for part in parts))
    for part in parts:
        for name, (figure, _) in part.figures.items():
            save(figure, out / name)
    result = {
        "seed": args.seed,
        "draws": args.draws,
        "runs": args.runs,
        "passed": all_pass(claims),
        "claims": [claim.as_dict() for claim in claims],
    }
    (out / "theory.json").write_text(json.dumps(result, indent=2) + "\n")
    (out / "report.html").write_text(theory_report(parts, _command(args)).html(), encoding="utf-8")
    report(args, result, f"{table(claims)}\n{_verdict(claims)}\nreport: {out / 'report.html'}")
    return 0 if all_pass(claims) else 1


def theory_report(parts: list[Part], command: str) -> Report:
    """The parts as a page; `command` is what made them."""
    claims = list(chain.from_iterable(part.claims for part in parts))
    return Report(
        title="Updated random feedback in linear networks: theory checked",
        introduction=(
            "Y. Amit, Deep learning with asymmetric connections and Hebbian updates (2019), section 5 and Appendix 2: "
            "the larger epsilon, the rate at which feedback weights are updated, the faster the error goes to 0. "
            "Epsilon 0 is fixed random feedback (FRFB), 1 updated random feedback (URFB).",
            _verdict(claims),
        ),
        sections=[
            *(
                Section(
                    part.title,
                    text=(part.text,),
                    header=HEADER,
                    rows=[claim.row() for claim in part.claims],
                    figures=[
                        Picture.of(figure, f"{caption} Made by: {command}") for figure, caption in part.figures.values()
                    ],
                )
                for part in parts
            ),
            Section("Make it again", code=command),
        ],
    )


def _verdict(claims: list[Claim]) -> str:
    judged = [claim for claim in claims if claim.passed is not None]
    failed = [claim.name for claim in judged if not claim.passed]
    others = f"reported and not judged: {len(claims) - len(judged)}"
    if failed:
        return f"{len(failed)} of {len(judged)} claims FAIL: {', '.join(failed)}; {others}."
    return f"All {len(judged)} claims hold; {others}."


def _command(args: argparse.Namespace) -> str:
    words = ["hebb", "theory", args.part, "--draws", args.draws, "--runs", args.runs, "--seed", args.seed]
    standard = Settings()
    for flag, value, default in (
        ("--weight-sd", args.weight_sd, standard.weight_sd),
        ("--feedback-sd", args.feedback_sd, standard.feedback_sd),
        ("--step", args.step, standard.step),
    ):
        if value != default:
            words += [flag, f"{value:g}"]
    return " ".join(map(str, words))


def _bar(args: argparse.Namespace, what: str, total: int) -> tuple[tqdm, Callable[[int], None]]:
    """A progress bar, and what tells it how much is done."""
    bar = tqdm(total=total, desc=what, unit="system", disable=args.quiet, leave=False)

    def tell(done: int) -> None:
        bar.update(done - bar.n)

    return bar, tell


def _scalar(args: argparse.Namespace) -> Part:
    return Part(
        "The equations",
        "Closed forms, invariants and reductions against what scipy integrates.",
        tuple(scalar_claims(args.seed, max(20, args.draws // NETWORKS))),
        {
            "scalar.png": (
                scalar_figure(),
                "Equation (15) with λ_T .9, λ_R,2 .1 and, for k = 3, λ_R,3 .04. The last λ ends lower the larger ε is.",
            )
        },
    )


def _outside(args: argparse.Namespace) -> tuple[int, int]:
    """How many systems and networks are drawn outside the hypotheses."""
    return max(20, args.draws // OUTSIDE), max(20, args.draws // NETWORKS)


def _drawn(figure: Axes, caption: str) -> tuple[Figure, str]:
    return figure_of(figure), caption


def _theorem_1(args: argparse.Namespace) -> Part:
    bar, tell = _bar(args, "Theorem 1", args.draws)
    with bar:
        checked = check_theorem_1(args.seed, args.draws, tell)
    margins = plot_margins(checked.margins, ("rate", "error", "lambda_1"), title=f"Theorem 1: {args.draws:,} systems")
    return Part(
        "Theorem 1: two layers",
        f"Random systems within the hypotheses, and what happens outside them. {TIMES}",
        (*checked.claims, *outside_theorem_1(args.seed, *_outside(args))),
        {
            "theorem1.png": _drawn(margins, "The least increase with ε over all times, for every system drawn."),
            "counterexamples.png": (counterexamples_figure(), "Outside: networks in which a larger ε is behind."),
        },
    )


def _theorem_2(args: argparse.Namespace) -> Part:
    bar, tell = _bar(args, "Theorem 2", 2 * args.draws)
    with bar:
        checked = check_theorem_2(args.seed, args.draws, tell)
        explicit = check_explicit(args.seed, args.draws, lambda done: tell(args.draws + done))
    margins = plot_margins(checked.margins, ("rate", "error", "lambda_2"), title=f"Theorem 2: {args.draws:,} systems")
    return Part(
        "Theorem 2: three layers",
        f"Random systems within the hypotheses, the same with an explicit bound, and what happens outside. {TIMES}",
        (*checked.claims, *explicit.claims, *outside_theorem_2(args.seed, *_outside(args))),
        {
            "theorem2.png": _drawn(margins, "The least increase with ε over all times, for every system drawn."),
            "lambda2.png": _drawn(
                plot_second(*map_of_second()),
                "Where λ_2 increases with ε. Theorem 2 speaks to the right of the line and below the dotted one; the "
                "explicit bound reaches up to the dashed one.",
            ),
        },
    )


def _fig12(args: argparse.Namespace) -> Part:
    settings = Settings(weight_sd=args.weight_sd, feedback_sd=args.feedback_sd, step=args.step)
    seeds = range(args.seed, args.seed + args.runs)
    runs = [simulate(settings, seed) for seed in tqdm(seeds, "figure 12", unit="run", disable=args.quiet, leave=False)]
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
