"""One epoch of training: update by update, or all of it on the device where an engine can do that."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from sim.data import Split
from sim.engine import Engine

HEALTH_EVERY = 25  # updates between two looks at the saturation of a batch: about 1 % of the time


@dataclass(frozen=True)
class Staged:
    """A part of the data on the engine's device."""

    images: Any
    labels: Any
    count: int


def stage(engine: Engine, part: Split) -> Staged:
    return Staged(engine.stage(part.images), engine.stage(part.labels), len(part))


def learn_blocks(
    engine: Engine,
    train: Staged,
    blocks: Sequence[Any],
    size: int,
    step: int,
    look: Callable[[Any, int], None],
    done: Callable[[int], object],
    after: Callable[[Any], None],
) -> Generator[Any, None, tuple[int, float]]:
    """Learn from all images once, block by block (`sim.blocks.Block`); `after` is told of each that has been learned.

    All else is as for `learn_epoch`, which each block goes through.
    """
    wrong, seconds = 0, 0.0
    for block in blocks:
        order = engine.stage(block.images)
        more, taken = yield from learn_epoch(engine, train, order, size, step, look, done)
        wrong, seconds, step = wrong + more, seconds + taken, step + -(-len(order) // size)
        after(block)
    return wrong, seconds


def learn_epoch(
    engine: Engine,
    train: Staged,
    order: Any,
    size: int,
    step: int,
    look: Callable[[Any, int], None],
    done: Callable[[int], object],
) -> Generator[Any, None, tuple[int, float]]:
    """Learn from the images of `order` once.

    Parameters
    ----------
    engine : Engine
        One with a method `prepare` makes all updates on its device (`sim.gpu.engine`).
    train : Staged
    order : array
        Which images come in turn, staged.
    size : int
        Images of a batch.
    step : int
        Updates made before.
    look : callable
        Looks at a batch after its update: its images, and the number of updates made before it.
    done : callable
        Is told of so many updates more.

    Yields
    ------
    Work or None
        Once: the updates that whoever goes through this has to do before going on, beside those of other engines where
        there are any (`sim.gpu.engine.Work`); None where all are done.

    Returns
    -------
    wrong : int
        Images classified wrongly while learning.
    seconds : float
        Without those spent looking; with those that other engines took whose updates were made at the same time.
    """
    updates = -(-len(order) // size)
    began, seconds, wrong = time.perf_counter(), 0.0, 0
    prepare = getattr(engine, "prepare", None)
    if prepare:
        work = prepare(train.images, train.labels, order, size, step)
        yield work
        wrong, seconds = int(work.wrong), time.perf_counter() - began
        done(updates)
        look(train.images[order[(updates - 1) * size :]], step + updates - 1)
        return wrong, seconds
    for update in range(updates):
        batch = order[update * size : (update + 1) * size]
        images = train.images[batch]
        wrong = wrong + engine.learn(images, train.labels[batch], step + update)
        if (step + update) % HEALTH_EVERY == 0 or update == updates - 1:
            wrong = int(wrong)  # waits for the device, so that the clock counts finished work
            seconds += time.perf_counter() - began
            look(images, step + update)
            began = time.perf_counter()
        done(1)
    yield
    return wrong, seconds
