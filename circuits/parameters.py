"""The parameters of the two circuits of Appendix 1, and the bounds within which they compute what it says."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from circuits.errors import CircuitError, OutOfBounds

T_THRESHOLDS = ("paper", "midpoint")
# Of any parameter that is not 0. The circuit adds h to 2 M and compares with 2 M + S: beyond this M, and below this
# epsilon, double precision would lose the very bits that decide.
SMALLEST, LARGEST = 1e-9, 1e6


class Thresholds(NamedTuple):
    """Where σ_t switches: to 1 above `upper`, to -1 below `lower`."""

    upper: float
    lower: float


@dataclass(frozen=True)
class OutputError:
    """The output-error circuit (s, δ, tc): τ δ' = -δ + σ_δ(h + 2 M s - 2 M tc), tc(t) = σ_t(δ(t - D)).

    Attributes
    ----------
    M : float
        Bound of the input, strictly: |h| < M.
    S : float
        Margin: an output beyond it is sufficiently correct, equation (6).
    mu : float
        Size of the error of a wrong class, 0 < mu <= 1.
    epsilon : float
        How far σ_δ rises above its plateau when the output is sufficiently correct; positive.
    tau : float
        Time constant τ of the error unit, seconds.
    delay : float
        D, the delay of the whole loop from δ through tc and back, seconds. With 0 the circuit never shuts off.
    t_threshold : {"paper", "midpoint"}
        Thresholds of σ_t. ``"paper"``: 1 and -mu, the plateau values themselves, without any margin for noise.
        ``"midpoint"``: 1 + epsilon/2 and -mu - epsilon/2.
    """

    M: float = 4.0
    S: float = 1.0
    mu: float = 0.5
    epsilon: float = 0.2
    tau: float = 10e-3
    delay: float = 30e-3
    t_threshold: str = "paper"

    def __post_init__(self):
        _require_positive("M", self.M)
        _require_not_negative("S", self.S)
        _require_positive("mu", self.mu)
        _require_positive("epsilon", self.epsilon)
        _require_positive("tau", self.tau)
        _require_not_negative("delay", self.delay)
        if self.mu > 1:
            raise OutOfBounds(f"mu = {self.mu:g} is above 1; Appendix 1 needs 0 < mu <= 1", None, self.mu, 1.0)
        if self.t_threshold not in T_THRESHOLDS:
            raise CircuitError(f"t_threshold '{self.t_threshold}': expected one of {', '.join(T_THRESHOLDS)}")

    @property
    def t_upper(self) -> float:
        """The δ above which tc is 1."""
        return 1.0 if self.t_threshold == "paper" else 1.0 + self.epsilon / 2

    @property
    def t_lower(self) -> float:
        """The δ below which tc is -1."""
        return -self.mu if self.t_threshold == "paper" else -self.mu - self.epsilon / 2

    @property
    def thresholds(self) -> Thresholds:
        """`t_upper` and `t_lower`."""
        return Thresholds(self.t_upper, self.t_lower)

    def check(self, h: ArrayLike, s: ArrayLike | None = None, unchecked: bool = False) -> None:
        """Refuse inputs for which the circuit does not compute equation (6).

        Parameters
        ----------
        h : array_like
            Input of the units, dimensionless; the last axis counts units.
        s : array_like, optional
            Supervision, ±1.
        unchecked : bool
            Let |h| >= M pass, to study what the circuit does there; what is not a number is still refused.

        Raises
        ------
        OutOfBounds
            If |h| >= M somewhere (at |h| = M the definition of σ_δ contradicts itself), or h is not finite.
        CircuitError
            If s is neither 1 nor -1 somewhere.
        """
        _check_bound("h", "M", h, self.M, "raise M, or scale the weights down", unchecked)
        if s is not None:
            wrong = np.abs(np.asarray(s, dtype=float)) != 1
            if wrong.any():
                unit, value = _first(s, wrong)
                raise CircuitError(
                    f"unit {unit}: s = {value:g} is not a supervision; use 1 (its class) or -1 (another)"
                )

    def target(self, h: ArrayLike, s: ArrayLike) -> np.ndarray:
        """Equation (6), what the circuit should report: 1 or -mu, or 0 where the output is sufficiently correct.

        Parameters
        ----------
        h, s : array_like
            Input and supervision of the units; broadcast against each other.

        Returns
        -------
        numpy.ndarray
            An output exactly at the margin, s h = S, is still updated.
        """
        h, s = np.asarray(h, dtype=float), np.asarray(s, dtype=float)
        return np.where(s * h > self.S, 0.0, np.where(s > 0, 1.0, -self.mu))


@dataclass(frozen=True)
class FeedbackShutdown:
    """The feedback-shutdown circuit: u and v stop the feedback δ of a saturated unit, equation (3).

    τ p' = -p + h, x = σ(p), u = 1[x >= 1], v = -1[x <= -1], δ̃(t) = σ_δ(δ - 2 K u(t - D) + 2 K v(t - D)). The leak
    sits on the membrane potential p: an x that relaxed toward clip(h) would reach 1 never, and u would stay silent.

    Attributes
    ----------
    K : float
        Bound of the feedback, strictly: |δ| < K.
    tau : float
        Time constant τ of the membrane potential, seconds.
    delay : float
        D, from x through u and v to δ̃, seconds.
    """

    K: float = 4.0
    tau: float = 10e-3
    delay: float = 5e-3

    def __post_init__(self):
        _require_positive("K", self.K)
        _require_positive("tau", self.tau)
        _require_not_negative("delay", self.delay)

    def check(self, delta: ArrayLike, h: ArrayLike | None = None, unchecked: bool = False) -> None:
        """Refuse feedback that could pass the shutdown.

        Parameters
        ----------
        delta : array_like
            Feedback arriving at the units, dimensionless; the last axis counts units.
        h : array_like, optional
            Their input, any finite number.
        unchecked : bool
            Let |δ| >= K pass; what is not a number is still refused.

        Raises
        ------
        OutOfBounds
            If |δ| >= K somewhere (δ = K passes an active u as -K), or a value is not finite.
        """
        _check_bound("delta", "K", delta, self.K, "raise K, or scale the feedback weights down", unchecked)
        if h is not None:
            _check_bound("h", "infinity", h, np.inf, "give finite inputs", unchecked)

    def target(self, h: ArrayLike, delta: ArrayLike) -> np.ndarray:
        """Equation (3), what the settled circuit should report: δ where |h| < 1, else 0; arrays broadcast."""
        h, delta = np.asarray(h, dtype=float), np.asarray(delta, dtype=float)
        return np.where(np.abs(h) < 1, delta, 0.0)


def _check_bound(name: str, bound_name: str, values: ArrayLike, bound: float, advice: str, unchecked: bool) -> None:
    """Refuse |value| >= bound, and what is not finite, naming the first unit."""
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        unit, value = _first(values, ~np.isfinite(values))
        raise OutOfBounds(f"unit {unit}: {name} = {value:g} is not a finite number", unit, value, bound)
    outside = np.abs(values) >= bound
    if outside.any() and not unchecked:
        unit, value = _first(values, outside)
        # As many digits as tell the value from the bound.
        message = f"unit {unit}: |{name}| = {abs(value)!r} is not below {bound_name} = {bound!r}; {advice}"
        raise OutOfBounds(message, unit, value, bound)


def _first(values: ArrayLike, where: np.ndarray) -> tuple[int, float]:
    """The first unit (index on the last axis) at which `where` holds, and its value."""
    position = np.argwhere(where)[0]
    unit = int(position[-1]) if position.size else 0
    return unit, float(np.asarray(values, dtype=float)[tuple(position)])


def _require_positive(name: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise OutOfBounds(f"{name} = {value:g} is not a positive number", None, value, 0.0)
    if not SMALLEST <= value <= LARGEST:
        bound = LARGEST if value > LARGEST else SMALLEST
        raise OutOfBounds(f"{name} = {value:g} is out of range; use {SMALLEST:g} to {LARGEST:g}", None, value, bound)


def _require_not_negative(name: str, value: float) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise OutOfBounds(f"{name} = {value:g} is negative or not a number; use 0 or more", None, value, 0.0)
    if value > LARGEST:
        raise OutOfBounds(f"{name} = {value:g} is out of range; use 0 to {LARGEST:g}", None, value, LARGEST)
