"""A small network of layers with feedback weights, a batch, and what is close."""

from typing import Any

import torch
from torch import nn

from network.rules import RULES
from sim.torch_layers import Conv2d, Linear, Saturate
from validation.tolerances import TOLERANCES

OF_MODULES = [name for name, rule in RULES.items() if rule.feedback_from == "above"]


def close(found, wanted, dtype="float64"):
    bound = TOLERANCES[dtype].relative * wanted.abs().max()
    return found.shape == wanted.shape and bool((found - wanted).abs().max() <= bound)


def with_weights(network) -> list[Any]:
    return [layer for layer in network if hasattr(layer, "weight")]


def small(feedback="urfb", **options) -> Any:
    torch.manual_seed(1)
    return nn.Sequential(
        Conv2d(3, 8, 3, padding=1, feedback=feedback, **options), Saturate(), nn.MaxPool2d(2), nn.Flatten(),
        Linear(128, 20, feedback=feedback, **options), Saturate(), Linear(20, 10, feedback=feedback, **options),
    )  # fmt: skip


def batch(count=16):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 8, 8, generator=generator), torch.randint(0, 10, (count,), generator=generator)
