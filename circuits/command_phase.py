"""``hebb circuit phase``: where the output-error circuit computes equation (6), and what fails elsewhere."""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from circuits.command import MS, output_error_parameters
from circuits.errors import CircuitError
from circuits.exact_noise import Noise
from circuits.phase import MECHANISMS, PhaseDiagram, phase_diagram


def phase(args: argparse.Namespace) -> tuple[str, dict[str, Any], Callable[[], Figure]]:
    """Run the grid; give the table to print, the result as JSON has it, and how to draw the figure."""
    if not 2 <= args.points <= 1000:
        raise CircuitError(f"--points {args.points}: expected 2 to 1000 along either axis")
    if args.s not in (1, -1):
        raise CircuitError(f"--s {args.s:g}: use 1 (its class) or -1 (another)")
    x_name, x = _axis(args, "x")
    y_name, y = _axis(args, "y")
    parameters = output_error_parameters(args)
    if not {"h", "M"} & {x_name, y_name}:
        parameters.check([args.h], unchecked=args.unchecked)
    noise = Noise(args.noise, args.noise_interval * MS, args.seed)
    diagram = phase_diagram(
        x_name, x, y_name, y, parameters, h=args.h, s=int(args.s), noise=noise, readout=args.readout,
        tolerance=args.tolerance,
    )  # fmt: skip
    fixed: dict[str, float] = {"h": args.h, "delay": parameters.delay / parameters.tau, "noise": args.noise}
    fixed |= {name: getattr(parameters, name) for name in ("epsilon", "M", "mu", "S")}
    fixed = {"s": args.s} | {name: value for name, value in fixed.items() if name not in (x_name, y_name)}

    def figure() -> Figure:
        from circuits.figure_phase import plot_phase
        from circuits.figures import figure_of

        return figure_of(plot_phase(diagram, title=_title(args, fixed)))

    return _table(diagram), _result(args, diagram, fixed), figure


def _axis(args: argparse.Namespace, axis: str) -> tuple[str, np.ndarray]:
    """The name and the values of one axis."""
    name, *ends = getattr(args, axis)
    try:
        first, last = map(float, ends)
    except ValueError:
        raise CircuitError(f"--{axis} {name} {' '.join(ends)}: expected NAME FROM TO, two numbers") from None
    if not (np.isfinite([first, last]).all() and first < last):
        raise CircuitError(f"--{axis} {name} {first:g} {last:g}: FROM must be below TO")
    own = getattr(args, name, None)
    if own is not None and own != args.defaults.get(name):
        raise CircuitError(
            f"--{name} {own:g}: the {axis} axis varies {name}; leave the flag away, or take another axis"
        )
    if axis not in args.log:
        return name, np.linspace(first, last, args.points)
    if first <= 0:
        raise CircuitError(f"--log {axis}: FROM is {first:g}; equal ratios need a positive one")
    return name, np.geomspace(first, last, args.points)


def _title(args: argparse.Namespace, fixed: dict[str, float]) -> str:
    names = {"epsilon": "ε", "mu": "µ", "delay": "D/τ"}
    what = "value of δ nearest 0" if args.readout == "nearest_zero" else "time mean of δ"
    values = ", ".join(f"{names.get(name, name)} = {value:g}" for name, value in fixed.items())
    if args.noise or "noise" in (args.x[0], args.y[0]):
        values += f", {args.t_threshold} thresholds"
    return f"Is the {what} within {args.tolerance:g} of equation (6)?\n{values}"


def _result(args: argparse.Namespace, diagram: PhaseDiagram, fixed: dict[str, float]) -> dict[str, Any]:
    """What JSON gets: rows of y, entries of x."""
    return {
        "circuit": "output-error",
        "parameters": fixed,
        "read": args.readout,
        "tolerance": diagram.tolerance,
        "x_name": diagram.x_name,
        "y_name": diagram.y_name,
        "x": diagram.x.tolist(),
        "y": diagram.y.tolist(),
        "readout": [[float(v) if np.isfinite(v) else None for v in row] for row in diagram.readout],
        "equation_6": diagram.target.tolist(),
        "right": diagram.right.tolist(),
        "mechanism": [[MECHANISMS[i] for i in row] for row in diagram.mechanism],
    }


def _table(diagram: PhaseDiagram) -> str:
    """How much of the diagram each mechanism takes."""
    counts = np.bincount(diagram.mechanism.ravel(), minlength=len(MECHANISMS))
    return "\n".join(f"{n / counts.sum():6.1%}  {MECHANISMS[i]}" for i, n in enumerate(counts) if n)
