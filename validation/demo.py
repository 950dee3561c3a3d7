"""Train URFB, FRFB and BP-H on scikit-learn's embedded digits over several seeds, and write a report with figures.

examples:
  hebb demo
  hebb demo --seeds 5 --epochs 60 --out runs/longer-demo
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import torch

from network.errors import BadInput
from sim.cli.parser import add_json, report
from sim.config import TrainConfig
from sim.figures import new_axes, plot_alignment, plot_errors
from sim.run_folder import CONFIG, RunFolder, discard
from sim.train import Run, start
from validation.report import Picture, Report, Section

RULES = ("bph", "urfb", "frfb")
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
    overview = new_axes(7, 4)
    for rule, color in zip(runs, ("C2", "C0", "C3"), strict=False):  # the colours of figure 4
        plot_errors(runs[rule][0].rows, overview, label=rule.upper(), color=color)
    alignments = [
        Picture.of(
            plot_alignment(runs[rule][0].rows, some.spec, new_axes(5, 3.2)),
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
            "Three networks learn to read handwritten digits (scikit-learn's 1,797 images of 8 x 8 pixels) with local "
            "Hebbian updates. They differ only in the weights R that carry the error back down.",
            f"The network is {some.spec.notation}, trained for {len(some.rows)} epochs with eta {some.config.eta:g} "
            f"and batches of {some.config.batch_size}. Weights, feedback, batches and dropout follow from the seed "
            f"alone, so rules with the same seed start from the same W and see the same images.",
        ),
        sections=(
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
            Section(
                "Go on from here",
                code="hebb show simpnet\n"
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
