"""The order of a presentation: canonical, planned, and as it happens when nothing is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.errors import BadInput
from network.presets import PRESETS
from network.rules import ORDERS
from network.spec import NetworkSpec
from sim.schedule import ACTIONS, IDEAL, SIGNALS, Event, Timing, canonical_order, sources_of
from sim.schedule_plan import Schedule
from sim.schedule_queue import _planned

CHAIN = "Conv 4 3x3; Maxpool 3; Full 6; Drop .5; Full 5; Output"
RESIDUAL = "Conv 4 3x3; Conv 4 3x3; SUM; Maxpool 3; Conv 4 3x3; Conv 4 3x3; SUM; Output"


def network(net):
    return NetworkSpec.parse(net, (3, 32, 32), 4)


def words(events):
    return " ".join(str(event) for event in events)


blocks = st.sampled_from([
    "Conv 3 3x3", "Local 3 1x1", "Maxpool 3", "Drop .5", "Conv 3 3x3; SUM", "Conv 3 3x3; Conv 3 1x1; SUM",
    "Conv 3 3x3; Drop .2; SUM", "Conv 3 3x3; SUM; SUM",
])  # fmt: skip
networks = st.builds(
    lambda stack, full: NetworkSpec.parse("; ".join([*stack, *["Full 5"] * full, "Output"]), (3, 9, 7), 3),
    st.lists(blocks, max_size=5),
    st.integers(0, 2),
)
seconds = st.floats(0, 0.1)
timings = st.builds(Timing, *[seconds] * 8)


def test_order_of_a_chain():
    spec = network("Full 6; Full 5; Output")
    up = "present arrive(1) settle(1) arrive(2) settle(2) arrive(3) settle(3) teach"
    assert words(canonical_order(spec, "before_update")) == (
        f"{up} gate(3) latch(2) replace(2) consolidate(3) gate(2) latch(1) replace(1) consolidate(2) "
        f"gate(1) consolidate(1)"
    )
    assert words(canonical_order(spec, "after_update")) == (
        f"{up} gate(3) consolidate(3) latch(2) replace(2) gate(2) consolidate(2) latch(1) replace(1) "
        f"gate(1) consolidate(1)"
    )


def test_order_where_a_layer_is_read_by_two():
    spec = network("Conv 3 3x3; Conv 3 3x3; SUM; Output")
    assert sources_of(spec) == {1: (0,), 2: (1,), 3: (1, 2)}
    # Feedback passes through R_3 twice, to layer 2 and to layer 1: the tags of layer 3 wait for both.
    assert words(canonical_order(spec, "before_update")[8:]) == (
        "gate(3) latch(2) replace(2) gate(2) latch(1) replace(1) consolidate(3) consolidate(2) gate(1) consolidate(1)"
    )


def test_the_input_is_never_replaced():
    spec = network("Conv 3 3x3; SUM; Output")
    assert sources_of(spec) == {1: (0,), 2: (0, 1)}
    assert [event for event in canonical_order(spec) if event.kind == "replace"] == [Event("replace", 1)]


def test_sources_are_those_on_paths_without_weights():
    spec = network(PRESETS["deepernet"])
    above = {node.name: node for node in spec.nodes}
    for node in spec.weighted:
        found, left = set(), list(node.sources)
        while left:
            name = left.pop()
            if name not in above:
                found.add(0)
            elif above[name].index:
                found.add(above[name].index)
            else:
                left += above[name].sources
        assert sources_of(spec)[node.index] == tuple(sorted(found))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("net", [CHAIN, RESIDUAL, *PRESETS.values()])
def test_ideal_timing_is_the_canonical_order(net, order):
    spec = network(net)
    run = Schedule(spec, order, IDEAL).run()
    assert run.events == canonical_order(spec, order)
    assert set(run.times.values()) == {0.0}


@given(networks, st.sampled_from(ORDERS), timings)
def test_whatever_the_network_and_the_times_remark_1_holds(spec, order, timing):
    """Remark 1 and figure 15 in terms of what happened when, without the schedule's own list of requirements."""
    run = Schedule(spec, order, timing).run("record")
    assert run.violations == ()
    assert sorted(run.events) == sorted(canonical_order(spec, order))
    place = {event: n for n, event in enumerate(run.events)}

    def follows(later, earlier, lag=0.0):
        assert place[later] > place[earlier]
        assert run.times[later] >= run.times[earlier] + lag - 1e-9

    sources = sources_of(spec)
    top = len(sources)
    for layer, below in sources.items():
        gate, consolidate = Event("gate", layer), Event("consolidate", layer)
        delta = Event("teach") if layer == top else Event("replace", layer)
        follows(gate, delta, timing.error if layer == top else timing.of("settling", layer))
        follows(consolidate, gate, timing.window(layer, top))
        for source in below:
            follows(Event("arrive", layer), Event("settle", source) if source else Event("present"))
            if source:
                follows(Event("replace", source), gate, timing.window(layer, top))
                follows(Event("replace", source), delta, timing.of("feedback_delay", layer))
                if order == "before_update":
                    follows(consolidate, Event("replace", source), timing.of("settling", source))
                else:
                    follows(Event("replace", source), consolidate, timing.of("consolidation", layer))
        if layer < top:
            follows(Event("latch", layer), Event("settle", layer))
            follows(Event("replace", layer), Event("latch", layer), timing.of("latch", layer))
            assert all(  # figure 15: u and v after the gate
                place[Event("latch", layer)] > place[Event("gate", reader)]
                for reader, read in sources.items()
                if layer in read
            )


def test_times_of_a_small_network_by_hand():
    timing = Timing(
        delay=(1.0, 2.0), settling=(10.0, 20.0), feedback_delay=4.0, gate=3.0, latch=6.0, error=100.0, reading=5.0
    )
    run = Schedule(network("Full 5; Output"), timing=timing).run()
    expected = {
        "present": 0, "arrive(1)": 1, "settle(1)": 11, "arrive(2)": 13, "settle(2)": 33, "teach": 33, "gate(2)": 133,
        "latch(1)": 138, "replace(1)": 144, "gate(1)": 154, "consolidate(2)": 154, "consolidate(1)": 157,
    }  # fmt: skip
    assert {str(event): time for event, time in run.times.items()} == expected


def test_a_margin_has_every_action_wait_longer_and_no_signal():
    schedule = Schedule(network("Full 5; Output"), timing=Timing(margin=0.5))
    times, tight = ({str(e): t for e, t in Schedule(schedule.spec, timing=timing).run().times.items()}
                    for timing in (schedule.timing, Timing()))  # fmt: skip
    actions = ["teach", "gate(2)", "latch(1)", "replace(1)", "gate(1)"]  # each waits for the one before
    for n, action in enumerate(actions, start=1):
        assert times[action] == pytest.approx(tight[action] + n * 0.5)
    assert times["settle(2)"] == tight["settle(2)"]


def test_signals_follow_their_causes_and_actions_the_clock():
    schedule = Schedule(network("Full 5; Output"))
    late = schedule.shift({Event("present"): 0.5}).run("record")
    on_time = schedule.run()
    for event, time in on_time.times.items():
        moved = 0.5 if event.kind in SIGNALS or event.kind == "present" else 0.0
        assert late.times[event] == pytest.approx(time + moved)


def test_graph_and_exports():
    schedule = Schedule(network(RESIDUAL))
    assert nx.is_directed_acyclic_graph(schedule.graph)
    assert set(schedule.graph) == set(canonical_order(schedule.spec))
    written = json.loads(schedule.to_json())
    assert [row["event"] for row in written["events"]] == [str(event) for event in schedule.events]
    assert len(written["waits"]) == schedule.graph.number_of_edges() == schedule.to_dot().count("->")
    gate = next(wait for wait in written["waits"] if wait["effect"] == "replace(1)" and wait["name"] == "gate closed")
    assert gate["lag"] == schedule.timing.gate
    assert '"gate(2)" -> "replace(1)" [label="gate closed"];' in schedule.to_dot()


def test_trace_says_what_held():
    run = Schedule(network("Full 5; Output")).run()
    rows = {row["event"]: row for row in json.loads(run.to_json())}
    assert rows["gate(2)"]["held"] == ["x settled", "error settled", "x feedforward"]
    assert rows["latch(1)"]["held"] == ["x settled", "x feedforward"]
    assert rows["replace(1)"]["held"] == ["latched", "gate closed", "feedback arrived"]
    assert all(row["broken"] == [] for row in rows.values())
    assert {row["kind"] for row in rows.values()} == {*SIGNALS, *ACTIONS}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda spec: Schedule(spec, "sideways"), "order 'sideways'"),
        (lambda spec: Schedule(spec).omit(Event("gate", 7)), "no event gate(7) in a network of 2"),
        (lambda spec: Schedule(spec).shift({Event("settle", 1): -0.1}), "settle(1) is a signal"),
        (lambda spec: Schedule(spec, timing=Timing(settling=(0.1, 0.1, 0.1))), "settling has 3 values"),
        (lambda spec: Timing(gate=-0.1), "gate = -0.1 s"),
        (lambda spec: Timing(latch=(0.1, float("inf"))), "latch = inf s"),
        (lambda spec: Timing(tau=0.0), "tau = 0 s"),
        (lambda spec: Timing.settled(0.0), "timing 0: expected how many time constants"),
        (lambda spec: Schedule(spec).run("ignore"), "on_violation 'ignore'"),
        (lambda spec: Schedule(spec).run(jitter={"arrive": 0.1}), "jitter of 'arrive'"),
        (lambda spec: Schedule(spec).run(jitter=-1), "jitter of present: -1 s"),
        (lambda spec: Schedule(spec).swap(Schedule(spec).requirements[0]), "arrive(1) is a signal"),
        (lambda spec: Schedule(spec).without(Schedule(network(CHAIN)).requirements[-1]), "none of its requirements"),
        (lambda spec: Schedule(spec).run(late={Schedule(network(CHAIN)).requirements[-1]: 1}), "none of the schedule"),
    ],
)
def test_bad_input_is_refused_in_one_line(make, says):
    with pytest.raises(BadInput) as refusal:
        make(network("Full 5; Output")).requirements  # noqa: B018 - some are refused only when they are asked for
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_order_needs_no_compiler():
    code = "import sys, sim.schedule, sim.schedule_plan; print(*{name.split('.')[0] for name in sys.modules})"
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert not {"numba", "torch", "brian2", "matplotlib"} & set(found.stdout.split())
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    "times",
    [
        np.random.default_rng(0).random(1000),
        np.random.default_rng(0).integers(0, 700, 1000) / 7,  # many at the same time, not too many
        np.random.default_rng(0).integers(0, 9, 1000) / 7,
        np.exp(np.random.default_rng(0).normal(0, 30, 500)),
        np.zeros(50),
        np.array([]),
        np.array([2.0]),
        np.array([5e-324, 0.0]),
        np.array([1e308, -1e308]),
    ],
)
def test_planned_events_are_sorted_and_those_at_the_same_time_stay_in_order(times):
    omitted = np.random.default_rng(1).random(times.size) < 0.2
    for start in (times, np.where(np.arange(times.size) % 3 == 1, np.inf, times)):
        plan, due = _planned(start, omitted)
        expected = [event for event in np.argsort(start, kind="stable") if start[event] < np.inf and not omitted[event]]
        assert plan.tolist() == expected and due.tolist() == start[expected].tolist()
