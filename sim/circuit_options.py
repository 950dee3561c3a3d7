"""The circuits' own options, as flags and files spell them; engines that are no circuits refuse them."""

from collections.abc import Callable, Mapping
from typing import Any

from network.errors import BadInput
from sim.engine import CIRCUITS, ENGINES
from sim.schedule import Timing

OPTIONS = ("epsilon", "M", "K", "gate_phase", "unchecked", "timing")


def circuit_settings(engine: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as `sim.engine.Settings` takes them.

    Parameters
    ----------
    engine : str
    given : mapping of str to object
        By name, those of `OPTIONS` that are not None count. ``timing`` is ``"ideal"``, or for how many time constants
        everything settles.

    Raises
    ------
    BadInput
        Where the engine is no circuit, naming the first option; or for a timing that is neither.
    """
    found = {name: given[name] for name in OPTIONS if given.get(name) is not None}
    if found and engine in ENGINES and engine not in CIRCUITS:
        flag = "--" + next(iter(found)).replace("_", "-")
        raise BadInput(f"{flag}: engine '{engine}' is no circuit; --engine {' or '.join(CIRCUITS)} takes it")
    if "timing" in found:
        found["timing"] = None if found["timing"] == "ideal" else Timing.settled(found["timing"])
    return found


def number_or(word: str) -> Callable[[str], float | str]:
    """How to read a flag that is a number or `word`."""

    def number(text: str) -> float | str:
        return text if text == word else float(text)

    return number
