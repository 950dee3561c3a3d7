"""
The feedback-shutdown circuit: saturated units receive no feedback
==================================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), Appendix 1, equation (3) and figure 15.

The derivative of the saturation, 1 for -1 < h < 1 and 0 beyond, is computed by two neurons: u is active when the unit's
activity x has reached 1, v when it has reached -1, and either pushes the feedback out of the range that passes. As
the membrane potential takes its time, a unit just beyond saturation is misjudged when the circuit is read too early.
"""

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Network, ms, prefs

from circuits.brian import FeedbackShutdownCircuit
from circuits.figure_shutdown import plot_misjudged, plot_shutdown
from circuits.figures import style
from circuits.parameters import FeedbackShutdown

prefs.codegen.target = "numpy"

# Parameters
parameters = FeedbackShutdown(K=4)
tau, spread = 10 * ms, 4.0
h = np.linspace(-spread, spread, 20000)  # input of the units
h[:2] = 1.5, 0.5  # the two that are drawn

# Circuit: every unit of a layer with its own u and v, for simplicity acting at once
circuit = FeedbackShutdownCircuit(h, delta=0.6, parameters=parameters, tau=tau, delay=0 * ms, record=[0, 1])
group = circuit["unit"]

# Run, and judge the whole layer after each further half time constant
network = Network(circuit)
settling, misjudged = np.arange(0.5, 6.5, 0.5), []
for _ in settling:
    network.run(tau / 2, namespace={})  # the circuit brings its own names
    misjudged.append(np.mean(group.delta_tilde[:] != parameters.target(h, 0.6)))
print("share of units misjudged after one tau and after six:", misjudged[1], misjudged[-1])

# Plot
with style():
    figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
    for unit in (0, 1):
        plot_shutdown(circuit.trace(), unit, axes[unit])
    plot_misjudged(settling, np.array(misjudged), spread, axes[2])
plt.show()

# %%
# Blue: the unit's activity x. Green: the feedback that arrives; orange: what passes. Shaded: u is active. On the right,
# circles are counted in the simulation and the line is the bound that follows from the leak of the membrane.
