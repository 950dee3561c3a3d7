"""The page about an experiment: what the paper shows, what was run, numbers side by side, verdicts, commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from network.spec import NetworkSpec
from network.weights import Weights
from sim.config import FIELDS, TrainConfig
from sim.experiments.experiment import Experiment, Labels
from sim.experiments.runs import Planned, Result, by_cell
from sim.run_folder import ENVIRONMENT, WEIGHTS, read_weights
from validation.claims import Claim
from validation.concordance_figure import concordance_figure, was_measured
from validation.experiment_figures import (
    against_paper,
    alignment_figure,
    bars_figure,
    by_panel,
    curves_figure,
    filters_figure,
)
from validation.forgetting_figure import forgetting_pictures
from validation.judging import LEVEL, Spread
from validation.report import Picture, Report, Section

SHOWN = 60  # commands on a page; all of them are in the runs' config.toml besides


@dataclass(frozen=True)
class Reproduction:
    """An experiment with all that was made of it.

    Attributes
    ----------
    experiment : Experiment
    runs : sequence of Planned
        All of the grid, those too that cannot be made here.
    results : sequence of Result
    claims : sequence of Claim
    unmade : mapping of str to str
        Why a run failed or was not begun, by its folder.
    epochs, seeds : int
        Of every run.
    choice : str
        How these were chosen, in a sentence.
    command : str
        The whole command line that made this.
    changes : mapping of str to object
        Settings that the user changed.
    root : Path
        Where the runs are.
    failed : mapping of str to str
        What ended a run, by its folder; none of them need be missing from the results.
    """

    experiment: Experiment
    runs: Sequence[Planned]
    results: Sequence[Result]
    claims: Sequence[Claim]
    unmade: Mapping[str, str]
    epochs: int
    seeds: int
    choice: str
    command: str
    changes: Mapping[str, Any]
    root: Path
    failed: Mapping[str, str] = field(default_factory=dict)


def page_of(made: Reproduction) -> Report:
    """The page."""
    experiment = made.experiment
    sections = [
        Section("What the paper shows", text=experiment.outcome),
        Section("What was run", text=_what_was_run(made)),
        *_numbers(made),
        *_figures(made),
        Section.of_claims("Does it hold?", made.claims, text=(_how_judged(made),)) if made.claims else None,
        _missing(made),
        Section("Commands", text=("The whole page:",), code=made.command),
        _commands(made),
    ]
    return Report(
        title=f"{experiment.where}: {experiment.title}",
        introduction=(f"{experiment.paper}, {experiment.where[0].lower()}{experiment.where[1:]}, run again.",),
        sections=tuple(section for section in sections if section),
    )


def _what_was_run(made: Reproduction) -> list[str]:
    experiment, base = made.experiment, made.experiment.base
    text = [
        f"{len(made.results)} runs: {made.epochs} of the paper's {base['epochs']} epochs each, "
        f"{made.seeds} seed{'s' if made.seeds > 1 else ''}. {made.choice}",
        "Weights, feedback, batches and dropout follow from the seed alone, so runs with one seed start from the same "
        "W and see the same images, and differences are taken seed by seed.",
    ]
    if made.epochs < base["epochs"]:
        text.append("Shorter than the paper's: what holds here is about the beginning of learning, not about its end.")
    if made.changes:
        text.append("Other than in the paper: " + ", ".join(f"{name} {value}" for name, value in made.changes.items()))
    text += _first_phases(made)
    text += _made_on(made)
    diverged = [result for result in made.results if result.diverged]
    if diverged:
        text.append(
            f"{len(diverged)} runs diverged and count as guessing: "
            + "; ".join(f"{', '.join(r.run.point.labels)}, seed {r.run.seed} ({r.diverged})" for r in diverged[:3])
            + (" ..." if len(diverged) > 3 else "")
        )
    return [*text, *experiment.open_points]


def _first_phases(made: Reproduction) -> list[str]:
    """Which runs have two phases, a line a first phase."""
    phases: dict[str, list[str]] = {}
    for run in made.runs:
        if run.point.first:
            first = run.point.first
            text = f"{first.epochs_before(made.epochs)} epochs of {first.what}"
            phases.setdefault(text, []).append(", ".join(run.point.cell))
    return [
        f"In two phases: {'; '.join(dict.fromkeys(cells))}. First {text}. The first phase is a run of its own."
        for text, cells in phases.items()
    ]


def _made_on(made: Reproduction) -> list[str]:
    """Device and commit of the runs, from what each noted when it was made."""
    noted: dict[str, list[str]] = {"device": [], "commit": []}
    for result in made.results:
        file = result.run.folder(made.root, made.epochs) / ENVIRONMENT if result.run.config else None
        for line in file.read_text(encoding="utf-8").splitlines() if file and file.exists() else ():
            name, _, value = line.partition(" ")
            if value and value not in noted.get(name, [value]):
                noted[name].append(value)
    return [f"{name.capitalize()}: {', '.join(values)}." for name, values in noted.items() if values]


def _numbers(made: Reproduction) -> list[Section]:
    experiment, quantity = made.experiment, made.experiment.quantity
    values = by_cell(made.results, quantity)
    rows = []
    for cell, seeds in values.items():
        spread, paper = Spread(tuple(seeds.values())), experiment.numbers.get(cell)
        shown = [_shown(value, quantity.is_error) for value in (spread.mean, spread.deviation, spread.half_width)]
        printed = _shown(paper, quantity.is_error) if paper is not None else "not printed"
        each = ", ".join(_shown(value, quantity.is_error) for value in spread.values)
        rows.append((*cell, shown[0], shown[1], f"± {shown[2]}" if len(seeds) > 1 else "-", each, printed))
    if not rows:
        return [Section("Numbers", text=("No run has a finished epoch yet.",))]
    axes = [axis.name for axis in experiment.shown_axes]
    header = (*axes, "mean", "std", f"{100 * LEVEL:.0f} % interval", "by seed", "the paper")
    what = f"{quantity.name[0].upper()}{quantity.name[1:]} after epoch {made.epochs}"
    best = [axis.name for axis in experiment.axes if axis.best_of]
    if best:
        what += f", the best along: {', '.join(best)}"
    return [Section("Numbers", text=(f"{what}; mean and spread over seeds.",), header=header, rows=rows)]


def _shown(value: float, percent: bool) -> str:
    if not isfinite(value):
        return "-"
    return f"{100 * value:.2f} %" if percent else f"{value:.3f}"


def _figures(made: Reproduction) -> list[Section]:
    experiment, results = made.experiment, made.results
    pictures: list[Picture] = []
    if not by_cell(results, experiment.quantity):
        return []
    several = f"bars and lines are means over {made.seeds} seeds" if made.seeds > 1 else "one seed"
    if experiment.figure == "bars":
        caption = f"As {experiment.where.lower()}; {several}, with {100 * LEVEL:.0f} % intervals; dots are seeds"
        dashed = "; dashed: the paper's number" if experiment.numbers else ""
        pictures.append(Picture.of(bars_figure(experiment, results), f"{caption}{dashed}."))
    if experiment.figure == "table" and any(
        cell in experiment.numbers for cell in by_cell(results, experiment.quantity)
    ):
        pictures.append(Picture.of(against_paper(experiment, results), "A point a data set; on the line both agree."))
    if experiment.figure == "alignment":
        caption = f"As {experiment.where.lower()}; {several}. R of layer 1 feeds nothing back."
        pictures.append(Picture.of(alignment_figure(results, _specs(made)), caption))
    if experiment.figure == "filters":
        pictures += _filters(made)
    if was_measured(results):
        pictures += _concordance(made)
    pictures += forgetting_pictures(results)
    if experiment.figure != "table":
        caption = (
            f"Training error, measured with dropout on (solid), and validation error (dotted); {several}, shades are "
            f"the range of the validation error over seeds."
        )
        pictures.append(Picture.of(curves_figure(results), caption))
    return [Section("Figures", figures=pictures)]


def _specs(made: Reproduction) -> dict[Labels, NetworkSpec]:
    from sim.train import prepare

    found: dict[Labels, NetworkSpec] = {}
    for result in made.results:
        if result.run.point.cell not in found and result.run.config is not None:
            found[result.run.point.cell] = prepare(result.run.at(made.root, made.epochs))[1]
    return found


def _concordance(made: Reproduction) -> list[Picture]:
    """What the rules send back beside back-propagation, a figure a data set and network."""
    specs, pictures = _specs(made), []
    for panel, lines in by_panel(made.results).items():
        spec = next(spec for cell, spec in specs.items() if cell[:-1] == panel)
        caption = (
            f"{', '.join(panel)}: delta of every layer beside that of exact back-propagation with the same loss, at "
            f"the same weights and on the same images; grey: chance. In the output layer both are the error itself. "
            f"Not in the paper."
        )
        pictures.append(Picture.of(concordance_figure(lines, spec), caption))
    return pictures


def _filters(made: Reproduction) -> list[Picture]:
    """Filters of the first runs, and what they have learned: W without what training began with."""
    specs = _specs(made)
    ended, learned = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for result in made.results:
        config = result.run.config
        if config and result.rows and not result.diverged and len(ended) < 3:
            label = f"{', '.join(result.run.point.cell)}, seed {result.run.seed}"
            ended[label] = read_weights(result.run.folder(made.root, made.epochs) / WEIGHTS)[0].W[1]
            begun = Weights.draw(specs[result.run.point.cell], config.seed, dtype=config.dtype)
            learned[label] = ended[label] - begun.W[1]
    return [
        Picture.of(
            filters_figure(ended),
            "Filters of the first layer at four places, given as shares of height and width of the grid; a row a "
            "filter, with its number and the mean correlation between its places. Those that are most alike are shown, "
            "which is no fair sample: the mean over all filters stands above.",
        ),
        Picture.of(
            filters_figure(learned),
            "The same for what training has added to each filter, without the random weights that it began with. "
            "Filters that have learned nothing at one of the places are left out: a unit that never wins its window. "
            "Not in the paper.",
        ),
    ]


def _how_judged(made: Reproduction) -> str:
    return (
        f"A claim holds, or fails, where the {100 * LEVEL:.0f} % interval over seeds lies within, or outside, its "
        f"bound; what the seeds do not decide is reported. The bounds are this software's reading of the paper's words "
        f"(READINGS in validation/tolerances.py). All is after {made.epochs} of {made.experiment.base['epochs']} "
        f"epochs."
    )


def _missing(made: Reproduction) -> Section | None:
    """What was not run and what it needs, a line a reason and not a line a run."""
    reasons: dict[str, list[Labels]] = {}
    for run in made.runs:
        why = run.missing
        if run.config is not None:
            why = made.unmade.get(str(run.folder(made.root, made.epochs)), "")
        if why:
            reasons.setdefault(why, []).append(run.point.cell)
    if not reasons:
        return None
    rows = []
    for why, cells in reasons.items():
        named = list(dict.fromkeys(", ".join(cell) for cell in cells))
        shown = "; ".join(named[:4]) + (f"; and {len(named) - 4} more" if len(named) > 4 else "")
        rows.append((shown, why))
    return Section("What is missing", header=("not run", "why, and what would help"), rows=rows)


def _commands(made: Reproduction) -> Section:
    lines = [train_command(result.run, made.root, made.epochs) for result in made.results]
    more = [f"# and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return Section("Each run by itself", code="\n".join([*lines[:SHOWN], *more]))


def train_command(run: Planned, root: Path, epochs: int) -> str:
    """The ``hebb train`` that makes a run from nothing, after that of its first phase where it has one."""
    config, before = run.at(root, epochs), run.first_job(root, epochs)
    if before is None:
        return _command(config, run.folder(root, epochs).name)
    first = Path(before.folder).name
    second = _command(replace(config, start_from=first), run.folder(root, epochs).name)
    return f"{_command(before.config, first)} && {second}"


def _command(config: TrainConfig, folder: str) -> str:
    words = ["hebb train"]
    for name, setting in FIELDS.items():
        value = getattr(config, name)
        if value != setting.default and value is not None:
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {quote(str(value))}"))
    return " ".join([*words, "--out", quote(folder)])
