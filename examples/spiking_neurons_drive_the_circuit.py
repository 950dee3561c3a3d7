"""
Spiking neurons drive the circuit, and read it
===============================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), Appendix 1.

The circuits are of rate units, your neurons may spike. Two hundred leaky integrate-and-fire neurons fire, and their
filtered rate is the input h of two output units: one for the class that is presented (s = 1), one for another (s = -1).
As the drive grows, h passes the margin S = 1, and the first unit, now correct enough, falls silent in every cycle.
A spiking neuron of your own reads its error.
"""

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, TimedArray, linked_var, ms, prefs, seed

from circuits.brian import OutputErrorCircuit
from circuits.figures import style
from circuits.parameters import OutputError

prefs.codegen.target = "numpy"
seed(1)

# Your neurons: the current is stepped up after 400 ms; h is their rate, in units of 60 Hz
current, tau_rate = TimedArray([1.1, 2.0], dt=400 * ms), 50 * ms
neurons = NeuronGroup(
    200, "dv/dt = (current(t) - v)/(10*ms) + 0.2*xi/(10*ms)**0.5 : 1", threshold="v > 1", reset="v = 0",
    refractory=2 * ms,  # pyright: ignore[reportArgumentType]
    method="euler",
)  # fmt: skip
neurons.v = "rand()"
rate = NeuronGroup(1, "dr/dt = -r/tau_rate : Hz\nh = r/(60*Hz) : 1", method="exact")
filtering = Synapses(neurons, rate, on_pre="r_post += 1/(200*tau_rate)")
filtering.connect()

# The circuit takes h from them, and your reader takes delta from the circuit
parameters = OutputError(M=4, S=1, mu=0.5, epsilon=0.2, tau=10e-3, delay=30e-3)
circuit = OutputErrorCircuit(h=linked_var(rate, "h"), s=[1, -1], parameters=parameters)
reader = NeuronGroup(
    1, "dv/dt = (3*error - v)/(10*ms) : 1\nerror : 1", threshold="v > 1", reset="v = 0", method="euler"
)
reading = Synapses(circuit["error"], reader, "error_post = delta_pre : 1 (summed)")
reading.connect(i=0, j=0)

# Run
spikes, read = SpikeMonitor(neurons), SpikeMonitor(reader)
network = Network(neurons, rate, filtering, circuit, reader, reading, spikes, read)
network.run(800 * ms)

# What the units report, when h has settled; nearest to 0 is what a Hebbian gate at the right phase reads
trace = circuit.trace()
for begin, end in ((0.25, 0.4), (0.65, 0.8)):
    then = (trace.times >= begin) & (trace.times < end)
    nearest = np.abs(trace.delta[then]).min(axis=0)
    count = np.count_nonzero((read.t / (1000 * ms) >= begin) & (read.t / (1000 * ms) < end))
    print(f"h = {trace.h[then, 0].mean():.1f}: the class unit reads {nearest[0]:.2f}, ", end="")
    print(f"the other -{nearest[1]:.2f}; the reader fires {count} spikes in 150 ms")

# Plot
with style():
    figure, axes = plt.subplots(
        4, 1, figsize=(7, 6.5), sharex=True, layout="constrained", height_ratios=[2, 1.5, 2, 0.5]
    )
    axes[0].plot(spikes.t / ms, spikes.i, ",", color="0.3")
    axes[0].set(ylabel="neuron", title="your neurons, 200 leaky integrate-and-fire")
    axes[1].plot(trace.times * 1e3, trace.h[:, 0], label="h, their filtered rate / 60 Hz")
    axes[1].axhline(parameters.S, color="0.5", ls="--", label="margin S")
    axes[1].set(ylabel="input h")
    for unit, label in enumerate(("its class is presented, s = 1", "another class, s = -1")):
        axes[2].plot(trace.times * 1e3, trace.delta[:, unit], label=label)
    axes[2].set(ylabel="error δ", ylim=(-0.9, 2.1))
    axes[3].eventplot(read.t / ms, colors="k", linewidths=0.8)
    axes[3].set(yticks=[], xlabel="time (ms)", title="spikes of your reader")
    for ax in axes[1:3]:
        ax.legend(loc="upper left", ncols=2)
plt.show()
