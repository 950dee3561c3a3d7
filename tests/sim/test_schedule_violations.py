"""Each single requirement: what is missing, turned round or late is refused beforehand, or found by its name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.rules import ORDERS
from network.spec import NetworkSpec
from sim.schedule import IDEAL, Event, Timing, TimingViolation, sources_of
from sim.schedule_plan import Schedule, ScheduleError
from tests.sim.test_schedule import CHAIN, network, networks

NETS = {"chain": CHAIN, "deepernet": "deepernet"}
MUCH = 60.0  # s, longer than any presentation


def needs(schedule):
    return [requirement for requirement in schedule.requirements if requirement.kind == "needed"]


ALL = [
    pytest.param(net, order, n, id=f"{net}-{order}-{requirement.effect}-{requirement.name}-{requirement.cause}")
    for net, notation in NETS.items()
    for order in ORDERS
    for n, requirement in enumerate(needs(Schedule(network(notation), order)))
]


def implied_by_others(requirement, spec, order):
    """Whether an event waits anyway, by the others; from the table in `sim.schedule`, not from its graph."""
    sources = sources_of(spec)
    cause, effect = requirement.cause, requirement.effect
    match requirement.name:
        case "x settled":  # nothing goes down before activity has gone up
            return True
        case "feedback arrived":  # it takes the feedback less time than the gate, which opens when delta has settled
            return True
        case "gate closed" if effect.kind == "replace":
            # Where weights change at the gate, replacing waits for that; and for the gates of the other readers, that
            # of the lowest is the last.
            readers = [layer for layer, below in sources.items() if effect.layer in below]
            return order == "after_update" or cause.layer != min(readers)
        case "gate closed":  # the feedback passes after the gate
            return order == "before_update" and any(sources[effect.layer])
        case "feedback passed":  # the last layer to be replaced is the lowest
            return cause.layer != min(filter(None, sources[effect.layer]))
        case "weights changed":
            readers = [layer for layer, below in sources.items() if effect.layer in below]
            return cause.layer != min(readers)
    return False


def violation_of(run):
    with pytest.raises(TimingViolation) as found:
        run()
    return found.value


def names(requirement, violation):
    """Whether the violation is of this requirement, and of no other."""
    found = (violation.event, violation.requirement, violation.other)
    return found == (requirement.effect, requirement.name, requirement.cause)


@pytest.mark.parametrize(("net", "order", "n"), ALL)
def test_removed_turned_round_or_late(net, order, n):
    spec = network(NETS[net])
    for timing in (IDEAL, None):
        schedule = Schedule(spec, order) if timing is None else Schedule(spec, order, timing)
        check_one(schedule, needs(schedule)[n])


@settings(max_examples=300)
@given(networks, st.sampled_from(ORDERS), st.data())
def test_random_networks(spec, order, data):
    schedule = Schedule(spec, order)
    check_one(schedule, data.draw(st.sampled_from(needs(schedule))))


def check_one(schedule, requirement):
    # What takes longer than planned is found where it was needed.
    late = violation_of(lambda: schedule.run(late={requirement: MUCH}))
    assert names(requirement, late)
    assert late.time == schedule.times[requirement.effect]
    assert str(requirement.effect) in str(late)
    assert f"'{requirement.name}'" in str(late)

    removed, turned = schedule.without(requirement), schedule.swap(requirement)
    if implied_by_others(requirement, schedule.spec, schedule.order):
        # The others keep it: nothing goes wrong without it, and turned round it has events wait for each other.
        assert removed.run().violations == ()
        with pytest.raises(ScheduleError, match="wait for each other"):
            turned.check()
        return
    with pytest.raises(ScheduleError, match=f"'{requirement.name}' is missing") as refusal:
        removed.run()  # by itself it checks beforehand
    assert f"makes {requirement.effect} wait for {requirement.cause}" in str(refusal.value)
    with pytest.raises(ScheduleError, match=f"'{requirement.name}' is missing"):
        turned.check()
    assert names(requirement, violation_of(lambda: turned.run(check=False)))
    name, cause = requirement.name, requirement.cause
    of_output = requirement.effect.kind == "replace" and cause.layer == schedule.layers
    if name == "gate closed" and of_output and schedule.timing != IDEAL:
        # What the output sends down is what its gate has read: it arrives after the gate has closed.
        assert removed.run(check=False).violations == ()
    elif schedule.timing == IDEAL or removed.times[requirement.effect] < schedule.times[requirement.effect]:
        assert names(requirement, violation_of(lambda: removed.run(check=False)))
    else:  # it waits as long by chance, for something that takes longer; nothing but the check can tell
        assert requirement.name in ("latched", "weights changed")
    # Going on, all events happen; the only other thing found is the cause, too late to see what it needs.
    recorded = turned.run("record")
    assert len(recorded.events) == len(schedule.events)
    found = [(violation.event, violation.requirement) for violation in recorded.violations]
    also = [(requirement.cause, requirement.still)] if requirement.still else []
    assert found == [(requirement.effect, requirement.name), *also]
    broken = {(f.event, name) for f in recorded.firings for name in f.broken}
    assert broken == set(found)
    assert sum(recorded.counts.values()) == len(found)


def test_which_requirements_the_others_imply():
    """So that the test above cannot call everything implied."""
    schedule = Schedule(network("Full 6; Full 5; Output"))
    spared = {str(r) for r in needs(schedule) if implied_by_others(r, schedule.spec, schedule.order)}
    assert spared == {
        "latch(1) needs settle(1): x settled", "latch(2) needs settle(2): x settled",
        "gate(1) needs present: x settled", "gate(2) needs settle(1): x settled", "gate(3) needs settle(2): x settled",
        "replace(1) needs replace(2): feedback arrived", "replace(2) needs teach: feedback arrived",
        "consolidate(3) needs gate(3): gate closed", "consolidate(2) needs gate(2): gate closed",
    }  # fmt: skip


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_an_omitted_event_is_missed_by_the_first_that_needs_it(net):
    schedule = Schedule(network(net))
    for event in schedule.events:
        without = schedule.omit(event)
        waiting = [r for r in schedule.requirements if r.cause == event and r.kind != "customary"]
        if not waiting:
            assert event.kind == "consolidate"
            continue
        with pytest.raises(ScheduleError, match="is omitted"):
            without.check()
        violation = violation_of(lambda without=without: without.run(check=False))
        if event.kind in ("present", "arrive", "settle"):
            # What never arrives never settles, all the way up: the teaching is the first to miss it.
            assert (violation.event, violation.requirement) == (Event("teach"), "output settled")
        else:
            first = min(waiting, key=lambda r: schedule.events.index(r.effect))
            assert (violation.event, violation.other) == (first.effect, event)
            assert "has not happened" in str(violation)
        assert event not in without.run("record").events


@pytest.mark.parametrize("order", ORDERS)
def test_slow_feedback_has_to_be_waited_for(order):
    """Where it takes longer than the gate, nothing else makes a layer wait for the feedback of its lowest reader."""
    schedule = Schedule(network("Conv 3 3x3; Conv 3 3x3; SUM; Output"), order, Timing(feedback_delay=0.5))
    arrivals = {str(r): r for r in needs(schedule) if r.name == "feedback arrived"}
    for text in ("replace(2) needs teach: feedback arrived", "replace(1) needs replace(2): feedback arrived"):
        removed = schedule.without(arrivals[text])
        if order == "after_update":  # it leaves when weights have changed, which is waited for
            assert removed.run().violations == ()
            continue
        with pytest.raises(ScheduleError, match="'feedback arrived' is missing"):
            removed.check()
        assert names(arrivals[text], violation_of(lambda removed=removed: removed.run(check=False)))
    schedule.without(arrivals["replace(1) needs teach: feedback arrived"]).run()  # that of layer 2 takes longer


def test_a_latch_after_the_replacement_is_told_that_x_is_gone():
    schedule = Schedule(network("Full 6; Full 5; Output"))
    latched = next(r for r in needs(schedule) if str(r) == "replace(2) needs latch(2): latched")
    run = schedule.swap(latched).run("record")
    assert [(str(v.event), v.requirement, str(v.other)) for v in run.violations] == [
        ("replace(2)", "latched", "latch(2)"),
        ("latch(2)", "x feedforward", "replace(2)"),
    ]
    # Both at the same time: whether the one has happened follows from the order.
    assert str(run.violations[0]).endswith("latch(2) has not happened")
    assert str(run.violations[1]).endswith("replace(2) was at 448 ms")  # when feedback arrived


def test_lost_feedback_of_one_of_two_readers():
    schedule = Schedule(network("Conv 3 3x3; Conv 3 3x3; SUM; Output"))
    lost = next(
        r
        for r in needs(schedule)
        if r.name == "feedback arrived" and r.effect == Event("replace", 1) and r.cause == Event("teach")
    )
    run = schedule.run("record", late={lost: float("inf")})
    assert run.counts == {"feedback arrived": 1}
    assert names(lost, run.violations[0])


def test_shifts_beyond_the_slack_are_refused_and_others_are_not():
    schedule = Schedule(network("Full 6; Full 5; Output"))
    schedule.shift({Event("latch", 2): -0.015}).check()  # figure 15's order, but nothing that is needed
    with pytest.raises(ScheduleError, match=r"replace\(2\) is 5 ms too early for 'latched' \(latch\(2\)\)"):
        schedule.shift({Event("latch", 2): 0.005}).check()
    with pytest.raises(ScheduleError, match=r"gate\(3\) is 5 ms too early for 'error settled'"):
        schedule.shift({Event("gate", 3): -0.005}).run()
    with pytest.raises(ScheduleError, match=r"teach is 7 ms too early for 'output settled'"):
        schedule.shift({Event("settle", 1): 0.007}).check()


def test_jitter_within_the_margin_does_no_harm_and_beyond_it_does():
    spec = NetworkSpec.parse("Full 6; Full 5; Output", (1, 2, 2), 3)
    schedule = Schedule(spec)
    for seed in range(20):  # a margin of 10 standard deviations of a difference
        assert Schedule(spec, timing=Timing(margin=14.2e-3)).run(jitter=1e-3, seed=seed).violations == ()
    first, again, other = (schedule.run("record", jitter=0.01, seed=seed) for seed in (1, 1, 2))
    assert first.times == again.times != other.times
    assert first.counts
    spread = [schedule.run("record", jitter={"gate": 0.003}, seed=seed).times[Event("gate", 2)] for seed in range(400)]
    mean, sd = sum(spread) / 400, (sum((t - sum(spread) / 400) ** 2 for t in spread) / 399) ** 0.5
    assert mean == pytest.approx(schedule.times[Event("gate", 2)], abs=5 * 0.003 / 400**0.5)
    assert sd == pytest.approx(0.003, rel=5 / (2 * 400) ** 0.5)
    only_gates = schedule.run("record", jitter={"gate": 0.01}, seed=3)
    assert {kind for kind in only_gates.times if only_gates.times[kind] != schedule.times[kind]} == {
        Event("gate", layer) for layer in (1, 2, 3)
    }
