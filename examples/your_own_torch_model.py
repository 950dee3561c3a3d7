"""
Feedback weights in a PyTorch model of your own
===============================================

Y. Amit, "Deep learning with asymmetric connections and Hebbian updates",
Frontiers in Computational Neuroscience 13:18 (2019), section 3.

A small residual network, written without any thought of this package, is converted where it stands: feedback goes
through weights of its own, which are fixed (frfb) or get the increments of the forward weights (urfb). Everything else
is PyTorch's. Below, the errors on digits, and how updated feedback weights turn towards the forward weights.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from circuits.figures import BLUE, GREEN, RED, style
from sim.data import load_data
from sim.torch_convert import convert
from sim.torch_layers import Saturate


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), Saturate())
        self.inner = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), Saturate())
        self.pool, self.out = nn.MaxPool2d(2), nn.Linear(256, 10)

    def forward(self, x):
        x = self.stem(x)
        return self.out(self.pool(x + self.inner(x)).flatten(1))


def alignment(layer):  # correlation of W and R
    return torch.corrcoef(torch.stack([layer.weight.flatten(), layer.feedback_weights().flatten()]))[0, 1].item()


# Parameters
epochs, batch = 5, 100
rules = {"bp": "back-propagation", "urfb": "updated feedback", "frfb": "fixed feedback"}

# Data: 8 x 8 digits
data = load_data("digits")
images, test = (torch.from_numpy(split.images).float() / 255 for split in (data.train, data.test))
labels, answers = torch.from_numpy(data.train.labels), torch.from_numpy(data.test.labels)

# Run
errors, turned = {}, {}
for rule in rules:
    torch.manual_seed(0)
    model = Network()
    report = convert(model, rule)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)  # after convert, so that it knows R
    layers = model.inner[0], model.out
    errors[rule], turned[rule] = [], [[alignment(layer)] for layer in layers]
    for _ in range(epochs):
        for part in torch.randperm(len(images)).split(batch):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model.train()(images[part]), labels[part]).backward()
            optimiser.step()
        errors[rule].append((model.eval()(test).argmax(1) != answers).double().mean().item())
        for values, layer in zip(turned[rule], layers, strict=True):
            values.append(alignment(layer))
    found = f"test error {errors[rule][-1]:.3f}, alignment of the output layer {turned[rule][1][-1]:.2f}"
    print(f"{rule}: {len(report.converted)} layers, {found}")

# Plot
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
    for (rule, name), color in zip(rules.items(), (GREEN, BLUE, RED), strict=True):
        left.plot(range(1, epochs + 1), errors[rule], "o-", color=color, label=f"{rule}, {name}")
    for values, name in zip(turned["urfb"], ("inner convolution", "output"), strict=True):
        right.plot(range(epochs + 1), values, "o-", label=name)
    left.set(xlabel="epoch", ylabel="test error (fraction)", xticks=range(1, epochs + 1), ylim=(0, None))
    right.set(xlabel="epoch", ylabel="correlation of W and R", title="updated feedback (urfb)", ylim=(None, 1))
    left.legend()
    right.legend()
plt.show()
