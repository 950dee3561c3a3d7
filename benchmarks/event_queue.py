"""The queue of events that schedules use, against Python's heapq, in nanoseconds an event.

    python benchmarks/event_queue.py [--events 1000000] [--rounds 5] [--clock wall|processor]

Three patterns, each through `sim.schedule_queue.run_queue` as a schedule calls it, from the times to the order in which
everything has happened, and through a queue of heapq in Python that does the same:

bulk
    As many events as `--events`, or a hundredth of them, planned by a clock and needing nothing: pushed, then popped.
    Once more where the C library keeps freed memory: of a million events' time a third is spent on fetching it anew.
signals
    As many events in chains of signals, one a chain under way at a time: what is popped pushes the next.
schedule
    One presentation to a network, with all that its events require; the form in heapq has lists of every event's edges.

A schedule has few signals under way, one for each layer that activity has reached by several ways: 1 to 3. Chains
are here to show what more of them would cost.
"""

import argparse
import heapq
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Run as a script, Python puts this file's folder first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
CHAINS = (10, 1000, 100_000)
NETS = {"simpnet": "simpnet", "deepernet": "deepernet", "200 layers": "; ".join(["Full 8"] * 199 + ["Output"])}


class Events(NamedTuple):
    """What `run_queue` is given."""

    start: np.ndarray
    omitted: np.ndarray
    shift: np.ndarray
    cause: np.ndarray
    effect: np.ndarray
    lag: np.ndarray
    kind: np.ndarray
    still: np.ndarray
    resolution: float = 1e-9
    stop: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark."""
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor time on a busy machine")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All patterns, both queues in turn."""
    from sim.torch_memory import keep_freed_memory

    bulk = {f"bulk, {count} events": planned(count) for count in (options.events // 100, options.events)}
    patterns = bulk | {
        f"signals, {chains} under way": in_chains(options.events, chains)
        for chains in CHAINS
        if chains <= options.events
    }
    patterns |= {f"schedule, {name}": of_network(net) for name, net in NETS.items()}
    figures = {name: compare(events, options) for name, events in patterns.items()}
    if keep_freed_memory():
        figures |= {f"{name}, memory kept": compare(events, options) for name, events in bulk.items()}
    return figures


def text(figures: dict[str, Any]) -> str:
    """A table."""
    wide = max(map(len, figures))
    lines = [f"{'ns an event'.ljust(wide)}  {'events':>8}  {'compiled':>9}  {'heapq':>8}  {'times':>6}"]
    for name, found in figures.items():
        lines.append(
            f"{name.ljust(wide)}  {found['events']:8}  {found['compiled']:9.1f}  {found['heapq']:8.0f}  "
            f"{found['times_faster']:6.1f}"
        )
    return "\n".join(lines)


def compare(events: Events, options: argparse.Namespace) -> dict[str, float]:
    """Medians, with the ratio of each round; both queues have to agree in order and times."""
    from sim.schedule_queue import run_queue

    run_queue(*events)  # compiles
    again = max(1, 20_000 // len(events.start))
    clock, ours, theirs = CLOCKS[options.clock], [], []
    for _ in range(options.rounds):
        seconds, found = timed(lambda: run_queue(*events), again, clock)
        ours.append(seconds)
        seconds, expected = timed(lambda: with_heapq(events), again, clock)
        theirs.append(seconds)
        assert np.array_equal(found[0], expected[0])
        assert np.array_equal(found[1], expected[1], equal_nan=True)
        assert len(found[2]) == expected[2]
    count = len(events.start)
    return {
        "events": count,
        "compiled": 1e9 * statistics.median(ours) / count,
        "heapq": 1e9 * statistics.median(theirs) / count,
        "times_faster": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
    }


def timed(action: Callable[[], Any], again: int, clock: Callable[[], float]) -> tuple[float, Any]:
    """Seconds of one of so many repetitions, and the last result."""
    begin = clock()
    for _ in range(again - 1):
        action()
    result = action()
    return (clock() - begin) / again, result


def planned(count: int) -> Events:
    """Events at random times, without requirements."""
    none = np.empty(0, np.int64)
    start = np.random.default_rng(0).random(count)
    return Events(start, np.zeros(count, bool), np.zeros(count), none, none, none * 1.0, none, none.astype(bool))


def in_chains(count: int, chains: int) -> Events:
    """The first event of every chain is planned, and each is the signal for the one after."""
    from sim.schedule_queue import SIGNAL

    count -= count % chains
    rng, cause = np.random.default_rng(0), np.arange(count - chains)
    start = np.where(np.arange(count) < chains, rng.random(count), np.inf)
    lag = rng.exponential(1.0, count - chains)
    return Events(
        start, np.zeros(count, bool), np.zeros(count), cause, cause + chains, lag,
        np.full(cause.size, SIGNAL), np.zeros(cause.size, bool),
    )  # fmt: skip


def of_network(net: str) -> Events:
    """One presentation to a network of CIFAR-10's shape, everything settling for 12 time constants."""
    from network.spec import NetworkSpec
    from sim import schedule_run
    from sim.schedule import Timing
    from sim.schedule_plan import Schedule

    given: dict[str, Any] = {}
    queue = schedule_run.run_queue

    def listen(**events: Any) -> Any:
        given.update(events)
        return queue(**events)

    schedule_run.run_queue = listen
    try:
        Schedule(NetworkSpec.parse(net, (3, 32, 32), 10), timing=Timing.settled(12)).run(on_violation="record")
    finally:
        schedule_run.run_queue = queue
    return Events(**given)


def with_heapq(events: Events) -> tuple[np.ndarray, np.ndarray, int]:
    """The order of events, their times and the number of violations, by Python's heapq."""
    from sim.schedule_queue import NEEDED, SIGNAL

    start, omitted, shift, cause, effect, lag, kind, still = (array.tolist() for array in events[:8])
    happened, ready, waiting = [float("nan")] * len(start), [0.0] * len(start), [0] * len(start)
    edges: list[list[int]] = [[] for _ in start]
    for edge, (one, other) in enumerate(zip(cause, effect, strict=True)):
        edges[one].append(edge)
        edges[other].append(edge)
        waiting[other] += kind[edge] == SIGNAL
    heap: list[tuple[float, int]] = []
    for event, due in enumerate(start):
        if due < float("inf") and not omitted[event]:
            heapq.heappush(heap, (due, event))
    order, broken = [], 0
    while heap:
        due, event = heapq.heappop(heap)
        for edge in edges[event]:
            if effect[edge] == event and kind[edge] == NEEDED:
                broken += not happened[cause[edge]] + lag[edge] <= due + events.resolution
            elif cause[edge] == event and still[edge]:
                broken += happened[effect[edge]] <= due
        happened[event] = due
        order.append(event)
        for edge in edges[event]:
            if cause[edge] == event and kind[edge] == SIGNAL:
                late = effect[edge]
                ready[late] = max(ready[late], due + lag[edge])
                waiting[late] -= 1
                if waiting[late] == 0 and not omitted[late] and ready[late] < float("inf"):
                    heapq.heappush(heap, (ready[late] + shift[late], late))
    return np.array(order), np.array(happened), broken


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    print(json.dumps(measure(parser.parse_args()), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
