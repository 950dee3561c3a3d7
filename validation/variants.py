"""The engines that a certificate compares: each with the precision, the device and the timing that it is asked for."""

import importlib
from dataclasses import dataclass
from math import exp

from network.errors import BadInput
from network.trace import StepTrace
from sim.engine import CIRCUITS, ENGINES, Engine, Settings, open_engine
from sim.schedule import Timing
from validation.ties import Presented
from validation.tolerances import Tolerance, agreement_tolerances

SETTLED = 20.0  # time constants that timed circuits settle for: e^{-20} = 2e-9
CLOCKED = 12.0  # the same for clock-driven circuits, whose every step costs time: e^{-12} = 6e-6
LARGEST_CLOCKED = 400  # units with synapses, in networks that clock-driven circuits are asked for


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
    """

    name: str
    engine: str
    dtype: str = "float64"
    device: str = "cpu"
    ratio: float | None = None

    def missing(self) -> str:
        """Why this one cannot be run here; empty where it can."""
        if self.engine not in ENGINES:
            return f"there is no engine '{self.engine}' in this version"
        module, _, package, install = ENGINES[self.engine]
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            return f"'{package}' is not installed: {install}"
        if self.device == "cuda":
            import torch

            if not torch.cuda.is_available():
                return f"torch {torch.__version__} sees no GPU here"
        return ""

    def refuses(self, case: Presented) -> str:
        """Why this one is not asked for a case; empty where it is."""
        if self.engine in CIRCUITS:
            try:
                self._open(case)
            except BadInput as error:  # a rule, or a kind of layer, that no circuit computes; or a network too large
                return str(error)
        units = sum(node.units for node in case.spec.weighted)
        if self.engine == "brian" and units * len(case.images) > LARGEST_CLOCKED:
            return f"{units * len(case.images):,} units with synapses are too many for a clock-driven simulation"
        return ""

    def tolerances(self) -> dict[str, Tolerance]:
        return agreement_tolerances(self.dtype, self.ratio)

    @property
    def rounding(self) -> float:
        """How far this one's h may be off, as a share of the largest: what lies nearer to a threshold is a tie."""
        return self.tolerances()["h"].relative

    def settings(self, case: Presented) -> Settings:
        timing = None if self.ratio is None else Timing.settled(self.ratio)
        return Settings(
            case.rule, case.eta, case.mu, case.order, dtype=self.dtype, device=self.device, timing=timing
        )  # fmt: skip

    def present(self, case: Presented) -> StepTrace:
        """What this engine makes of a presentation; `BadInput` naming the engine where it refuses it."""
        try:
            return self._open(case).present(case.images.astype(self.dtype), case.labels)
        except BadInput as error:
            raise BadInput(f"{self.name}: {error}") from None

    def _open(self, case: Presented) -> Engine:
        return open_engine(self.engine, case.spec, case.weights.astype(self.dtype), self.settings(case))


REFERENCE = Variant("reference", "reference")
VARIANTS = (
    REFERENCE,
    Variant("torch", "torch"),
    Variant("torch float32", "torch", dtype="float32"),
    Variant("torch GPU", "torch", device="cuda"),
    Variant("torch GPU float32", "torch", dtype="float32", device="cuda"),
    Variant("event", "event"),
    Variant("event float32", "event", dtype="float32"),
    Variant("event timed", "event", ratio=SETTLED),
    Variant("brian", "brian", ratio=CLOCKED),
)


def leftover(variant: Variant) -> float:
    """e^{-T/tau}: what finite timing leaves; 0 where it is ideal."""
    return 0.0 if variant.ratio is None else exp(-variant.ratio)
