"""The engines that a certificate compares: each with the precision, the device and the timing that it is asked for."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from network.errors import BadInput
from network.trace import StepTrace
from sim.engine import CIRCUITS, ENGINES, Engine, Settings, open_engine
from sim.schedule import Timing
from validation.ties import Presented
from validation.tolerances import Tolerance, agreement_tolerances

SETTLED = 20.0  # time constants that timed circuits settle for: e^{-20} = 2e-9
CLOCKED, STEP = 8.0, 1e-3  # the same for clock-driven circuits, whose every step costs time: e^{-8} = 3e-4; seconds
LARGEST_CLOCKED = 200  # units with synapses, over the batch, that clock-driven circuits are asked for


@dataclass(frozen=True)
class Variant:
    """An engine and how it is run.

    Attributes
    ----------
    name : str
    engine : str
        A key of `sim.engine.ENGINES`, or of one that is still to be built.
    dtype, device : str
    ratio : float or None
        Of circuits: T/tau, how many time constants everything settles for; None for ideal timing.
    kernels : str
        Of torch: the form that can be had, or the plain one.
    """

    name: str
    engine: str
    dtype: str = "float64"
    device: str = "cpu"
    ratio: float | None = None
    kernels: str = "auto"

    def missing(self) -> str:
        """Why this one cannot be run here; empty where it can."""
        if self.engine not in ENGINES:
            return f"there is no engine '{self.engine}' in this version"
        module, _, _, install = ENGINES[self.engine]
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in {package for _, _, package, _ in ENGINES.values()}:
                raise
            return f"'{error.name}' is not installed: {install}"
        if self.device == "cuda":
            import torch

            if not torch.cuda.is_available():
                return f"torch {torch.__version__} sees no GPU here"
        return ""

    def refuses(self, case: Presented) -> str:
        """Why this one is not asked for a case; empty where it is."""
        units = sum(node.units for node in case.spec.weighted) * len(case.images)
        if self.engine == "brian" and units > LARGEST_CLOCKED:
            return (
                f"more than {LARGEST_CLOCKED} units with synapses, over the batch, take a clock-driven circuit too long"
            )
        if self.engine == "brian" and case.weights.mask_W:
            return "a clock-driven circuit is slow: it is asked for presentations with all connections only"
        if self.engine in CIRCUITS:
            try:
                self._open(case)
            except BadInput as error:  # a rule, or a kind of layer, that no circuit computes; or a network too large
                return str(error)
        return ""

    def tolerances(self, case: Presented) -> dict[str, Tolerance]:
        """By quantity; that of h also says what is a tie: what lies nearer to a threshold."""
        return agreement_tolerances(self.dtype, self.ratio, len(case.spec.weighted))

    def settings(self, case: Presented) -> Settings:
        timing = None if self.ratio is None else Timing.settled(self.ratio)
        return Settings(
            case.rule, case.eta, case.mu, case.order, dtype=self.dtype, device=self.device, timing=timing, dt=STEP,
            kernels=self.kernels,
        )  # fmt: skip

    def present(self, case: Presented) -> StepTrace:
        """What this engine makes of a presentation; `BadInput` naming the engine where it refuses it."""
        try:
            with _without_compiling() if self.engine == "brian" else nullcontext():
                return self._open(case).present(case.images.astype(self.dtype), case.labels)
        except BadInput as error:
            raise BadInput(f"{self.name}: {error}") from None

    def _open(self, case: Presented) -> Engine:
        return open_engine(self.engine, case.spec, case.weights.astype(self.dtype), self.settings(case))


@contextmanager
def _without_compiling() -> Iterator[None]:
    """Brian2 computes in NumPy meanwhile: compiling takes minutes, these networks seconds."""
    import brian2

    chosen = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    try:
        yield
    finally:
        brian2.prefs.codegen.target = chosen


REFERENCE = Variant("reference", "reference")
VARIANTS = (
    REFERENCE,
    Variant("torch", "torch"),
    Variant("torch float32", "torch", dtype="float32"),
    Variant("torch plain", "torch", kernels="plain"),
    Variant("torch GPU", "torch", device="cuda"),
    Variant("torch GPU float32", "torch", dtype="float32", device="cuda"),
    Variant("event", "event"),
    Variant("event float32", "event", dtype="float32"),
    Variant("event timed", "event", ratio=SETTLED),
    Variant("brian", "brian", ratio=CLOCKED),
)
