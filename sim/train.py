"""Training: one visible loop for every rule, network, data set and engine."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from network.errors import BadInput
from network.normalisation import AVERAGED_BATCHES
from network.notation import parse_notation
from network.presets import notation_of
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.alignment import alignment
from sim.blocks import Block, Forgetting, blocks_of, check_presentation, mixed, updates_of
from sim.circuit_options import circuit_settings
from sim.concordance import beside_backpropagation, looked_at
from sim.config import TrainConfig, check_resumed
from sim.data import Dataset, load_data
from sim.engine import Engine, Settings, open_engine
from sim.environment import describe_environment
from sim.epoch import Staged, learn_blocks, stage
from sim.figures import save_run_figures
from sim.first_phase import network_of, take_over
from sim.health import check_health
from sim.run_folder import CONFIG, ENVIRONMENT, RUNS, RunFolder, unused_folder
from sim.saving import Saves
from sim.tensorboard import check_tensorboard, open_board
from sim.turns import Epochs, Interrupted, Run, Training, together
from sim.updates import Update, parse_schedule


def start(config: TrainConfig, out: str | Path | None = None, *, progress: bool = True) -> Run:
    """Train from the beginning.

    Parameters
    ----------
    config : TrainConfig
    out : path, optional
        The run's folder, which must not hold a run; one under ``runs/`` named after the run where not given.
    progress : bool
        Whether to show a progress bar on stderr.

    Raises
    ------
    BadInput
        For anything in `config` that cannot be run, before a folder is made.
    Diverged
        Where nothing can learn any more. The folder then holds the last good epoch that was saved.
    """
    data, spec, settings = prepare(config)
    path = unused_folder(spec, config) if out is None else out
    return together([_begin(config, path, data, spec, settings, progress)])[0]


def start_seeds(
    config: TrainConfig, seeds: Sequence[int], out: str | Path | None = None, *, progress: bool = True
) -> list[Run]:
    """Train the same from several seeds, epoch by epoch in step, on a GPU with the updates of all made at once.

    Each run is the one that it would be alone, in a folder of its own.

    Parameters
    ----------
    config : TrainConfig
        Whose own seed does not count.
    seeds : sequence of int
        One a run, each another.
    out : path, optional
        Where the folders of the runs are made, ``runs/`` where not given; they are named after the runs.
    progress : bool
        Whether to show a progress bar for each on stderr.

    Raises
    ------
    BadInput
        As for `start`; and where `out` is itself the folder of a run.
    Diverged
        Once all others are done.
    """
    if out is not None and (Path(out) / CONFIG).exists():
        raise BadInput(f"--out {out}: holds a run; with several seeds it is the folder that theirs are made in")
    data, trainings = None, []
    for seed in seeds:
        one = replace(config, seed=seed)
        data, spec, settings = prepare(one, data)
        path = unused_folder(spec, one, RUNS if out is None else out)
        trainings.append(_begin(one, path, data, spec, settings, progress))
    return together(trainings)


def _begin(
    config: TrainConfig, path: str | Path, data: Dataset, spec: NetworkSpec, settings: Settings, progress: bool
) -> Training:
    """A run whose folder has been made, and whose epochs are still to come."""
    weights = Weights.draw(spec, config.seed, settings.rule, connectivity=config.connectivity, dtype=config.dtype)
    began = f"start {take_over(spec, weights, config)}\n" if config.start_from else ""
    engine = open_engine(config.engine, spec, weights, settings)
    folder = RunFolder.create(path)
    folder.write(ENVIRONMENT, describe_environment(engine.device, data) + began)
    folder.write_epoch([], weights)
    folder.write_config(config)  # last: a folder with a config can be resumed
    return Training(folder.path, engine, _epochs(config, folder, data, engine, [], progress))


def resume(path: str | Path, changes: Mapping[str, Any], *, spell: str = "{}", progress: bool = True) -> Run:
    """Go on where a run stopped, to the same bits that it would have reached without stopping.

    Parameters
    ----------
    path : path
        The run's folder.
    changes : mapping of str to object
        New values for `sim.config.MAY_CHANGE`: more epochs, another data folder or device.
    spell : str
        How the changes are called where they come from, as in `make_config`.
    progress : bool
        Whether to show a progress bar on stderr.

    Raises
    ------
    BadInput
        Where there is no run, one of its files is damaged, or `changes` would make it another run.
    """
    folder = RunFolder.open(path)
    config = check_resumed(folder.read_config(), changes, spell)
    rows, weights = folder.read_epoch()
    if config.epochs < len(rows):
        raise BadInput(f"{config.epochs} epochs: the run has done {len(rows)} already; ask for as many, or more")
    data, spec, settings = prepare(config)
    try:
        engine = open_engine(config.engine, spec, weights, settings)
    except BadInput as error:
        raise BadInput(f"--resume {path}: {error}") from None
    folder.write_config(config)
    return together([Training(folder.path, engine, _epochs(config, folder, data, engine, rows, progress))])[0]


def prepare(config: TrainConfig, data: Dataset | None = None) -> tuple[Dataset, NetworkSpec, Settings]:
    """Read the data, unless given, build the network, and check the rule; `BadInput` for what does not fit."""
    rule = make_rule(
        config.rule, config.feedback_rate, config.feedback_decay, config.flip_probability, config.feedback_scale
    )
    update = Update(
        config.manhattan,
        config.momentum,
        config.weight_decay,
        config.over_batch,
        parse_schedule(config.schedule or ""),
        config.learns,
    )
    circuit = circuit_settings(config.engine, asdict(config))
    settings = Settings(
        rule, config.eta, config.mu, config.order, config.dtype, config.device, config.seed, config.kernels,
        config.dropout_mask, config.compute_dtype, **circuit,
    )  # fmt: skip
    check_presentation(config)
    if config.tensorboard:
        check_tensorboard()
    parse_notation(notation_of(config.net))  # a misspelt network is reported before any data is read
    data = data or load_data(config.data, config.data_dir, config.image_size)
    spec = network_of(config, data.image_shape, data.classes)
    return data, spec, replace(settings, update=update.by_updates(updates_of(config, data.train.labels)))


def _epochs(
    config: TrainConfig, folder: RunFolder, data: Dataset, engine: Engine, rows: list[dict[str, Any]], progress: bool
) -> Epochs:
    """The loop. `rows` are those of the epochs done before, and grow by one an epoch.

    It pauses before the first epoch, and in each one, and block of one: see `sim.epoch.learn_epoch`.
    """
    train, validation, test = (stage(engine, part) for part in (data.train, data.validation, data.test))
    count, size = len(data.train), config.batch_size
    updates = updates_of(config, data.train.labels)  # an epoch's
    forgetting = Forgetting(engine, data.test, data.classes)
    normalised = any(node.synaptic.norm for node in engine.spec.weighted)
    saves, saved = Saves(config.save_every, config.epochs, engine.device), len(rows)
    board = open_board(folder, rows) if config.tensorboard else None
    warned = False
    bar = tqdm(
        total=config.epochs * updates,
        initial=len(rows) * updates,
        unit="batch",
        disable=not progress,
        mininterval=0.1 if sys.stderr.isatty() else 10,
        dynamic_ncols=True,
    )

    def look(images: Any, step: int) -> None:
        nonlocal warned
        warning = check_health(engine.saturation(images), engine.settings)
        if warning and not warned:
            warned = True
            bar.write(f"warning: update {step + 1}: {warning}", file=sys.stderr)

    def take_statistics(epoch: int) -> None:
        order = engine.stage(mixed(config.seed, epoch, count))
        for first in range(min(AVERAGED_BATCHES, -(-count // size)) if normalised else 0):
            engine.take_statistics(train.images[order[first * size : (first + 1) * size]], first=first == 0)

    def after(block: Block) -> None:
        if block.label is not None:
            take_statistics(epoch)
            forgetting.see(block.label)

    try:
        yield None  # so that every run has come this far, and is closed properly, before one of them learns
        for epoch in range(len(rows) + 1, config.epochs + 1):
            bar.set_description(f"seed {config.seed} {config.rule} epoch {epoch}/{config.epochs}", refresh=False)
            blocks, begun = blocks_of(config, data.train.labels, epoch), (epoch - 1) * updates
            wrong, seconds = yield from learn_blocks(engine, train, blocks, size, begun, look, bar.update, after)
            take_statistics(epoch)
            due = saves.due(epoch)
            weights = engine.weights() if due or config.concordance else None
            row = {
                "epoch": epoch,
                "train_error": wrong / count,  # while learning, with dropout on, as the paper's code reports it
                "images_per_second": count / seconds,
                **measured(engine, validation, test, weights),
                **forgetting.row(),
            }
            if config.concordance:
                assert weights
                row |= beside_backpropagation(config.engine, engine, weights, looked_at(data.train, config.seed, size))
            if due:
                with saves.timed():
                    folder.write_epoch([*rows, row], weights or engine.weights())
                saved = epoch
            if board:
                board.write(row)
            rows.append(row)
            bar.set_postfix_str(summary(row), refresh=sys.stderr.isatty())
    except KeyboardInterrupt:
        raise Interrupted(
            f"{saved} of {config.epochs} epochs are kept; go on with: hebb train --resume {folder.path}"
        ) from None
    finally:
        bar.close()
        if len(rows) > saved:  # what a run that ends early has measured since
            folder.write_metrics(rows)
        if rows:
            save_run_figures(folder, rows, engine.spec, title=_title(config, data.name))
    return Run(folder.path, config, rows, engine.spec, engine)


def _title(config: TrainConfig, data: str) -> str:
    return ", ".join([f"{config.rule} on {data}", f"seed {config.seed}", *config.variations])


def summary(row: dict[str, Any]) -> str:
    """One row of the metrics in a few words."""
    return (
        f"errors: training {row['train_error']:.3f} validation {row['validation_error']:.3f} "
        f"test {row['test_error']:.3f}, {row['images_per_second']:,.0f} images/s"
    )


def measured(engine: Engine, validation: Staged, test: Staged, weights: Weights | None = None) -> dict[str, Any]:
    """What is looked at after an epoch, as ``metrics.jsonl`` has it.

    `weights` are the engine's, None where they have not been taken from it. An engine with a method `alignment`
    compares W and R by itself (`sim.gpu.engine`), so that weights stay on its device.
    """
    by_itself = getattr(engine, "alignment", None)
    if by_itself:
        correlations, angles = by_itself()
    else:
        correlations, angles = alignment(engine.spec, weights or engine.weights(), engine.settings.rule)
    return {
        "validation_error": error_rate(engine, validation),
        "test_error": error_rate(engine, test),
        "alignment": correlations,
        "alignment_angle": angles,
    }


def error_rate(engine: Engine, part: Staged) -> float:
    """The fraction of images whose largest output is not the class, nothing dropped."""
    return int((engine.outputs(part.images).argmax(1) != part.labels).sum()) / part.count
