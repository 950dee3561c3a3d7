"""The network as a circuit in Brian2, clock-driven: for thousands of units, to look into and to build upon.

The same circuit and the same timing as the event engine's, as Brian2 `NeuronGroup` and `Synapses`. Membranes are exact
within a time step, and times that are multiples of dt are kept exactly; what is left is an error of first order in dt
from the outputs' controls, whose thresholds are crossed between two steps. Nothing here knows equations (3) and (6):
what they say must come out of s, tc, u and v.
"""

import gc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import brian2
import numpy as np

from network.errors import BadInput
from network.reference import default_mu
from network.rules import effective_order
from network.spec import NetworkSpec
from network.trace import Arrays, StepTrace
from network.weights import Weights
from sim.brian.network import BrianNetwork
from sim.brian.size import synapses_of_image
from sim.circuit_checks import check_run, check_settings
from sim.engine import Settings, describe, dropout_masks, saturated_shares
from sim.event.output import OutputCircuit
from sim.schedule import Timing
from sim.schedule_plan import Schedule
from sim.schedule_run import Run

SETTLED = 12.0  # time constants that everything settles for where no timing is given: to 6e-6
TOGETHER = 1_000_000  # synapses at a time where nothing is learned: bounds memory, changes no result


class BrianEngine:
    """Runs a `NetworkSpec` in Brian2. See `sim.engine.Engine` for the methods.

    Parameters
    ----------
    spec, weights, settings
        As `sim.engine.open_engine`. There is no ideal timing here: without a timing everything settles for 12 time
        constants, as the meta of the trace says. `Settings.dt` is the time step. Brian2's preferences, that for the
        code generation target among them, are the user's: nothing here changes them.

    Raises
    ------
    BadInput
        For a dtype other than float64, or what `sim.circuit_checks.check_settings` refuses. Later, for an input beyond
        M or feedback beyond K, naming the unit; for a run made for another tau or loop; and for a network that would
        take more than about 2 GB or 10 minutes, unless unchecked.
    """

    def __init__(self, spec: NetworkSpec, weights: Weights, settings: Settings) -> None:
        if settings.dtype != "float64":
            raise BadInput(f"engine 'brian' computes in float64, not {settings.dtype}; --dtype float64")
        timing = settings.timing or Timing.settled(SETTLED)
        if settings.dt > timing.tau / 2:
            raise BadInput(f"dt = {settings.dt:g} s: expected at most half of the time constant, {timing.tau / 2:g} s")
        self.spec = spec
        self.settings = replace(settings, timing=timing)
        check_settings("brian", spec, self.settings)
        self.device = "cpu"
        self._weights = weights.copy()
        if settings.rule.symmetric:
            self._weights.R, self._weights.mask_R = {}, {}
        self._circuit = OutputCircuit(spec.classes, default_mu(spec, settings.mu), self.settings)
        self._run = Schedule(spec, effective_order(settings.rule, settings.order), timing).run()

    def stage(self, array: np.ndarray) -> np.ndarray:
        return array

    def network(
        self, images: Any, labels: np.ndarray, run: Run | None = None, *, begin: Any = None, name: str | None = None
    ) -> BrianNetwork:
        """One presentation as Brian2 objects, for a ``brian2.Network`` of your own, with your monitors and groups.

        Parameters
        ----------
        images, labels, run
            As for `present`; or instead of images a variable of your own group, ``brian2.linked_var(group, "rate")``.
        begin : brian2.Quantity, optional
            When to present, counted from the first time step, where what drives the input needs a while.
        name : str, optional
            What the names of the objects begin with.

        Examples
        --------
        >>> network = engine.network(images, labels)
        >>> monitor = brian2.StateMonitor(network["full1"], ["p", "activity"], record=True, clock=network.clock)
        >>> brian2.Network(network, monitor).run(network.duration)
        >>> network.trace().delta[1]
        """
        return self._network(images, labels, self._run if run is None else run, begin=begin, name=name)

    def present(self, images: np.ndarray, labels: np.ndarray, run: Run | None = None) -> StepTrace:
        """As `sim.engine.Engine.present`; with `run`, what happened in that one instead of what Remark 1 asks for."""
        network = self._network(images, labels, self._run if run is None else run)
        _run(network)
        trace = network.trace()
        trace.meta = describe("brian", self.spec, self.settings, {"brian2": brian2.__version__})
        trace.meta |= {"dt": self.settings.dt, "misjudged": network.misjudged}
        return trace

    def learn(self, images: np.ndarray, labels: np.ndarray, step: int, run: Run | None = None) -> int:
        """As `sim.engine.Engine.learn`; `run` as for `present`."""
        kept = dropout_masks(self.spec, self.settings, step, len(images))
        network = self._network(images, labels, self._run if run is None else run, kept)
        _run(network)
        self._weights = network.weights()
        return int(np.count_nonzero(network.trace().h[len(self.spec.weighted)].argmax(1) != labels))

    def cut_control(self, unit: int) -> None:
        """Cut the connection from the control tc of output `unit` to its error unit: a lesion, for good."""
        self._circuit.connected[unit] = False

    def outputs(self, images: np.ndarray) -> np.ndarray:
        return self._inputs(images)[len(self.spec.weighted)]

    def saturation(self, images: np.ndarray) -> dict[str, float]:
        return saturated_shares(self.spec, self._inputs(images))

    def take_statistics(self, images: np.ndarray, *, first: bool) -> None:
        """There are no normalised layers here, and nothing to take."""

    def weights(self) -> Weights:
        return self._weights.copy()

    def _network(
        self, images: Any, labels: np.ndarray, run: Run, kept: Mapping[str, np.ndarray] | None = None,
        # Always the same: where Brian2 compiles, it finds what it has compiled before.
        name: str | None = "network", begin: Any = None,
    ) -> BrianNetwork:  # fmt: skip
        check_run(run, self.settings.timing)
        gc.collect()  # objects of Brian2 point at each other: what the last network took is not given back by itself
        pixels = images
        if isinstance(images, np.ndarray):
            pixels = images / 255 if images.dtype == np.uint8 else images.astype(np.float64)
        labels = np.asarray(labels)
        return BrianNetwork(
            self.spec,
            self._weights,
            self.settings,
            self._circuit,
            pixels,
            labels,
            run,
            kept=kept,
            begin=begin,
            name=name,
        )

    def _inputs(self, images: np.ndarray) -> Arrays:
        """h of all layers when activity has gone up, nothing dropped."""
        upward = tuple(f for f in self._run.firings if f.event.kind in ("present", "arrive", "settle"))
        run, nobody = replace(self._run, firings=upward), np.empty(0, dtype=int)
        together = max(1, TOGETHER // synapses_of_image(self.spec))
        found: list[Arrays] = []
        for at in range(0, len(images), together):
            network = self._network(images[at : at + together], nobody, run)
            _run(network)
            found.append(network.trace().h)
        return {i: np.concatenate([h[i] for h in found]) for i in found[0]}


def _run(network: BrianNetwork) -> None:
    brian2.Network(network).run(network.duration, namespace={})
