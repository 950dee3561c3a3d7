"""
The circuit in a network of your own: when to open the Hebbian gate
====================================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), section 2 and Appendix 1.

Rate units x drive the circuits' input, h = w x, through synapses that change by Hebb's rule, w += eta delta x, at the
end of each presentation. Learning should stop once h passes the margin S = 1. The error unit then oscillates, and what
the synapse sees depends on when its gate opens: at the phase at which the unit is silent, or at the peak of its cycle.
"""

import matplotlib.pyplot as plt
from brian2 import Network, NeuronGroup, Synapses, ms, prefs, second

from circuits.brian import OutputErrorCircuit
from circuits.cycles import limit_cycle
from circuits.figures import style
from circuits.parameters import OutputError

prefs.codegen.target = "numpy"

# Parameters
parameters = OutputError(M=4, S=1, epsilon=0.2, tau=10e-3, delay=30e-3)
eta, trial, trials = 0.3, 150 * ms, 10

# From the onset of the supervision, a correct output passes its threshold, peaks one delay later, then falls silent
cycle = limit_cycle(parameters)
peak = (cycle.first_crossing + parameters.delay) * second
silent = (cycle.first_crossing + cycle.quiet_phase * cycle.period) * second

# Circuit: the supervision of unit 0 begins so that the trial ends when it is silent, that of unit 1 at its peak
presynaptic = NeuronGroup(2, "x : 1 (constant)")
presynaptic.x = 0.8
circuit = OutputErrorCircuit(
    h=[0, 0],
    s="int(t % trial >= trial - silent * int(i == 0) - peak * int(i == 1))",
    parameters=parameters,
    namespace={"trial": trial, "silent": silent, "peak": peak},
)
synapses = Synapses(presynaptic, circuit["error"], "w : 1\nh_post = w * x_pre : 1 (summed)")
synapses.connect(j="i")
synapses.namespace["eta"] = eta
synapses.run_regularly("w += eta * delta_post * x_pre", dt=trial)  # the gate

# Run
network = Network(presynaptic, circuit, synapses)
network.run(trials * trial + 1 * ms)

trace = circuit.trace()
print(f"h after {trials} trials: {trace.h[-1, 0]:.2f} (gate at silence), {trace.h[-1, 1]:.2f} (gate at the peak)")

# Plot
with style():
    figure, axes = plt.subplots(2, 2, figsize=(10, 4.5), sharex=True, sharey="row", layout="constrained")
    for unit, name in enumerate(("silent", "at its peak")):
        axes[0, unit].plot(trace.times * 1e3, trace.delta[:, unit], label="δ, error unit")
        for end in range(1, trials + 1):
            axes[0, unit].axvline(
                end * trial / ms, color="0.6", lw=0.8, ls=":", label="gate opens" if end == 1 else None
            )
        axes[0, unit].set(title=f"gate opens when a correct unit is {name}", ylabel="activity")
        axes[1, unit].plot(trace.times * 1e3, trace.h[:, unit], color="C1", label="h = w x")
        axes[1, unit].axhline(parameters.S, color="0.5", ls="--", label="margin S")
        axes[1, unit].set(xlabel="time (ms)", ylabel="input h")
        for ax in axes[:, unit]:
            ax.legend(loc="lower left" if ax is axes[0, unit] else "upper left")
plt.show()
