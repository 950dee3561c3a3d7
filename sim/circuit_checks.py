"""What a circuit engine is given, checked before anything happens: its settings, and a run of somebody's own."""

import numpy as np

from circuits.errors import CircuitError
from circuits.parameters import OutputError
from network.errors import BadInput
from network.reference import default_mu
from network.spec import NetworkSpec
from sim.engine import Settings
from sim.schedule import Timing
from sim.schedule_run import Run


def check_settings(engine: str, spec: NetworkSpec, settings: Settings) -> None:
    """Refuse settings that the circuits of `engine` cannot run with.

    Raises
    ------
    BadInput
        For the rule ``bp``, whose softmax no circuit of the paper computes; a device that is not the CPU; bounds M and
        K, or plateaus 1, μ and ε of the output units, too large or too small for numbers of this dtype; and, in finite
        time, for output units whose cycle has no solution in floating point.
    """
    if settings.rule.loss != "hinge":
        raise BadInput(
            f"rule '{settings.rule.name}': its softmax has no circuit; rule 'bph' feeds back through W with the hinge "
            f"loss, whose circuit is that of Appendix 1"
        )
    if settings.device not in ("auto", "cpu"):
        raise BadInput(f"engine '{engine}' runs on the CPU, not on '{settings.device}'; --device cpu")
    kind = np.dtype(settings.dtype).type
    largest = float(np.finfo(kind).max) / 8  # what a unit is sent is the sum of its input and of two signals of 2 K
    for name, bound in (("M", settings.M), ("K", settings.K)):
        if not isinstance(bound, str) and bound > largest:
            raise BadInput(f"{name} = {bound:g}: 2 {name} overflows {settings.dtype}; at most {largest:.1g}, or auto")
    mu, epsilon = default_mu(spec, settings.mu), float(settings.epsilon)
    for name, level in (("1", 1.0), ("mu", mu)):
        if not 0 < level or not epsilon:  # an error unit that stays at 0, or one that is never silenced
            continue
        if not level <= largest or not epsilon <= largest or kind(level) + kind(epsilon) == kind(level):
            raise BadInput(
                f"epsilon = {epsilon:g} with mu = {mu:g}: {name} + epsilon and {name} cannot be told apart in "
                f"{settings.dtype}, and no correct output would be silenced; epsilon from 1e-6 to 1e6 of {name}"
            )
        if settings.timing and settings.timing.loop > 0:
            try:
                OutputError(epsilon=epsilon / level, tau=settings.timing.tau, delay=settings.timing.loop)
            except CircuitError as error:
                share = "epsilon" if name == "1" else "epsilon / mu"
                raise BadInput(f"output units, with epsilon standing for {share} and times in s: {error}") from None


def check_run(run: Run, timing: Timing | None) -> None:
    """Refuse a run whose schedule was made for membranes or controls other than those of the engine.

    Parameters
    ----------
    run : Run
    timing : Timing or None
        The engine's own; with None, ideal timing, only the order of the run counts.

    Raises
    ------
    BadInput
        Naming tau or loop, and both values.
    """
    if timing is None:
        return
    for name in ("tau", "loop"):
        own, other = getattr(timing, name), getattr(run.schedule.timing, name)
        if own != other:
            raise BadInput(
                f"run: its schedule is for {name} = {other:g} s, and the engine's timing has {own:g} s; make the "
                f"schedule with the timing of the engine's settings"
            )
