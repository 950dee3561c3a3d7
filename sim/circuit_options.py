"""The circuits' own options, as flags and files spell them; engines that are no circuits refuse them."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from network.errors import BadInput
from sim.engine import CIRCUITS, ENGINES
from sim.schedule import Timing

OPTIONS = ("epsilon", "M", "K", "gate_phase", "unchecked", "timing", "dt")


def circuit_settings(engine: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as `sim.engine.Settings` takes them.

    Parameters
    ----------
    engine : str
    given : mapping of str to object
        By name, those of `OPTIONS` that are not None count. ``timing`` is ``"ideal"``, or for how many time constants
        everything settles; ``dt`` is in milliseconds.

    Raises
    ------
    BadInput
        Where the engine is no circuit, or not one that has such an option, naming the first; or for a timing that is
        neither.
    """
    found = {name: given[name] for name in OPTIONS if given.get(name) is not None}
    if found and engine in ENGINES and engine not in CIRCUITS:
        flag = "--" + next(iter(found)).replace("_", "-")
        raise BadInput(f"{flag}: engine '{engine}' is no circuit; --engine {' or '.join(CIRCUITS)} takes it")
    if "dt" in found and engine != "brian":
        raise BadInput(f"--dt: engine '{engine}' goes from event to event; --engine brian, which steps, takes it")
    if found.get("timing") == "ideal" and engine == "brian":
        raise BadInput("--timing ideal: engine 'brian' steps through time, where nothing settles at once; --timing 12")
    if "dt" in found:
        found["dt"] = found["dt"] * 1e-3
    if "timing" in found:
        found["timing"] = None if found["timing"] == "ideal" else Timing.settled(found["timing"])
    return found


def add_circuit_flags(parser: argparse.ArgumentParser, title: str) -> argparse._ArgumentGroup:
    """The flags of the circuit itself, in a group of that title; how long things take is left to the command."""
    circuit = parser.add_argument_group(title)
    circuit.add_argument("--epsilon", type=float, help="rise of sigma_delta above its plateau (default 0.2)")
    circuit.add_argument("--M", type=number_or("auto"), metavar="M|auto", help="bound of the outputs' inputs")
    circuit.add_argument("--K", type=number_or("auto"), metavar="K|auto", help="bound of the feedback")
    circuit.add_argument(
        "--gate-phase",
        type=number_or("auto"),
        metavar="PHASE|auto",
        help="share of a cycle after silent outputs are nearest 0 at which the gate opens",
    )
    circuit.add_argument("--unchecked", action="store_true", default=None, help="let what exceeds M and K pass")
    return circuit


def number_or(word: str) -> Callable[[str], float | str]:
    """How to read a flag that is a number or `word`."""

    def number(text: str) -> float | str:
        return text if text == word else float(text)

    return number
