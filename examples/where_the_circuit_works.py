"""
Phase diagrams and noise: where the circuit computes equation (6)
==================================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), Appendix 1.

The thresholds of the control unit, 1 and -mu, are the very levels at which a unit that is not yet correct rests: the
least noise on the control's input takes it off them. Thresholds halfway to 1 + epsilon and -mu - epsilon leave it a
margin. Exact solutions of some thousand circuits show that, and how much delay a silent unit needs.
"""

import matplotlib.pyplot as plt
import numpy as np

from circuits.figure_noise import plot_noise
from circuits.figure_phase import plot_phase
from circuits.figures import style
from circuits.parameters import OutputError
from circuits.phase import phase_diagram

# Parameters
paper = OutputError(M=4, S=1, epsilon=0.2)
midpoint = OutputError(M=4, S=1, epsilon=0.2, t_threshold="midpoint")
noise = np.geomspace(1e-3, 0.3, 31)

# Run
by_delay = phase_diagram("delay", np.linspace(0, 6, 61), "h", np.linspace(-1, 5, 61), paper)
by_noise = phase_diagram("noise", noise, "epsilon", np.geomspace(0.05, 1, 31), midpoint, h=0.5)
print(f"equation (6) holds in {by_delay.right.mean():.0%} and {by_noise.right.mean():.0%} of the diagrams")

# Plot
with style():
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.5), layout="constrained")
    plot_phase(by_delay, axes[0], "s = 1, M = 4: without noise")
    plot_phase(by_noise, axes[1], "h = 0.5, not yet correct: midpoint thresholds")
    plot_noise(noise, paper, axes[2])
plt.show()
