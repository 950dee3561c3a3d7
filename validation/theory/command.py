"""Check section 5 and Appendix 2: the equations, Theorems 1 and 2 within and outside their hypotheses, figure 12.

examples:
  hebb theory
  hebb theory theorem2 --draws 20000 --seed 3
  hebb theory fig12 --runs 10 --feedback-sd 0.1
"""

import argparse
import json
from itertools import chain
from pathlib import Path

from circuits.figures import save
from network.errors import BadInput
from sim.cli.parser import add_json, report
from sim.run_folder import RunFolder
from validation.claims import HEADER, Claim, all_pass, table
from validation.report import Picture, Report, Section
from validation.theory.figure12 import Settings
from validation.theory.parts import CHECKS, DRAWS, QUICK_DRAWS, RUNS, Asked, Part, check_theory

PARTS = tuple(CHECKS)


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
    for flag, value in (("--weight-sd", args.weight_sd), ("--feedback-sd", args.feedback_sd), ("--step", args.step)):
        if not 0 < value < 100:
            raise BadInput(f"{flag} {value:g}: expected a number above 0 and below 100")
    settings = Settings(weight_sd=args.weight_sd, feedback_sd=args.feedback_sd, step=args.step)
    asked = Asked(args.draws, args.runs, args.seed, settings, not args.quiet)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    parts = check_theory(args.part, asked)
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
    RunFolder(out).write("theory.json", json.dumps(result, indent=2) + "\n")
    RunFolder(out).write("report.html", theory_report(parts, _command(args)).html())
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
