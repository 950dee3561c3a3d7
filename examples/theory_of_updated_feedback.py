"""
Does updating the feedback speed up learning?  Theorem 2 and a case outside it
==============================================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), section 5 and Appendix 2.

In a linear network of three layers, one direction of the data obeys three scalar equations (15). epsilon is the rate
at which feedback weights get the updates of the forward weights: 0 is fixed feedback (FRFB), 1 updated (URFB). The
error falls faster the larger epsilon is, by way of lambda_1 and lambda_2, which increase with epsilon. Theorem 2 needs
lambda_R,2 > 1.207 lambda_R,3; far below that, lambda_2 decreases, and the error still falls faster.
"""

import matplotlib.pyplot as plt
import numpy as np

from circuits.figures import style
from validation.theory.figures import COLOURS
from validation.theory.hypotheses import theorem_2
from validation.theory.ladder import Systems, climb
from validation.theory.margins import margins_of

# Parameters
epsilon = np.array([0, 0.25, 0.5, 1])
lambda_T = np.array([0.9, 0.9])
lambda_R = np.array([[0.08, 0.02], [0.04, 0.4]])  # lambda_R,2 and lambda_R,3 of two systems

# Run
systems = Systems(lambda_T, lambda_R)
ladder = climb(systems, epsilon, step=0.1)
margins = margins_of(ladder)
for i, within in enumerate(theorem_2(systems, epsilon=1)):
    print(f"{'within' if within else 'outside'} Theorem 2: lambda_R {lambda_R[0, i]:g} and {lambda_R[1, i]:g}")
    for name in ("rate", "lambda_1", "lambda_2", "lambda_3"):
        least = margins.least[name][i]
        print(f"  {name} {'increases with epsilon at all times' if least > 0 else 'decreases at some time'}")

# Plot
with style():
    figure, axes = plt.subplots(2, 2, figsize=(8, 5), layout="constrained")
    for i, title in enumerate(("within Theorem 2", "outside: $λ_{R,2} < λ_{R,3}$")):
        t = ladder.t[:, i]
        for e, colour in enumerate(COLOURS):
            axes[0, i].semilogy(t, np.exp(ladder.log_error[:, e, i]), color=colour, label=f"ε = {epsilon[e]:g}")
            axes[1, i].plot(t, ladder.lam[1, :, e, i], color=colour)
        end = t[np.argmax(ladder.log_error[:, 0, i] < -4)]
        axes[0, i].set(title=title, ylabel="$e / λ_T$", ylim=(1e-4, 2), xlim=(0, end))
        axes[1, i].set(xlabel="time", ylabel="$λ_2$", ylim=(0, None), xlim=(0, end))
    axes[0, 0].legend()
plt.show()
