"""The order of figure 15: the schedules keep it, and the circuit needs it."""

from collections.abc import Iterable

from network.rules import ORDERS
from network.spec import NetworkSpec
from network.trace import StepTrace
from sim.engine import open_engine
from sim.schedule import IDEAL, Event, Timing, sources_of
from sim.schedule_plan import Schedule, ScheduleError
from validation.claims import Claim
from validation.compare import compare
from validation.ties import Presented
from validation.variants import Variant
from validation.worst import Worst

# What the order of events alone can break; that something has settled is a matter of time.
BY_ORDER = ("latched", "delta settled", "error settled", "gate closed", "feedback passed", "weights changed")


def check_order(specs: Iterable[tuple[str, NetworkSpec]]) -> Claim:
    """In the schedule of every network, in both orders, each gate closes before a unit that it reads is replaced."""
    broken = Worst()
    for name, spec in specs:
        for order in ORDERS:
            run = Schedule(spec, order, Timing()).run()
            times, timing = run.times, Timing()
            top = len(spec.weighted)
            for layer, below in sources_of(spec).items():
                closed = times[Event("gate", layer)] + timing.window(layer, top)
                late = [source for source in below if source and times[Event("replace", source)] < closed - 1e-12]
                late += [a for a in below if a and times[Event("replace", a)] <= times[Event("latch", a)]]
                broken.see(len(late) + len(run.violations), f"layer {layer} of {name}, {order}")
    return broken.claim(
        "order",
        "Going down, the gate above a layer closes, u and v are latched, and only then feedback replaces activity.",
        "Remark 1, figure 15", 0.0, "layers",
    )  # fmt: skip


def check_need(case: Presented, variant: Variant) -> Claim:
    """Turn every part of the order round, one at a time: each is recorded by name, and each changes the increments.

    Parameters
    ----------
    case : Presented
        Of a small network; in both orders it is presented.
    variant : Variant
        A circuit, with ideal timing.
    """
    smallest, where, count, unnoticed = float("inf"), "", 0, []
    for order in ORDERS:
        right = Schedule(case.spec, order, IDEAL)
        settings = variant.settings(Presented(**{**vars(case), "order": order}))
        engine = open_engine(variant.engine, case.spec, case.weights, settings)

        def circuit(schedule: Schedule, engine=engine) -> StepTrace:
            return engine.present(case.images, case.labels, run=schedule.run("record"))  # pyright: ignore[reportCallIssue]

        expected = circuit(right)
        for needed in right.requirements:
            if needed.name not in BY_ORDER or needed.effect == Event("consolidate", 1):  # the next update, not this one
                continue
            turned = right.swap(needed)
            try:
                names = turned.run("record").counts
            except ScheduleError:
                continue  # other requirements hold it all the same
            if needed.name not in names:
                unnoticed.append(str(needed))
            change = compare(expected, circuit(turned)).worst.relative
            count += 1
            if change < smallest:
                smallest, where = change, f"{needed} ({order})"
    note = f"{count} turned round one at a time; least for: {where}"
    note += f"; not recorded: {', '.join(unnoticed)}" if unnoticed else "; all recorded by name"
    passed = count > 0 and smallest > 1e-3 and not unnoticed
    return Claim(
        "order-needed", "Each part of that order is needed: turned round, it is recorded by name and changes what is "
        "learned.", "Remark 1", smallest, "> 0.001", passed, note,
    )  # fmt: skip
