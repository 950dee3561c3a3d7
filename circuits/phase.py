"""Phase diagrams: for which parameters the output-error circuit computes equation (6), and what fails elsewhere."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from circuits.cycles import STATES, limit_cycle
from circuits.errors import CircuitError
from circuits.exact import Measures, measure
from circuits.exact_noise import Noise
from circuits.parameters import OutputError

AXES = {
    "h": "input h",
    "delay": "loop delay D/τ",
    "epsilon": "overshoot ε",
    "M": "bound M",
    "noise": "noise on tc's input (sd)",
    "mu": "level µ of a wrong class",
    "S": "margin S",
}
READOUTS = ("nearest_zero", "mean")

# What a cell's units do. The first holds where the read-out is right; of the others the first that applies.
MECHANISMS = (
    "equals equation (6)",
    "|h| is not below M: the levels of σ_δ get mixed up",
    "no delay: slides along its plateau, never shuts off",
    "plateau lost: noise crosses a threshold of σ_t",
    "time mean of an oscillation: about half of the level",
    "silence incomplete: the delay is too short to fall to 0",
    "silence lost to noise",
    "not settled within the time given",
)
RIGHT, OUTSIDE, SLIDES, PLATEAU_LOST, MEAN, INCOMPLETE, SILENCE_LOST, UNSETTLED = range(len(MECHANISMS))
_SCALARS = ("epsilon", "M", "noise", "mu", "S")  # one value for all units of a compiled call


@dataclass(frozen=True)
class PhaseDiagram:
    """A grid of circuits, one or several units to a cell. Arrays are (y, x).

    Attributes
    ----------
    x_name, y_name : str
        Of `AXES`.
    x, y : numpy.ndarray
        Their values.
    readout, target : numpy.ndarray
        What the circuit reports, the unit of the cell that is furthest from the target, and equation (6).
    share : numpy.ndarray
        Share of the cell's units whose read-out is right.
    mechanism : numpy.ndarray of int
        Indices into `MECHANISMS`, of the unit that `readout` shows.
    tolerance : float
        How far from equation (6) a read-out is right.
    """

    x_name: str
    y_name: str
    x: np.ndarray
    y: np.ndarray
    readout: np.ndarray
    target: np.ndarray
    share: np.ndarray
    mechanism: np.ndarray
    tolerance: float

    @property
    def right(self) -> np.ndarray:
        """Where every unit of the cell reports equation (6)."""
        return self.mechanism == RIGHT


def phase_diagram(
    x_name: str,
    x: ArrayLike,
    y_name: str,
    y: ArrayLike,
    parameters: OutputError | None = None,
    *,
    h: float = 2.0,
    s: int = 1,
    noise: Noise | None = None,
    readout: str = "nearest_zero",
    tolerance: float = 0.05,
    repeats: int | None = None,
    cycles: int = 10,
) -> PhaseDiagram:
    """Run the circuit, exactly, on a grid of any two of its parameters.

    Parameters
    ----------
    x_name, y_name : str
        Two of `AXES`. ``"delay"`` is D/τ, at the τ of `parameters`; ``"noise"`` is the standard deviation.
    x, y : array_like
        Their values.
    parameters : OutputError, optional
        What the axes do not vary.
    h, s : float, int
        Input and supervision, where no axis varies them.
    noise : Noise, optional
        On the input of tc; its interval and seed also serve an axis ``"noise"``.
    readout : {"nearest_zero", "mean"}
        Value of δ nearest 0 over the cycles, or time mean over them.
    tolerance : float
        How far from equation (6) a read-out is right.
    repeats : int, optional
        Units to a cell: 1 without noise, 16 with noise where not given.
    cycles : int
        How many cycles to wait, and then to measure.

    Returns
    -------
    PhaseDiagram

    Raises
    ------
    CircuitError
        For unknown names, or values that no circuit has. |h| >= M is not refused: it is one of the mechanisms.
    """
    parameters = parameters or OutputError()
    for name in (x_name, y_name):
        if name not in AXES:
            raise CircuitError(f"axis '{name}': expected one of {', '.join(AXES)}")
    if x_name == y_name:
        raise CircuitError(f"axis '{x_name}' is given twice; vary two different parameters")
    if readout not in READOUTS:
        raise CircuitError(f"readout '{readout}': expected one of {', '.join(READOUTS)}")
    x, y = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (x, y))
    noise = noise or Noise(0.0)
    repeats = repeats or (16 if noise.sd > 0 or "noise" in (x_name, y_name) else 1)
    grid = _grid(x_name, x, y_name, y, parameters, h, noise)
    cells = y.size * x.size
    result = {name: np.empty(cells) for name in ("readout", "target", "share")}
    mechanisms = np.empty(cells, dtype=np.int8)
    scalars = np.stack([grid[name] for name in _SCALARS], axis=1)
    _, group = np.unique(scalars, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1):
        values = {name: float(grid[name][members[0]]) for name in _SCALARS}
        sd = values.pop("noise")
        circuit = replace(parameters, **values)
        units = np.repeat(members, repeats)
        found = _run(circuit, grid["h"][units], s, grid["delay"][units], replace(noise, sd=sd), cycles)
        target = circuit.target(grid["h"][units], s)
        value = found.nearest_zero if readout == "nearest_zero" else found.mean
        mechanism = _mechanisms(
            circuit, grid["h"][units], s, grid["delay"][units], target, value, found, sd, readout, tolerance
        )
        # The unit of each cell that is furthest from the target stands for it.
        error = np.abs(value - target).reshape(members.size, repeats)
        worst = np.arange(members.size) * repeats + error.argmax(axis=1)
        result["readout"][members], result["target"][members] = value[worst], target[worst]
        result["share"][members] = (error <= tolerance).mean(axis=1)
        mechanisms[members] = mechanism[worst]
    shape = (y.size, x.size)
    arrays = {name: values.reshape(shape) for name, values in result.items()}
    return PhaseDiagram(x_name, y_name, x, y, mechanism=mechanisms.reshape(shape), tolerance=tolerance, **arrays)


def _grid(x_name, x, y_name, y, parameters, h, noise) -> dict[str, np.ndarray]:
    """Every parameter of every cell, (cells,), rows of y first; the delay in seconds."""
    fixed = {"h": h, "delay": parameters.delay / parameters.tau, "noise": noise.sd}
    fixed |= {name: getattr(parameters, name) for name in ("epsilon", "M", "mu", "S")}
    grid = {name: np.full(y.size * x.size, value) for name, value in fixed.items()}
    grid[x_name], grid[y_name] = np.tile(x, y.size), np.repeat(y, x.size)
    grid["delay"] = grid["delay"] * parameters.tau
    return grid


def _run(circuit: OutputError, h: np.ndarray, s: int, delay: np.ndarray, noise: Noise, cycles: int) -> Measures:
    """Wait, then measure, each for as many cycles as asked for and long enough for the plateau, e^{-20} away."""
    slowest = float(limit_cycle(circuit, s, delay=delay).period.max())
    half = max(20 * circuit.tau, cycles * slowest)
    supervision = np.full(h.size, float(s))
    return measure(circuit, h, supervision, 2 * half, since=half, delay=delay, noise=noise, unchecked=True)


def _mechanisms(circuit, h, s, delay, target, value, found, sd, readout, tolerance) -> np.ndarray:
    """Why each unit reports what it does, indices into `MECHANISMS`; see there for their order."""
    silent = target == 0
    # What the delay alone would leave; only beyond that is noise to blame.
    too_short = np.abs(limit_cycle(circuit, s, delay=delay).nearest_zero) > tolerance
    oscillates = found.state == STATES.index("oscillating")
    conditions = [
        np.abs(value - target) <= tolerance,
        np.abs(h) >= circuit.M,
        found.state == STATES.index("sliding"),
        ~silent & (sd > 0),
        oscillates & (readout == "mean"),
        silent & oscillates & too_short,
        silent & (sd > 0),
    ]
    return np.select(conditions, list(range(len(conditions))), default=UNSETTLED)
