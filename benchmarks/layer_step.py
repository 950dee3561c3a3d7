"""One step of a layer with all its synapses, event engine against Brian2 with continuous coupling.

    python benchmarks/layer_step.py [--width 500] [--images 1 500] [--rounds 5] [--clock wall|processor]

The event engine's step is what its timed mode does with a packet: the sums over all synapses, potentials that relax
exactly toward them for a millisecond, and what the units then put out. Brian2 has a summed variable of its `Synapses`,
a leaky group that is updated exactly as well, and the same saturation, with its cython target. With the Hebbian window
every synapse then also gets the product of its two activities. Float64, one thread, both in turn; a step is the mean
of many. The event engine presents any number of images at once, Brian2 one: times are by image.
"""

import argparse
import json
import statistics
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

# Run as a script, Python puts this file's folder first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
STEP, TAU = 1e-3, 10e-3  # seconds
STEPS = 200  # for a measurement
SMALL = 1e-9  # increments that leave the weights as they are, nearly


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark."""
    parser.add_argument("--width", type=int, default=500, help="units of the layer, and of that below")
    parser.add_argument("--images", type=int, nargs="+", default=[1, 500], help="presented at once by the event engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor time on a busy machine")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Both ways to make a step, without and with the Hebbian window."""
    rng = np.random.default_rng(0)
    W = rng.normal(0, 0.05, (options.width, options.width))
    x = rng.uniform(-1, 1, (max(options.images), options.width))
    clock, found = CLOCKS[options.clock], {}
    for hebbian in (False, True):
        layers: dict[str, Any] = {"brian, cython": BrianLayer(W, x[0], hebbian)}
        layers |= {f"event, {images} images": EventLayer(W, x[:images], hebbian) for images in options.images}
        seconds: dict[str, list[float]] = {name: [] for name in layers}
        for number in range(options.rounds + 1):
            for name, layer in layers.items():
                begin = clock()
                layer.steps(STEPS)
                if number:  # the first compiles
                    seconds[name].append((clock() - begin) / STEPS / layer.images)
        theirs = layers["brian, cython"].potential()
        # One image learns as in Brian2; the sum over several is another increment.
        same = [layer for layer in layers.values() if layer.images == 1 or not hebbian]
        largest = max(float(np.abs(layer.potential() - theirs).max()) for layer in same)
        found["with the Hebbian window" if hebbian else "a step"] = {
            "microseconds": {name: 1e6 * statistics.median(values) for name, values in seconds.items()},
            "brian_over_event": {
                name: statistics.median(a / b for a, b in zip(seconds["brian, cython"], values, strict=True))
                for name, values in seconds.items()
                if "event" in name
            },
            "largest_difference_of_potentials": largest,
        }
    return found


def text(figures: dict[str, Any]) -> str:
    """A table."""
    wide = max(len(name) for found in figures.values() for name in found["microseconds"])
    lines = []
    for what, found in figures.items():
        lines.append(f"{what.ljust(wide)}  {'us':>9}  {'brian /':>8}")
        for name, microseconds in found["microseconds"].items():
            ratio = found["brian_over_event"].get(name, 1.0)
            lines.append(f"{name.ljust(wide)}  {microseconds:9.2f}  {ratio:8.1f}")
    return "\n".join(lines)


class EventLayer:
    """A layer of the event engine that gets a packet every step. W is (units, units below), x (N, units below)."""

    def __init__(self, W: np.ndarray, x: np.ndarray, hebbian: bool) -> None:
        from network.spec import NetworkSpec
        from sim.event.full import FullSynapses
        from sim.event.space import Space
        from sim.event.units import HiddenUnits

        self.images, self._hebbian = len(x), hebbian
        node = NetworkSpec.parse(f"Full {len(W)}; Output", (x.shape[1], 1, 1), 10).weighted[0]
        self._synapses, self._units = FullSynapses(node), HiddenUnits(node, len(x), x.dtype, TAU, Space(keep=True), 1.0)
        self._W, self._x, self._time = W.copy(), x, 0.0
        self._increment = np.empty_like(W)
        # A packet drives the units until the next one is there, which cannot be written over it.
        self._packets = cycle([np.empty((len(x), len(W))) for _ in range(2)])

    def steps(self, count: int) -> None:
        """So many of them."""
        from sim.event.threads import one_blas_thread

        with one_blas_thread():
            for _ in range(count):
                drive = next(self._packets)
                self._synapses.forward(self._W, self._x, drive)
                self._units.arrive(drive, 0.0, self._time)
                self._time += STEP
                y = self._units.activity(self._time)
                if self._hebbian:
                    self._synapses.products(y, self._x, self._increment)
                    self._increment *= SMALL
                    self._W += self._increment

    def potential(self) -> np.ndarray:
        """That of the first image, (units,)."""
        return self._units.potential(self._time)[0]


class BrianLayer:
    """The same in Brian2, for one image."""

    images = 1

    def __init__(self, W: np.ndarray, x: np.ndarray, hebbian: bool) -> None:
        import brian2

        brian2.prefs.codegen.target = "cython"
        clock = brian2.Clock(STEP * brian2.second)
        namespace = {"tau": TAU * brian2.second, "small": SMALL}
        below = brian2.NeuronGroup(x.size, "x : 1", clock=clock, name="below*")
        self._units = brian2.NeuronGroup(
            len(W), "dp/dt = (h - p) / tau : 1\nh : 1\ny = clip(p, -1, 1) : 1",
            method="exact", clock=clock, namespace=namespace, name="units*",
        )  # fmt: skip
        synapses = brian2.Synapses(
            below, self._units, "w : 1\nh_post = w * x_pre : 1 (summed)",
            clock=clock, namespace=namespace, name="synapses*",
        )  # fmt: skip
        synapses.connect()
        below.x, synapses.w = x, W.T.ravel()
        if hebbian:
            synapses.run_regularly("w += small * y_post * x_pre", clock=clock, when="end")
        self._network = brian2.Network(below, self._units, synapses)
        self._length = STEP * brian2.second

    def steps(self, count: int) -> None:
        """So many of them."""
        self._network.run(count * self._length)

    def potential(self) -> np.ndarray:
        """Of all units, (units,)."""
        return np.array(self._units.p)


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    print(json.dumps(measure(parser.parse_args()), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
