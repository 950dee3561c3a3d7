"""One presentation as the event engine makes it, looked at in many moments: what a page shows, and nothing else."""

from dataclasses import dataclass, field

import numpy as np

from network.errors import BadInput
from network.spec import NetworkSpec, Node
from network.trace import StepTrace
from sim.engine import Settings
from sim.event.engine import EventEngine
from sim.event.presentation import Presentation
from sim.event.steps import Step
from sim.schedule import TimingViolation
from sim.schedule_plan import RESOLUTION
from sim.schedule_run import Run
from sim.viewer.sample import Drawn, drawn_synapses, drawn_units, moments, of_drawn, shared_out

REPLACED, UPPER, LOWER = 1, 2, 4  # bits of `LayerRecord.state`
TAIL = 0.03  # of the presentation, that is shown after its last event
PATHWAYS = ("W", "R", "dW", "dR")


@dataclass
class LayerRecord:
    """What the drawn units of a layer did.

    Attributes
    ----------
    node : Node
    drawn : Drawn
    potential, activity : numpy.ndarray of float32, (moments, drawn)
        p; and x, or δ where it has replaced x.
    state : numpy.ndarray of uint8, (moments, drawn)
        Bits: δ has replaced x, u acts, v acts.
    control : numpy.ndarray of int8, (moments, drawn)
        tc of the output.
    mean : numpy.ndarray of float32, (moments,)
        Mean \\|activity\\| of all units of the layer, drawn or not.
    shut : numpy.ndarray of int32, (moments,)
        How many of them u or v shuts off.
    """

    node: Node
    drawn: Drawn
    potential: np.ndarray
    activity: np.ndarray
    state: np.ndarray
    control: np.ndarray
    mean: np.ndarray
    shut: np.ndarray


@dataclass
class SynapseRecord:
    """What the drawn synapses of a layer did: their values from a moment on, until the next.

    Attributes
    ----------
    rows, columns : numpy.ndarray of int
        The units that receive, and what each of them reads, flattened.
    versions : list of (int, dict of str to numpy.ndarray)
        From which moment, by its number; W, R, and tags dW, dR, float32, (rows, columns). A tag is there from its gate
        to its consolidation.
    """

    rows: np.ndarray
    columns: np.ndarray
    versions: list[tuple[int, dict[str, np.ndarray]]] = field(default_factory=list)


@dataclass(frozen=True)
class Recording:
    """One presentation of one image.

    Attributes
    ----------
    spec : NetworkSpec
    settings : Settings
    image : numpy.ndarray, (C, H, W)
    label : int
    steps : tuple of Step
        What the circuit did, in order.
    violations : tuple of TimingViolation
        What happened without what it needs.
    times : numpy.ndarray, (moments,)
        Seconds. At the time of a step what is seen is what it has made.
    layers : dict of int to LayerRecord
    synapses : dict of int to SynapseRecord
    trace : StepTrace
        Of the whole layers, as `sim.event.engine.EventEngine.present` returns it.
    """

    spec: NetworkSpec
    settings: Settings
    image: np.ndarray
    label: int
    steps: tuple[Step, ...]
    violations: tuple[TimingViolation, ...]
    times: np.ndarray
    layers: dict[int, LayerRecord]
    synapses: dict[int, SynapseRecord]
    trace: StepTrace


def record(engine: EventEngine, image: np.ndarray, label: int, run: Run | None = None) -> Recording:
    """Present one image, and look on.

    Parameters
    ----------
    engine : EventEngine
        With a timing; its weights stay as they are.
    image : numpy.ndarray, (C, H, W)
        As `sim.engine.Engine.present` takes a batch of them.
    label : int
    run : Run, optional
        What happens in that one instead of what Remark 1 asks for, violations included.

    Raises
    ------
    BadInput
        Where nothing takes time, or the network has more layers than a page has room for; and what the engine refuses.
    """
    timing = engine.settings.timing
    if timing is None:
        raise BadInput("timing ideal: everything happens at once; give for how many time constants everything settles")
    steps = engine.steps_of(run)
    end = max((step.time for step in steps), default=0.0)
    times = moments([step.time for step in steps], end * (1 + TAIL) + timing.tau, RESOLUTION)
    recorder = _Recorder(engine.spec, times)
    trace = engine.present(image[None], np.array([label]), run, watch=recorder.watch)
    broken = run.violations if run is not None else ()
    return Recording(
        engine.spec, engine.settings, image, label, steps, broken, times, recorder.layers,
        recorder.synapses, trace,
    )  # fmt: skip


class _Recorder:
    """Looks at the drawn units and synapses in every moment."""

    def __init__(self, spec: NetworkSpec, times: np.ndarray) -> None:
        self._times, self._next = times, 0
        self._seen: dict[int, tuple[np.ndarray | None, ...]] = {}
        limits = shared_out([node.units for node in spec.weighted], times.size)
        self.layers: dict[int, LayerRecord] = {}
        self.synapses: dict[int, SynapseRecord] = {}
        for node, limit in zip(spec.weighted, limits, strict=True):
            drawn = drawn_units(node.shape, limit)
            size = (times.size, drawn.units.size)
            kinds = (np.float32, np.float32, np.uint8, np.int8)
            arrays = [np.empty(size, dtype=kind) for kind in kinds]
            arrays += [np.empty(times.size, dtype=kind) for kind in (np.float32, np.int32)]
            self.layers[node.index] = LayerRecord(node, drawn, *arrays)
            self.synapses[node.index] = SynapseRecord(*drawn_synapses(node.weight_shape, len(spec.weighted)))

    def watch(self, presentation: Presentation, now: float) -> None:
        """Look at all moments before `now` that have not been looked at."""
        while self._next < self._times.size and self._times[self._next] < now - RESOLUTION:
            for layer in self.layers:
                self._look(presentation, layer, self._next)
                self._look_at_synapses(presentation, layer, self._next)
            self._next += 1

    def _look(self, presentation: Presentation, layer: int, moment: int) -> None:
        record, seen = self.layers[layer], presentation.look(layer, float(self._times[moment]))
        potential, activity, replaced, u, v, control = (values.reshape(-1)[record.drawn.units] for values in seen)
        record.potential[moment], record.activity[moment] = potential, activity
        record.state[moment] = REPLACED * replaced + UPPER * (u != 0) + LOWER * (v != 0)
        record.control[moment] = control
        record.mean[moment] = np.abs(seen.activity).mean()
        record.shut[moment] = np.count_nonzero(seen.u) + np.count_nonzero(seen.v)

    def _look_at_synapses(self, presentation: Presentation, layer: int, moment: int) -> None:
        record, now = self.synapses[layer], presentation.tags.seen(layer)
        before = self._seen.get(layer, (None,) * len(now))
        if record.versions and all(a is b for a, b in zip(now, before, strict=True)):
            return
        self._seen[layer] = now
        shown = {}
        for name, values in zip(PATHWAYS, now, strict=True):
            if values is not None:
                outside = presentation.tags.outside(layer, values)
                shown[name] = of_drawn(outside, record.rows, record.columns).astype(np.float32)
        record.versions.append((moment, shown))
