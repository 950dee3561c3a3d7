"""
What the circuit does, and when it fails: a neuron that knows its own error
============================================================================

A network learns to name what it is shown. It has one output neuron a class: that of the class shown is to receive an
input h above a margin S, all others an input below -S. A neuron that is not there yet has to report an error, which its
synapses learn from and which the layers below receive as feedback: delta = 1 ("more") if its class is shown, and
delta = -mu ("less") if not. A neuron that is there has to report 0, so that nothing changes any more. This is equation
(6) of Y. Amit, "Deep learning with asymmetric connections and Hebbian updates", Frontiers in Computational Neuroscience
13:18 (2019). A program computes it with two comparisons; here neurons do, as its Appendix 1 proposes:

- s, the teacher, is 1 while the neuron's own class is shown, else -1;
- delta, the output neuron, is driven to 1 or -mu by s, and a little further, by epsilon, if h is beyond the margin;
- tc, its control, becomes active when delta goes that little further, and then cancels s: delta falls to 0.
"""

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Network, ms, prefs

from circuits.brian import OutputErrorCircuit
from circuits.cycles import analyse
from circuits.exact import solve
from circuits.figure_cycles import plot_cycles
from circuits.figures import style
from circuits.parameters import OutputError

prefs.codegen.target = "numpy"  # four units: nothing worth compiling

# Four neurons: correct and not yet correct, with their class shown (s = 1) or another (s = -1)
parameters = OutputError(M=4, S=1, mu=0.5, epsilon=0.2)
h = [2.0, 0.5, -2.0, 0.5]
s = [1, 1, -1, -1]
circuit = OutputErrorCircuit(h, s, parameters, tau=10 * ms, delay=30 * ms)  # groups and synapses of Brian2
Network(circuit).run(600 * ms, namespace={})

trace = circuit.trace()
cycles = analyse(trace)  # over the settled part of the trace
for unit, state in enumerate(cycles.state):
    print(f"h = {h[unit]:4}, s = {s[unit]:2}: {state}, reads {cycles.nearest_zero[unit]:.3f}")

with style():
    figure, axes = plt.subplots(2, 2, figsize=(10, 5.5), layout="constrained")
    for unit, ax in enumerate(axes.flat):
        plot_cycles(trace, unit, ax, cycles)
        ax.set_xlim(0, 250)
plt.show()

# %%
# Panels on the right: not yet correct; delta settles at 1 or -mu. On the left: correct; delta swings. As it crosses the
# threshold of tc (dashed; triangle), tc becomes active a delay later (arrow to the circle; shaded while it is), delta
# falls, tc lets go, delta rises again. Green is what equation (6) asks for. What counts is the value nearest 0 in each
# cycle: whatever reads the error has to look at that moment.
#
# **When it fails.** The swing needs a delay D on the way from delta through tc and back. Without it delta gets stuck at
# 1: the moment tc becomes active it cancels what keeps it active, and the neuron that should be silent never is. With
# it tc lets go a delay after delta has fallen back past 1, so that delta comes down to exp(-D/tau), where tau is the
# time constant of the neuron (for s = -1, to mu times that). And tc is made just strong enough for inputs below M:
# beyond it, delta does not fall to 0 either. Noise is the other danger: the threshold is the very level at which a
# neuron that is not yet correct rests, so that a little of it silences this one too (``t_threshold="midpoint"`` helps).
cases = {"no delay": (2.0, 0.0), "D = tau": (2.0, 10e-3), "D = 3 tau": (2.0, 30e-3), "h = 5, above M = 4": (5.0, 30e-3)}
times = np.linspace(0, 0.2, 2001)
with style():
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), sharey=True, layout="constrained")
    for (name, (drive, delay)), ax in zip(cases.items(), axes, strict=True):
        solution = solve(OutputError(delay=delay), drive, 1, duration=0.6, unchecked=True)
        print(f"{name}: {analyse(solution).state[0]}, lowest value {solution.measures.low[0]:.3f}")
        ax.plot(times * 1e3, solution.sample(times).delta[:, 0])
        ax.axhline(0, color="0.5", lw=0.8, ls="--")
        ax.set(title=name, xlabel="time (ms)")
    axes[0].set_ylabel("δ; should visit 0")
plt.show()
