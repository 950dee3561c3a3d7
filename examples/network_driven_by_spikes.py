"""
A whole network, as a circuit, driven by spiking neurons
=========================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), sections 2 and 3, Appendix 1, figure 15.

Poisson neurons, 25 for each pixel of a digit, fire at rates in proportion to the pixels. Their filtered rates are the
input of a network in which every unit has its control neurons and every connection is a synapse. It presents what the
rates are after 300 ms, and tags its synapses with the changes that it will make. Given those rates, the changes are the
algorithm's; given the pixels themselves, they differ by the noise of the spikes.
"""

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, StateMonitor, Synapses, linked_var, ms, prefs, seed

from circuits.figures import style
from network import NetworkSpec, Weights, make_rule
from sim.brian.engine import BrianEngine
from sim.data.digits import load_digits
from sim.engine import Settings, open_engine
from sim.schedule import Timing

prefs.codegen.target = "numpy"
seed(0)

# A digit, and the network: URFB, everything settles for ten time constants
data = load_digits().train
images, labels = data.images[:1] / 255, data.labels[:1]
spec = NetworkSpec.parse("Full 30; Output", input_shape=(1, 8, 8), classes=10)
weights = Weights.draw(spec, seed=0)
settings = Settings(make_rule("urfb"), eta=0.1, dtype="float64", timing=Timing.settled(10), dt=1e-3)
engine = BrianEngine(spec, weights, settings)

# Your neurons: at 100 Hz, and not at all, where the pixel is 1, and 0
tau_rate, each = 50 * ms, 25
spiking = PoissonGroup(64 * each, rates=np.repeat(images.ravel(), each) * 100 * Hz, dt=1 * ms)
rates = NeuronGroup(64, "dr/dt = -r/tau_rate : 1", method="exact", dt=1 * ms)
filtering = Synapses(spiking, rates, on_pre="r_post += 1/(each*100*Hz*tau_rate)", dt=1 * ms)
filtering.connect(j="i // each")

# The network among them: its input units are linked to the rates
network = engine.network(linked_var(rates, "r"), labels, begin=300 * ms)
monitor = StateMonitor(network["output2"], "activity", record=True, clock=network.clock)
seen = StateMonitor(rates, "r", record=True, dt=1 * ms)
Network(spiking, rates, filtering, network, monitor, seen).run(network.duration)

# What it has done, against the algorithm
shown = np.asarray(network["input"].activity).reshape(images.shape)
reference = open_engine("reference", spec, weights, Settings(make_rule("urfb"), eta=0.1, dtype="float64"))
made, of_rates, of_pixels = network.trace(), reference.present(shown, labels), reference.present(images, labels)
for i in (1, 2):
    off = np.abs(made.dW[i] - of_rates.dW[i]).max() / np.abs(of_rates.dW[i]).max()
    alike = np.corrcoef(made.dW[i].ravel(), of_pixels.dW[i].ravel())[0, 1]
    print(f"dW/{i}: {off:.0e} from the algorithm's for these rates; correlation with that for the pixels {alike:.2f}")

# Plot
with style():
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    axes[0].plot(seen.t / ms, seen.r[8:16].T, lw=0.8)
    axes[0].axvline(300, color="0.5", ls="--")
    title = "second row of pixels; dashed: presented"
    axes[0].set(xlabel="time (ms)", ylabel="filtered rate / 100 Hz", title=title, xlim=(0, 600))
    for unit in range(10):
        own = unit == labels[0]
        label = {True: f"class {labels[0]}", False: "the others"}[own] if own or unit == 9 - own else None
        axes[1].plot(monitor.t / ms, monitor.activity[unit], color="C1" if own else "0.6", zorder=2 + own, label=label)
    axes[1].set(xlabel="time (ms)", ylabel="activity", title="output units: h, then δ")
    axes[1].legend()
    axes[2].plot(of_pixels.dW[2].ravel() * 1e3, made.dW[2].ravel() * 1e3, ".", ms=3)
    axes[2].axline((0, 0), slope=1, color="0.5", lw=0.8)
    axes[2].set(xlabel="ΔW of the pixels (1e-3)", ylabel="ΔW of the spikes (1e-3)", title="synapses of the output")
plt.show()
