"""
A clock-driven simulation against the exact solution
=====================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), Appendix 1.

Between two events the circuit's activity is an exponential, so that the times at which it crosses a threshold have a
closed form. Brian2 notices a crossing at the end of the time step in which it happens: its error falls as dt. Time
constants that differ from unit to unit keep the crossings from falling on the same place within a step.
"""

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Network, ms, prefs

from circuits.brian import OutputErrorCircuit
from circuits.exact import solve
from circuits.figure_convergence import plot_convergence
from circuits.figures import style
from circuits.parameters import OutputError

prefs.codegen.target = "numpy"

# Parameters
parameters = OutputError(delay=16e-3)
tau = np.linspace(8, 12, 100)  # ms
h, s = np.tile([2.0, -3.0], 50), np.tile([1, -1], 50)
time_steps = [0.4, 0.2, 0.1, 0.05]  # ms

# Run
exact = solve(parameters, h, s, duration=80e-3, tau=tau * 1e-3)
errors = []
for dt in time_steps:
    circuit = OutputErrorCircuit(h, s, parameters, tau=tau * ms, dt=dt * ms)
    Network(circuit).run(80 * ms, namespace={})
    trace = circuit.trace()
    errors.append(np.abs(trace.delta - exact.sample(trace.times).delta).mean())
    print(f"dt = {dt:4} ms: mean difference {errors[-1]:.5f}")

# Plot
with style():
    figure, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")
    plot_convergence(time_steps, {"output-error circuit": errors}, ax)
plt.show()
