"""The part of the demonstration about timing: three studies of the laboratory, small enough to wait for."""

from dataclasses import replace

from sim.config import TrainConfig
from validation.report import Section

NET = "Full 40; Full 40; Output"
EPOCHS, SEEDS = 2, 2
COMMAND = "hebb timing jitter lost phase"
# Of each study: which series, at which values.
SHOWN = {
    "jitter": (("all three",), (0, 10, 30, 100)),
    "lost": (("feedback to a layer", "replacement, unit by unit"), (0, 0.1, 1)),
    "phase": (("D = 6 τ",), (0, 0.2, 0.4, 0.6, 0.8)),
}
TITLE = "When the order is not kept"


def timing_sections() -> tuple[Section, ...]:
    """What imprecise control, lost feedback and a gate at the wrong phase do to a small network of circuits.

    Where Numba is not installed they are left out, with a word on how to get them.
    """
    try:
        return _measured()
    except ModuleNotFoundError as error:
        missing = f"Not simulated here: this needs {error.name}, which is not installed."
        return (Section(TITLE, text=(missing,), code='pip install "hebb[circuits]"\n' + COMMAND),)


def _measured() -> tuple[Section, ...]:
    from sim.laboratory import STUDIES, Bench, measure, settings_of
    from validation.timing_report import timing_section

    bench = Bench.of(TrainConfig(net=NET, epochs=EPOCHS, batch_size=50, eta=0.3, engine="event", dtype="float64"))
    sections = []
    for name, (series, values) in SHOWN.items():
        chosen = {key: STUDIES[name].series[key] for key in series}
        study = replace(STUDIES[name], series=chosen, values=values)
        rows = [measure(bench, study, setting) for setting in settings_of(study, SEEDS)]
        # Without its table, which only the full study is worth.
        sections.append(replace(timing_section(rows, study, bench.chance), header=(), rows=()))
    lead = Section(
        TITLE,
        text=(
            "A synapse changes by the product of the activities of the two units that it connects. That is the "
            "algorithm's update only while delta is there above and x is still there below, so the events of a "
            "presentation need an order (Remark 1). Here a network learns through its circuits while that order is "
            "disturbed. The angle is between its updates and the algorithm's for the same weights and images.",
            f"To be quick it is a small network, {NET}, and learns for {EPOCHS} epochs only: even undisturbed it has "
            f"not learned all it can. The command below makes the full studies; without names it makes five more.",
        ),
        code=COMMAND,
    )
    return (lead, *sections)
