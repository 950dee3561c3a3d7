"""Whether each limit of `validation.limits` is where the circuits' theory has it: a claim, and the figures' section."""

from collections.abc import Callable, Sequence

from circuits.figure_phase import plot_phase
from circuits.figures import figure_of
from validation.claims import Claim
from validation.figure_limits import sweeps_figure, unit_diagrams
from validation.limits import RATIO, RIGHT, Sweep
from validation.report import Picture, Section

# sweep: (where it must be right, where it must be wrong, in words). Between the two nothing is claimed.
BOUNDARIES: dict[str, tuple[Callable[[float], bool], Callable[[float], bool], str]] = {
    "settling": (lambda v: v >= 8, lambda v: v <= 3, "right from T/τ = 8 on, wrong up to 3"),
    "delay": (lambda v: v >= 6, lambda v: v <= 3, "right from D/τ = 6 on, wrong up to 3"),
    "epsilon": (lambda v: v > 0, lambda v: v == 0, "right for any ε above 0, wrong at 0"),
    "M": (lambda v: v > 1.001, lambda v: v <= 0.5, "right for M above every |h|, wrong for half of it"),
    "K": (lambda v: v > 1.001, lambda v: v <= 0.25, "right for K above every |feedback|, wrong for a quarter of it"),
    "gate phase": (lambda v: v == 0, lambda v: 0.2 <= v <= 0.5, "right at silence, wrong from .2 to .5 of a cycle on"),
    "precision": (lambda v: v < 2**30, lambda v: v > 2**55, "right for M below 2^30, wrong above 2^55"),
    "jitter": (lambda v: v <= 2, lambda v: v >= 20, "right for jitter up to 2 ms, wrong from 20 ms on"),
}


def check_boundaries(sweeps: Sequence[Sweep]) -> Claim:
    """Every limit is where it should be: nothing fails inside it, and something does well beyond it."""
    misplaced = [
        f"{sweep.name} {value:g}"
        for sweep in sweeps
        for value, right in zip(sweep.values, sweep.right, strict=True)
        if (BOUNDARIES[sweep.name][0](value) and not right) or (BOUNDARIES[sweep.name][1](value) and right)
    ]
    note = "; ".join(words for *_, words in (BOUNDARIES[sweep.name] for sweep in sweeps))
    if misplaced:
        note += f"; not so at: {', '.join(misplaced)}"
    return Claim(
        "limits", f"A network of circuits is the algorithm, to {RIGHT:.0%} of the largest entry, within its limits and "
        "not beyond them.", "Appendix 1", float(len(misplaced)), "<= 0", not misplaced, note,
    )  # fmt: skip


def limits_sections(sweeps: Sequence[Sweep], command: str, points: int = 31) -> tuple[Section, Section]:
    """Two sections: networks, and a single output unit."""
    notes = [
        f"{', '.join(sweep.name for sweep in sweeps if sweep.note == note)}: {note}"
        for note in dict.fromkeys(sweep.note for sweep in sweeps)
    ]
    diagrams = unit_diagrams(points)
    return (
        Section(
            "Where it breaks: a network",
            text=(
                f"One parameter at a time, on a small convolutional network after training, by the event engine. "
                f"Grey: more than {RIGHT:.0%} of the largest entry off, and what fails there. With finite timing, all "
                f"else settles for {RATIO:g} time constants.",
            ),
            figures=[
                Picture.of(
                    sweeps_figure(sweeps),
                    f"Largest error of δ and ΔW in any layer against the reference, which is presented the same 8 "
                    f"digits, by URFB, before_update. {'; '.join(notes).capitalize()}. "
                    f"Made by: {command}",
                )
            ],
        ),
        Section(
            "Where it breaks: a single output unit",
            text=("Exact solutions of the rate equations: is the value nearest 0 within 0.05 of equation (6)?",),
            figures=[
                Picture.of(
                    figure_of(plot_phase(diagram)),
                    f"White where the unit computes equation (6), and what fails elsewhere. M 4, S 1, µ 0.5, ε 0.2, "
                    f"D/τ 3, h 2, s 1 where not varied. Made by: {command}; at more points by: {more}",
                )
                for diagram, more in diagrams
            ],
        ),
    )
