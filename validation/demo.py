"""Simulate the microcircuits, train URFB, FRFB and BP-H on embedded digits over several seeds, and write a report.

examples:
  hebb demo
  hebb demo --seeds 5 --epochs 60 --out runs/longer-demo
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import torch

from circuits.figures import BLUE, GREEN, RED, axes_or_new
from network.errors import BadInput
from sim.cli.parser import add_json, report
from sim.config import TrainConfig
from sim.figures import plot_alignment, plot_errors
from sim.run_folder import CONFIG, RunFolder, discard
from sim.train import Run, start
from validation.demo_circuits import COMMAND, circuit_sections
from validation.demo_timing import timing_sections
from validation.report import Picture, Report, Section

RULES = ("bph", "urfb", "frfb")
COLORS = {"bph": GREEN, "urfb": BLUE, "frfb": RED}  # as in figure 4
NET = "Conv 32 3x3; Maxpool 3; Drop .2; Full 100; Output"
BATCH_SIZE = 50  # a tenth of the paper's, for a set a thirty-fifth the size of CIFAR-10
MEANING = {
    "bph": "back-propagation: feedback through W itself, which no neuron could know",
    "urfb": "updated random feedback: R starts different from W and gets the same Hebbian increments",
    "frfb": "fixed random feedback: R never changes",
}

Runs = Mapping[str, Sequence[Run]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=3, help="runs of each rule (default 3)")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the 1,295 training images (default 30)")
    parser.add_argument("--out", default="runs/demo", metavar="DIR", help="folder of the report (default runs/demo)")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.seeds < 1 or args.epochs < 1:
        raise BadInput(f"--seeds {args.seeds} --epochs {args.epochs}: expected at least 1 of each")
    out = Path(args.out)
    configs = [
        TrainConfig(net=NET, rule=rule, epochs=args.epochs, batch_size=BATCH_SIZE, device="cpu", seed=seed)
        for rule in RULES
        for seed in range(args.seeds)
    ]
    for config in configs:
        _clear(out / _name(config), config)
    torch.set_num_threads(1)  # layers this small gain nothing from a second thread
    runs: dict[str, list[Run]] = {rule: [] for rule in RULES}
    for config in configs:
        runs[config.rule].append(start(config, out / _name(config), progress=not args.quiet))
    RunFolder(out).write("report.html", demo_report(runs).html())
    result = {rule: _errors(runs[rule]) for rule in RULES}
    report(args, {"report": str(out / "report.html"), "test_error": result}, _text(runs, out / "report.html"))
    return 0


def demo_report(runs: Runs) -> Report:
    """The report of finished runs, by rule."""
    some = next(iter(runs.values()))[0]
    overview = axes_or_new(None, 7, 4)
    for rule, done in runs.items():
        plot_errors(done[0].rows, overview, label=rule.upper(), color=COLORS[rule])
    alignments = [
        Picture.of(
            plot_alignment(runs[rule][0].rows, some.spec),
            f"{rule.upper()}, seed 0: Pearson correlation of W and R in each layer with weights, from the input up. "
            f"{'They grow alike, as in figure 10.' if rule == 'urfb' else 'W must do all the aligning.'} "
            f"R of layer 1 feeds nothing back: the input takes no feedback.",
        )
        for rule in runs
        if rule != "bph"
    ]
    return Report(
        title="Hebbian updates with asymmetric feedback: a demonstration",
        introduction=(
            "Deep networks can learn by local Hebbian updates, without the symmetric weights that back-propagation "
            "needs. First the circuits that make the error signal, neuron by neuron; then networks that learn with it.",
        ),
        sections=(
            *circuit_sections(),
            Section(
                "Three networks learn",
                text=(
                    "They learn to read handwritten digits (scikit-learn's 1,797 images of 8 x 8 pixels) with local "
                    "Hebbian updates. They differ only in the weights R that carry the error back down.",
                    f"The network is {some.spec.notation}, trained for {len(some.rows)} epochs with eta "
                    f"{some.config.eta:g} and batches of {some.config.batch_size}. Weights, feedback, batches and "
                    f"dropout follow from the seed alone, so rules with the same seed start from the same W and see "
                    f"the same images.",
                ),
            ),
            Section(
                "Test errors",
                text=("Percent of the 359 test images, after the last epoch; mean and spread over seeds.",),
                header=("rule", "mean", "standard deviation", "by seed", "what carries the error"),
                rows=[(rule.upper(), *_spread(done), _by_seed(done), MEANING[rule]) for rule, done in runs.items()],
            ),
            Section(
                "Learning curves",
                figures=(
                    Picture.of(
                        overview,
                        "Errors of the first seed: training (solid, measured while learning, with dropout on), "
                        "validation (dotted), test (dashed).",
                    ),
                ),
            ),
            Section("Do W and R become alike?", figures=alignments),
            *timing_sections(),
            Section(
                "Go on from here",
                code=f"{COMMAND}\n"
                "hebb show simpnet\n"
                "hebb train --data cifar10 --net simpnet --rule urfb\n"
                f"hebb train --resume {some.folder} --epochs {2 * len(some.rows)}",
            ),
        ),
    )


def _name(config: TrainConfig) -> str:
    return f"{config.rule}-seed{config.seed}"


def _clear(folder: Path, config: TrainConfig) -> None:
    """Make room for a run that an earlier demonstration made with the same settings: it comes out the same again."""
    if not (folder / CONFIG).exists():
        return
    if RunFolder(folder).read_config() != config:
        raise BadInput(f"--out {folder.parent}: {folder.name} holds another run; name another folder, or remove it")
    discard(folder)


def _errors(runs: Sequence[Run]) -> list[float]:
    return [run.rows[-1]["test_error"] for run in runs]


def _spread(runs: Sequence[Run]) -> tuple[str, str]:
    errors = _errors(runs)
    return _percent(mean(errors)), _percent(stdev(errors)) if len(errors) > 1 else "one seed"


def _by_seed(runs: Sequence[Run]) -> str:
    return ", ".join(map(_percent, _errors(runs)))


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


def _text(runs: Runs, path: Path) -> str:
    lines = [f"{'rule':6}{'test error':>12}{'std':>10}   by seed"]
    for rule, finished in runs.items():
        average, spread = _spread(finished)
        lines.append(f"{rule:6}{average:>12}{spread:>10}   {_by_seed(finished)}")
    return "\n".join([*lines, f"report: {path}"])
