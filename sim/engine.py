"""The call that every engine answers, so that training, comparing and the command line never ask which one it is.

Engines are imported when they are asked for: training needs no Brian2, circuits need no torch.
"""

import importlib
import platform
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from network.errors import BadInput, unknown
from network.layers import Drop
from network.randomness import dropout_mask
from network.reference_layers import slope
from network.rules import Rule, effective_order
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim import ranks
from sim.circuit_limits import check_circuit
from sim.schedule import Timing
from sim.updates import PLAIN, Update, check_update

# engine: (module, class, package it needs, how to install that)
ENGINES = {
    "reference": ("sim.reference_engine", "ReferenceEngine", "numpy", ""),
    "torch": ("sim.torch_open", "open_torch", "torch", 'pip install "hebb[torch]"'),
    "event": ("sim.event.engine", "EventEngine", "numba", 'pip install "hebb[circuits]"'),
    "brian": ("sim.brian.engine", "BrianEngine", "brian2", 'pip install "hebb[circuits]"'),
}
CIRCUITS = ("event", "brian")  # the engines that read the circuit's settings: epsilon, M, K, gate_phase, unchecked
DTYPES = ("float32", "float64")
KERNELS = ("auto", "plain", "fast")
DROPOUT_MASKS = ("per-image", "per-batch")
COMPUTE_DTYPES = ("bfloat16", "tfloat32")


@dataclass(frozen=True)
class Settings:
    """How an engine presents and learns; the same for all of them.

    Attributes
    ----------
    rule : Rule
    eta : float
        Time step of the updates.
    mu : float or None
        Weight of the wrong classes in (4); None for 1 / (classes - 1).
    order : {"before_update", "after_update"}
        When the weights change, see `network.reference.present`.
    dtype : {"float32", "float64"}
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or ``"auto"``: a GPU where there is one.
    seed : int
        Of the dropout masks, and of feedback that is drawn anew.
    kernels : {"auto", "plain", "fast"}
        Torch only: the plain form, or compiled kernels on the CPU; automatically the latter where they can be had.
    dropout_mask : {"per-image", "per-batch"}
        Whether each image of a batch has units of its own silenced, or all have the same: "for each training batch a
        random subset of the input units is set to 0" can be read as either. What is learned differs.
    compute_dtype : {"bfloat16", "tfloat32"} or None
        Torch only: the precision of activity, delta and their products, see `sim.torch_engine`; None for `dtype`. With
        tfloat32, which GPUs have, that of the factors of products alone.
        Weights are kept, and their increments added, in `dtype`, and the output layer is computed in it.
    update : Update
        How increments become changes of the weights: momentum, weight decay, Batch Manhattan, clamped layers.
    epsilon : float
        Circuits only, as all below: how far sigma_delta rises above its plateau for a sufficiently correct output.
    M, K : float or "auto"
        Bounds of the inputs of the output units and of the feedback; where automatic, taken from the weights.
    gate_phase : float or "auto"
        When the Hebbian gates of the output open: how much of a cycle, 0 to 1, after the phase at which oscillating
        units are nearest 0; automatically what is nearest 0 over a whole cycle.
    unchecked : bool
        Let inputs beyond M and feedback beyond K pass, to see what the circuit does there.
    timing : Timing or None
        How long everything takes; None for ideal timing: whatever is read has settled.
    dt : float
        Time step of clock-driven circuits, seconds.

    Raises
    ------
    BadInput
        For an unknown dtype, order or other choice, or a number out of range.
    """

    rule: Rule
    eta: float = 0.1
    mu: float | None = None
    order: str = "before_update"
    dtype: str = "float32"
    device: str = "auto"
    seed: int = 0
    kernels: str = "auto"
    dropout_mask: str = "per-image"
    compute_dtype: str | None = None
    update: Update = PLAIN
    epsilon: float = 0.2
    M: float | str = "auto"
    K: float | str = "auto"
    gate_phase: float | str = "auto"
    unchecked: bool = False
    timing: Timing | None = None
    dt: float = 1e-4

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise unknown("dtype", self.dtype, DTYPES)
        if self.kernels not in KERNELS:
            raise unknown("kernels", self.kernels, KERNELS)
        if self.dropout_mask not in DROPOUT_MASKS:
            raise unknown("dropout mask", self.dropout_mask, DROPOUT_MASKS)
        if self.compute_dtype and self.compute_dtype not in COMPUTE_DTYPES:
            raise unknown("compute dtype", self.compute_dtype, COMPUTE_DTYPES)
        if self.compute_dtype and self.dtype != "float32":
            raise BadInput(f"compute dtype '{self.compute_dtype}': weights are float32 then, not {self.dtype}")
        check_update(self.update, self.rule, effective_order(self.rule, self.order))
        if not 0 < self.eta < float("inf"):
            raise BadInput(f"eta {self.eta:g}: expected a positive time step; the paper's is 0.1")
        if self.mu is not None and not 0 <= self.mu < float("inf"):
            raise BadInput(f"mu {self.mu:g}: expected 0 or more; 1/(classes - 1) where left out")
        if not 0 <= self.epsilon < float("inf"):
            raise BadInput(f"epsilon {self.epsilon:g}: expected 0 or more; with 0 no output is ever silenced")
        for name, bound in (("M", self.M), ("K", self.K)):
            if bound != "auto" and not (isinstance(bound, int | float) and 0 < bound < float("inf")):
                raise BadInput(f"{name} {bound}: expected auto, or a positive bound")
        phase = self.gate_phase
        if phase != "auto" and not (isinstance(phase, int | float) and 0 <= phase < 1):
            raise BadInput(f"gate phase {phase}: expected auto, or a share of a cycle, 0 <= phase < 1")
        if not 0 < self.dt < float("inf"):
            raise BadInput(f"dt {self.dt:g} s: expected a positive time step")


class Engine(Protocol):
    """What runs a network. Arrays of type `Any` are the engine's own, on its own device, as `stage` makes them."""

    spec: NetworkSpec
    settings: Settings
    device: str

    def stage(self, array: np.ndarray) -> Any:
        """Bring an array to the engine's device, dtype unchanged; it can be indexed by a staged array of indices."""
        ...

    def present(self, images: np.ndarray, labels: np.ndarray) -> StepTrace:
        """Present (N, C, H, W) images with (N,) labels; return what happened. Weights stay as they are."""
        ...

    def learn(self, images: Any, labels: Any, step: int) -> Any:
        """Present a staged batch with dropout, and update the weights.

        `images` are uint8 pixels, taken as x / 255, or floating point, taken as they are. `step` counts the updates so
        far and picks the dropout masks. Returns how many images were classified wrongly, a number on the device.
        """
        ...

    def outputs(self, images: Any) -> Any:
        """x_L (N, classes) for staged images, nothing dropped."""
        ...

    def saturation(self, images: Any) -> dict[str, float]:
        """The share of units that are shut off, by weighted layer (0 at the output); NaN where h is not finite.

        That is the saturated, |g h| >= 1; of rectified units those without input, h <= 0.
        """
        ...

    def take_statistics(self, images: Any, *, first: bool) -> None:
        """Take the statistics of a staged batch into those by which normalised layers classify.

        The `first` batch replaces what is there, each further one counts alpha (`network.normalisation.AVERAGING`).
        Circuits have no normalised layers, and nothing to take.
        """
        ...

    def weights(self) -> Weights:
        """The weights as they are now, as NumPy arrays that share no memory with the engine."""
        ...


def open_engine(name: str, spec: NetworkSpec, weights: Weights, settings: Settings) -> Engine:
    """Make an engine.

    Parameters
    ----------
    name : str
        A key of `ENGINES`.
    spec, weights, settings
        What it runs, and how.

    Raises
    ------
    BadInput
        For an unknown engine or device, weights that do not fit, or a missing package, with the command that installs
        it.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    weights.check(spec, settings.rule)
    if name in CIRCUITS:
        check_circuit(name, spec, settings.rule, settings.update)
    _check_compute_dtype(name, spec, settings)
    module, engine, package, install = ENGINES[name]
    try:
        if ranks.count() > 1:
            return importlib.import_module("sim.distributed").open_shared(name, spec, weights, settings)
        return getattr(importlib.import_module(module), engine)(spec, weights, settings)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise BadInput(f"engine '{name}' needs the package '{package}', which is not installed: {install}") from None


def _check_compute_dtype(name: str, spec: NetworkSpec, settings: Settings) -> None:
    if not settings.compute_dtype:
        return
    what = f"compute dtype '{settings.compute_dtype}'"
    if name != "torch":
        raise BadInput(f"{what}: engine '{name}' computes in one precision, that of --dtype; --engine torch has both")
    if any(node.synaptic.norm for node in spec.weighted):
        raise BadInput(f"{what}: batch normalisation needs float32 throughout; leave it out, or the normalisation")


def dropout_masks(spec: NetworkSpec, settings: Settings, step: int, count: int) -> dict[str, np.ndarray]:
    """Which units every Drop layer keeps for `count` images in one update, by node name; the same for all engines.

    Where a batch shares a mask, it is the one that its first image would have had.
    """
    drawn = 1 if settings.dropout_mask == "per-batch" else count
    masks = {
        node.name: dropout_mask(settings.seed, step, position, (drawn, *node.shape), node.layer.fraction)
        for position, node in enumerate(spec.nodes)
        if isinstance(node.layer, Drop)
    }
    return masks if drawn == count else {name: np.repeat(mask, count, axis=0) for name, mask in masks.items()}


def saturated_shares(spec: NetworkSpec, h: dict[int, np.ndarray]) -> dict[str, float]:
    """`Engine.saturation` from the inputs h of all weighted layers."""
    shares = {}
    for node in spec.weighted:
        drive = spec.gain * h[node.index]
        share = 0.0 if node.is_output else float((slope(node.synaptic, h[node.index], spec.gain) == 0).mean())
        shares[node.name] = share if np.isfinite(drive).all() else float("nan")
    return shares


def describe(engine: str, spec: NetworkSpec, settings: Settings, versions: dict[str, str]) -> dict[str, Any]:
    """The `meta` of a trace: everything that one needs to know to compute it again."""
    signs, circuit = settings.rule.signs, {}
    if engine in CIRCUITS:
        circuit = {name: getattr(settings, name) for name in ("epsilon", "M", "K", "gate_phase", "unchecked")}
        circuit["timing"] = asdict(settings.timing) if settings.timing else "ideal"
    return {
        "engine": engine,
        "rule": settings.rule.name,
        "feedback_rate": settings.rule.feedback_rate,
        "feedback_decay": settings.rule.feedback_decay,
        **({"flip_probability": signs.flip_probability, "feedback_scale": signs.scale} if signs else {}),
        "order": effective_order(settings.rule, settings.order),
        "eta": settings.eta,
        **({} if settings.update.is_plain else {"update": asdict(settings.update)}),
        "mu": 1 / (spec.classes - 1) if settings.mu is None else settings.mu,
        "gain": spec.gain,
        "semantics": spec.semantics.name,
        "net": spec.notation,
        **({"frozen": spec.frozen} if spec.frozen else {}),
        "dtype": settings.dtype,
        **({"compute_dtype": settings.compute_dtype} if settings.compute_dtype else {}),
        **({"dropout_mask": settings.dropout_mask} if settings.dropout_mask != "per-image" else {}),
        **circuit,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, **versions},
    }
