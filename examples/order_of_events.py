"""
The order of events: what a network needs for the right synapses to see the right activities
============================================================================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), Remark 1 and figure 15.

Feedback replaces the feedforward activity, but the synapses below need the feedback of the layer above and the original
activity of the layer below at the same time: "a very rigid sequencing from top to bottom". Here it is a graph of events
that wait for each other. One arrow is turned round: layer 2 no longer waits until the synapses above it have been
tagged. A check finds that before anything happens; the run itself, when it happens; and the figures show it.
"""

import matplotlib.pyplot as plt

from circuits.figures import style
from network.spec import NetworkSpec
from sim.schedule import Event, Timing, TimingViolation
from sim.schedule_figure import add_legend, plot_schedule
from sim.schedule_plan import Schedule, ScheduleError

# Parameters
net = "Conv 8 3x3; Conv 8 3x3; SUM; Maxpool 3; Full 20; Output"  # layer 3 reads layers 1 and 2
timing = Timing(delay=2e-3, settling=60e-3, gate=20e-3, latch=10e-3)  # seconds

# The schedule: every event as soon as all that it needs has happened
spec = NetworkSpec.parse(net, input_shape=(1, 16, 16), classes=10)
schedule = Schedule(spec, order="before_update", timing=timing)
right = schedule.run()
for firing in right.firings:
    if firing.event.kind in ("gate", "replace"):
        print(f"{firing.time * 1e3:5.0f} ms  {firing.event!s:10}  {', '.join(firing.held)}")

# One requirement turned round: the gate of layer 3 waits for what should wait for it
closed = next(r for r in schedule.requirements if r.effect == Event("replace", 2) and r.name == "gate closed")
turned = schedule.swap(closed)
try:
    turned.check()
except ScheduleError as refusal:
    print(refusal)
try:
    turned.run(check=False)
except TimingViolation as violation:
    print(violation)
wrong = turned.run("record")
print("recorded:", wrong.counts)

# A clock that is not exact: how much jitter can a schedule take in which everything waits 10 ms longer than it has to?
patient = Schedule(spec, order="before_update", timing=Timing(margin=10e-3))
for jitter in (1e-3, 3e-3, 10e-3):
    counts = [sum(patient.run("record", jitter=jitter, seed=seed).counts.values()) for seed in range(100)]
    print(f"jitter {jitter * 1e3:2.0f} ms: {sum(counts) / 100:.1f} requirements not met in a presentation")

# Plot
with style():
    figure, axes = plt.subplots(2, 1, figsize=(10, 8), layout="constrained")
    for ax, run, title in zip(axes, (right, wrong), ("as it should be", "one requirement turned round"), strict=True):
        plot_schedule(run, ax).set_title(title)
    add_legend(figure, violations=True)
plt.show()
