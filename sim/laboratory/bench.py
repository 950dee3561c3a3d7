"""Where disturbed circuits are held against the algorithm: one network, one data set, one rule."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from network.layers import Drop
from network.randomness import stream
from network.reference import forward
from network.reference_layers import hebbian
from network.rules import effective_order
from network.spec import NetworkSpec
from network.trace import Arrays, StepTrace
from network.weights import Weights
from sim.config import TrainConfig
from sim.data import Split
from sim.engine import Settings, open_engine
from sim.event.engine import EventEngine
from sim.laboratory.disturbance import Disturbance, Partners
from sim.schedule import Timing
from sim.schedule_plan import Schedule
from sim.schedule_run import Run
from sim.train import prepare

EPOCHS_BEFORE = 2  # of undisturbed learning, before updates are compared: some units are saturated by then
IMAGES = 100  # in the batch whose updates are compared
TOO_LARGE = 1e6  # a weight that has grown to this shrinks no more: feedback through it makes it grow faster still


@dataclass(frozen=True)
class Bench:
    """A network that learns through its circuit, whatever disturbs it.

    Attributes
    ----------
    spec : NetworkSpec
        Without Drop layers: chance is what the disturbances make.
    settings : Settings
        In float64, and unchecked: what the circuit is not made for is to happen.
    train, test : Split
        Images as floating point values.
    batch_size, epochs : int
    """

    spec: NetworkSpec
    settings: Settings
    train: Split
    test: Split
    batch_size: int
    epochs: int

    @classmethod
    def of(cls, config: TrainConfig) -> "Bench":
        """The bench for what a training run would do; its seed is left out. `BadInput` for what has no circuit."""
        data, spec, settings = prepare(config)
        train, test = (Split(part.images / 255.0, part.labels) for part in (data.train, data.test))
        settings = replace(settings, dtype="float64", device="cpu", unchecked=True)
        spec = replace(spec, layers=tuple(layer for layer in spec.layers if not isinstance(layer, Drop)))
        bench = cls(spec, settings, train, test, config.batch_size, config.epochs)
        open_engine("event", spec, bench.draw(0), settings)
        return bench

    @property
    def chance(self) -> float:
        """The error of who always guesses the commonest class."""
        return 1 - float(np.bincount(self.test.labels).max()) / len(self.test)

    @property
    def order(self) -> str:
        return effective_order(self.settings.rule, self.settings.order)

    def draw(self, seed: int) -> Weights:
        """Weights of training's start."""
        return Weights.draw(self.spec, seed, self.settings.rule)

    def algorithm(self, weights: Weights, part: Split) -> StepTrace:
        """What the algorithm makes of a batch."""
        settings = replace(self.settings, timing=None)
        return open_engine("reference", self.spec, weights, settings).present(part.images, part.labels)

    def happens(self, disturbance: Disturbance, count: int, seed: int) -> Run:
        """What happens in a presentation of `count` images."""
        planned = self._plan(replace(self.settings, **disturbance.settings).timing or Timing())
        return planned if disturbance.happens is None else disturbance.happens(planned, count, seed)

    def present(self, weights: Weights, part: Split, disturbance: Disturbance, seed: int) -> tuple[StepTrace, Run]:
        """What the disturbed circuit makes of a batch, and what happened to it."""
        engine = self._open(weights, disturbance)
        run = self.happens(disturbance, len(part), seed)
        trace = engine.present(part.images, part.labels, run)
        if disturbance.partners is not None:
            self._pair(weights, part, trace, disturbance.partners, np.random.default_rng(seed))
        return trace, run

    def learn(self, seed: int, disturbance: Disturbance, epochs: int | None = None) -> tuple[Weights, bool]:
        """Train from the start.

        Parameters
        ----------
        seed : int
        disturbance : Disturbance
            Of every presentation; what happens by chance is drawn anew for each.
        epochs : int, optional
            Those of the bench where not given.

        Returns
        -------
        weights : Weights
        diverged : bool
            Whether training has ended because a weight grew beyond `TOO_LARGE`.
        """
        if disturbance.partners is None and disturbance.consolidation == 1:
            return self._learn(seed, disturbance, epochs)
        weights, after = self.draw(seed), disturbance.consolidation
        tags = {pathway: {i: np.zeros_like(W) for i, W in getattr(weights, pathway).items()} for pathway in ("W", "R")}
        for batch, random in self._presentations(seed, disturbance, epochs):
            trace, _ = self.present(weights, self.train[batch], disturbance, int(random.integers(2**62)))
            now: Arrays = {}  # synapses that consolidate after this presentation
            for pathway, increments in (("W", trace.dW), ("R", trace.dR)):
                if after > 1 and (disturbance.apart or not now):
                    now = {i: random.random(tag.shape) * after < 1 for i, tag in tags[pathway].items()}
                _consolidate(getattr(weights, pathway), increments, tags[pathway], now)
            if _too_large(weights):
                return weights, True
        return weights, False

    def _learn(self, seed: int, disturbance: Disturbance, epochs: int | None) -> tuple[Weights, bool]:
        """`learn` where the engine itself makes the updates."""
        engine = self._open(self.draw(seed), disturbance)
        for step, (batch, random) in enumerate(self._presentations(seed, disturbance, epochs)):
            run = self.happens(disturbance, len(batch), int(random.integers(2**62)))
            engine.learn(self.train.images[batch], self.train.labels[batch], step, run)
            if _too_large(engine.weights()):
                return engine.weights(), True
        return engine.weights(), False

    def _presentations(
        self, seed: int, disturbance: Disturbance, epochs: int | None
    ) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
        """Which images are shown, and where the accidents of each update come from."""
        for step, batch in enumerate(self.batches(seed, epochs, disturbance.by_class)):
            yield batch, stream(seed, "timing", step)

    def batches(self, seed: int, epochs: int | None = None, by_class: bool = False) -> Iterator[np.ndarray]:
        """Which images are shown, update by update; of one class each with `by_class`."""
        for epoch in range(1, (self.epochs if epochs is None else epochs) + 1):
            random = stream(seed, "batches", epoch)
            order = random.permutation(len(self.train))
            groups = [order]
            if by_class:
                groups = [order[self.train.labels[order] == label] for label in np.unique(self.train.labels)]
            parts = [
                group[at : at + self.batch_size] for group in groups for at in range(0, len(group), self.batch_size)
            ]
            yield from (parts[k] for k in (random.permutation(len(parts)) if by_class else range(len(parts))))

    def shown(self, seed: int) -> Split:
        """A batch to compare updates on."""
        return self.train[stream(seed, "timing").permutation(len(self.train))[:IMAGES]]

    def beginner(self, seed: int) -> Weights:
        """The network after a little learning without disturbance."""
        if seed not in self._beginners:
            self._beginners[seed] = self.learn(seed, Disturbance(), EPOCHS_BEFORE)[0]
        return self._beginners[seed]

    def error(self, weights: Weights) -> float:
        """The share of test images that a network with these weights gets wrong."""
        engine = open_engine("event", self.spec, weights, self.settings)
        return float((engine.outputs(self.test.images).argmax(1) != self.test.labels).mean())

    def _open(self, weights: Weights, disturbance: Disturbance) -> EventEngine:
        engine = open_engine("event", self.spec, weights, replace(self.settings, **disturbance.settings))
        assert isinstance(engine, EventEngine)
        return engine

    @cached_property
    def _beginners(self) -> dict[int, Weights]:
        return {}

    @cached_property
    def _planned(self) -> dict[Timing, Run]:
        return {}

    def _plan(self, timing: Timing) -> Run:
        """What happens where nothing disturbs it; kept, since it takes longer to plan than to happen."""
        if timing not in self._planned:
            self._planned[timing] = Schedule(self.spec, self.order, timing).run()
        return self._planned[timing]

    def _pair(
        self, weights: Weights, part: Split, trace: StepTrace, partners: Partners, random: np.random.Generator
    ) -> None:
        """Have every gate tag its synapses with the delta of one image and the x of its partner."""
        rule = self.settings.rule
        later = self.train.images[partners.draw(part.labels, self.train.labels, random)]
        (_, x), (_, others) = (forward(self.spec, weights, images) for images in (part.images, later))
        for node in self.spec.weighted:
            below = node.sources[0]
            late = (random.random(len(part)) < partners.share).reshape(-1, *[1] * (x[below].ndim - 1))
            met = np.where(late, others[below], x[below])
            increment = self.settings.eta / len(part) * hebbian(node.synaptic, trace.delta[node.index], met)
            trace.dW[node.index] = increment
            if node.index in trace.dR:
                trace.dR[node.index] = rule.feedback_rate * increment


def _too_large(weights: Weights) -> bool:
    return max(np.abs(values).max() for values in (*weights.W.values(), *weights.R.values())) > TOO_LARGE


def _consolidate(weights: Arrays, increments: Arrays, tags: Arrays, now: Arrays) -> None:
    """Tag the synapses; those `now` turn their tags into weights, or all where `now` says nothing of the layer."""
    for i, increment in increments.items():
        if i not in now:
            weights[i] += increment
            continue
        tags[i] += increment
        weights[i][now[i]] += tags[i][now[i]]
        tags[i][now[i]] = 0
