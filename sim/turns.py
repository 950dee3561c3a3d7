"""Runs that go through their epochs in turn, or at the same time where their engines can: one run, or several."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from network.errors import Diverged
from network.spec import NetworkSpec
from sim.config import TrainConfig
from sim.engine import Engine


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, config, one row an epoch as in ``metrics.jsonl``, and the network it trained."""

    folder: Path
    config: TrainConfig
    rows: list[dict[str, Any]]
    spec: NetworkSpec
    engine: Engine


Epochs = Generator[Any, None, Run]  # pauses with work for the device (`sim.gpu.engine.Work`), None where there is none


@dataclass(frozen=True)
class Training:
    """A run in progress."""

    folder: Path
    engine: Engine
    epochs: Epochs


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training. The message is one line: what is kept, and how to go on."""


def together(trainings: Sequence[Training]) -> list[Run]:
    """Go through the epochs of several runs in turn, with the updates of all made at once where that can be.

    Each run is the one that it would be alone.

    Raises
    ------
    Diverged
        Where nothing can learn any more in one of them, once the others are done; of several, it names the folder.
    Interrupted
        By Ctrl-C. The folders then hold what each has finished.
    """
    at_once = _at_once([training.engine for training in trainings])
    runs: dict[int, Run] = {}
    diverged: dict[int, Diverged] = {}
    try:
        while len(runs) + len(diverged) < len(trainings):
            works = []
            for k, training in enumerate(trainings):
                if k in runs or k in diverged:
                    continue
                try:
                    works.append(next(training.epochs))
                except StopIteration as end:
                    runs[k] = end.value
                except Diverged as error:
                    diverged[k] = error
            works = [work for work in works if work is not None]
            if at_once and len(works) > 1:
                at_once.do(works)
            else:
                for work in works:
                    work.do()
    except KeyboardInterrupt as first:
        raise Interrupted("; ".join(["interrupted", *filter(None, [str(first), *_stopped(trainings)])])) from None
    finally:
        for training in trainings:
            training.epochs.close()  # what a run has measured is written, whatever stopped another
    if diverged and len(trainings) > 1:
        raise Diverged("; ".join(f"{trainings[k].folder}: {error}" for k, error in diverged.items()))
    for error in diverged.values():
        raise error
    return [run for _, run in sorted(runs.items())]


def _at_once(engines: list[Engine]) -> Any:
    """What makes the updates of several engines in one graph; None where there are not several that can be replayed."""
    able = [engine for engine in engines if hasattr(engine, "prepare")]
    if len(able) < 2:
        return None
    from sim.gpu.together import Together  # torch is there where such engines are

    return Together(able)  # pyright: ignore[reportArgumentType]  (they are told by their method)


def _stopped(trainings: Sequence[Training]) -> list[str]:
    """Stop runs as Ctrl-C does; what each of those says that were going on."""
    said = []
    for training in trainings:
        try:
            training.epochs.throw(KeyboardInterrupt())
        except KeyboardInterrupt as interrupt:
            said.append(str(interrupt))
    return said
