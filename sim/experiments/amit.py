"""What the experiments of Amit's section 4 share: settings, protocols, data sets."""

from sim.experiments.experiment import Axis, Variant

PAPER = "Amit (2019)"

# Section 4: "a simple SGD with a fixed time step of .1, ... 1000 epochs with batch-size of 500".
SETTINGS = {"epochs": 1000, "batch_size": 500, "eta": 0.1}

BP = Variant("BP", {"rule": "bp"})
BP_H = Variant("BP-H", {"rule": "bph"})
URFB = Variant("URFB", {"rule": "urfb"})
FRFB = Variant("FRFB", {"rule": "frfb"})
URFB_50 = Variant("URFB 50 %", {"rule": "urfb", "connectivity": 0.5})
FRFB_50 = Variant("FRFB 50 %", {"rule": "frfb", "connectivity": 0.5})

PROTOCOLS = Axis("protocol", (BP, BP_H, URFB, FRFB, URFB_50, FRFB_50))  # figures 5 and 6
EVOLVING = Axis("protocol", (BP, URFB, FRFB))  # figures 4 and 7
ASYMMETRIC = Axis("protocol", (URFB, FRFB))  # figures 10 and 11

CIFAR10, CIFAR100 = Variant("CIFAR10", {"data": "cifar10"}), Variant("CIFAR100", {"data": "cifar100"})
BOTH_CIFARS = Axis("data", (CIFAR10, CIFAR100))
ONLY_CIFAR10 = Axis("data", (CIFAR10,))

HINGE = "BP runs with softmax and cross-entropy, all other protocols with the hinge loss (caption)."
