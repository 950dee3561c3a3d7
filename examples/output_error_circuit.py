"""
The output-error circuit: oscillation cycles of its four cases
===============================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), Appendix 1, figures 13 and 14.

A supervised output unit (s = 1 for the class presented, -1 for the others) reports the error of equation (6): 1 or -mu
while its input h is not yet correct, and nothing once it is. A control unit tc shuts it off then. With a delay in the
loop it does so in cycles: the unit swings between 0 and 1 + epsilon. Without a delay it would never reach 0.
"""

import matplotlib.pyplot as plt
from brian2 import Network, ms, prefs

from circuits.brian import OutputErrorCircuit
from circuits.cycles import analyse
from circuits.figure_cycles import plot_cycles
from circuits.figures import style
from circuits.parameters import OutputError

prefs.codegen.target = "numpy"  # four units: nothing worth compiling

# Parameters
parameters = OutputError(M=4, S=1, mu=0.5, epsilon=0.2)
h = [2.0, 0.5, -2.0, 0.5]  # input: beyond the margin S, short of it, ...
s = [1, 1, -1, -1]  # supervision

# Circuit: its groups and synapses are those of any Brian2 model
circuit = OutputErrorCircuit(h, s, parameters, tau=10 * ms, delay=30 * ms)
print(circuit["error"].equations)

# Run
network = Network(circuit)
network.run(600 * ms)

# What each unit does, over the settled part of its trace
trace = circuit.trace()
cycles = analyse(trace)
for unit, state in enumerate(cycles.state):
    print(f"h = {h[unit]:4}, s = {s[unit]:2}: {state}, reads {cycles.nearest_zero[unit]:.3f}")

# Plot
with style():
    figure, axes = plt.subplots(2, 2, figsize=(10, 5.5), layout="constrained")
    for unit, ax in enumerate(axes.flat):
        plot_cycles(trace, unit, ax, cycles)
        ax.set_xlim(0, 250)
plt.show()
