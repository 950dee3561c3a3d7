"""The network as a circuit, at full size: every unit with its control neurons, in the order of `sim.schedule`.

With ideal timing the units concerned have settled between two events, or run through a whole cycle; with a `Timing`
they have as long as the schedule gives them, and what is carried from event to event are exact exponentials. Nothing
here knows equations (3) and (6): what they say must come out of s, tc, u and v.
"""

import numba
import numpy as np

from network.reference import default_mu
from network.rules import effective_order
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.circuit_checks import check_run, check_settings
from sim.engine import Settings, describe, dropout_masks, saturated_shares
from sim.event.circuit import Circuit
from sim.event.output import OutputCircuit
from sim.event.pools import Relays
from sim.event.presentation import Presentation, Watch
from sim.event.space import Space
from sim.event.steps import Step, steps_of
from sim.event.synapses import synapses_of
from sim.schedule import IDEAL
from sim.schedule_plan import Schedule
from sim.schedule_run import Run

EVALUATION_BATCH = 500  # images at a time where nothing is learned: bounds memory, changes no result


class EventEngine:
    """Runs a `NetworkSpec` as a circuit, on the CPU. See `sim.engine.Engine` for the methods.

    Parameters
    ----------
    spec, weights, settings
        As `sim.engine.open_engine`.

    Raises
    ------
    BadInput
        For what `sim.circuit_checks.check_settings` refuses. Later, for an input beyond M or feedback beyond K, naming
        the unit.

    Notes
    -----
    With the semantics ``code2018`` an output exactly at the margin is not updated by the code, but is by the circuit:
    such outputs are among the ties.
    """

    def __init__(self, spec: NetworkSpec, weights: Weights, settings: Settings) -> None:
        check_settings("event", spec, settings)
        self.spec = spec
        self.settings = settings
        self.device = "cpu"
        self._dtype = np.dtype(settings.dtype)
        by_name = {node.name: node for node in spec.nodes}
        self._synapses = {node.index: synapses_of(node, by_name.get(node.sources[0])) for node in spec.weighted}
        R, mask_R = ({}, {}) if settings.rule.symmetric else (weights.R, weights.mask_R)
        groups = (weights.W, R, weights.mask_W, mask_R)
        self._circuit = Circuit(
            spec,
            settings,
            self._synapses,
            OutputCircuit(spec.classes, default_mu(spec, settings.mu), settings),
            *({i: self._inside(i, array) for i, array in group.items()} for group in groups),
        )
        self._space = Space(keep=True)
        schedule = Schedule(spec, effective_order(settings.rule, settings.order), settings.timing or IDEAL)
        self._steps = steps_of(schedule.run(), spec)

    def _inside(self, i: int, array: np.ndarray) -> np.ndarray:
        return self._synapses[i].inside(np.asarray(array, dtype=self._dtype))

    def stage(self, array: np.ndarray) -> np.ndarray:
        return array

    def present(
        self, images: np.ndarray, labels: np.ndarray, run: Run | None = None, watch: Watch | None = None
    ) -> StepTrace:
        """As `sim.engine.Engine.present`; with `run`, what happened in that one instead of what Remark 1 asks for.

        Parameters
        ----------
        images, labels
            As in `sim.engine.Engine`.
        run : Run, optional
            Firings in order, with their times. With ideal timing only what comes before what matters, packets on their
            way and gates that close included.
        watch : callable, optional
            As `sim.event.presentation.Presentation.run`.

        Raises
        ------
        BadInput
            Where the run is of another network, or for another tau or loop than those of the settings' timing; or where
            an output's cycle does not fit into the Hebbian window.
        """
        trace, space = StepTrace(), Space(keep=False)
        relays = Relays(self.spec.semantics, {}, space)
        presentation = Presentation(
            self._circuit, self._pixels(images), np.asarray(labels), relays, space, keep=False, trace=trace
        )
        presentation.run(self.steps_of(run), watch)
        trace.meta = describe("event", self.spec, self.settings, {"numba": numba.__version__})
        if self.settings.timing:
            trace.meta["misjudged"] = presentation.misjudged
        return trace

    def learn(self, images: np.ndarray, labels: np.ndarray, step: int, run: Run | None = None) -> int:
        """As `sim.engine.Engine.learn`; `run` as for `present`."""
        kept = dropout_masks(self.spec, self.settings, step, len(images))
        relays = Relays(self.spec.semantics, kept, self._space)
        presentation = Presentation(
            self._circuit, self._pixels(images), np.asarray(labels), relays, self._space, keep=True
        )
        presentation.run(self.steps_of(run))
        return presentation.wrong()

    def cut_control(self, unit: int) -> None:
        """Cut the connection from the control tc of output `unit` to its error unit: a lesion, for good."""
        self._circuit.output.connected[unit] = False

    def outputs(self, images: np.ndarray) -> np.ndarray:
        parts = range(0, len(images), EVALUATION_BATCH)
        top = len(self.spec.weighted)
        return np.concatenate([self._potentials(images[at : at + EVALUATION_BATCH])[top] for at in parts])

    def saturation(self, images: np.ndarray) -> dict[str, float]:
        h = self._potentials(images)
        return saturated_shares(self.spec, h)

    def take_statistics(self, images: np.ndarray, *, first: bool) -> None:
        """Nothing to take: no unit of a circuit normalises a batch."""

    def weights(self) -> Weights:
        circuit = self._circuit
        W, R, mask_W, mask_R = (
            {i: self._synapses[i].outside(array) for i, array in group.items()}
            for group in (circuit.W, circuit.R, circuit.mask_W, circuit.mask_R)
        )
        mask_W, mask_R = ({i: mask.astype(bool) for i, mask in masks.items()} for masks in (mask_W, mask_R))
        return Weights(W, R, mask_W, mask_R)

    def steps_of(self, run: Run | None) -> tuple[Step, ...]:
        """Those of `run`, or of what Remark 1 asks for."""
        if run is None:
            return self._steps
        check_run(run, self.settings.timing)
        return steps_of(run, self.spec)

    def _potentials(self, images: np.ndarray) -> dict[int, np.ndarray]:
        """Membrane potentials of all layers when activity has gone up, nothing dropped."""
        feedforward = [step for step in self._steps if step.kind in ("present", "send", "arrive", "settle")]
        nobody, space = np.empty(0, dtype=int), Space(keep=False)
        relays = Relays(self.spec.semantics, {}, space)
        presentation = Presentation(self._circuit, self._pixels(images), nobody, relays, space, keep=False)
        presentation.run(feedforward)
        return presentation.potential

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        pixels = np.array(images.transpose(0, 2, 3, 1), dtype=self._dtype, order="C")
        return pixels / 255 if images.dtype == np.uint8 else pixels
