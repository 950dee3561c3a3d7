"""Ten ways to get each engine wrong, one at a time, by changing its own functions.

The keys of `MUTATIONS` say what is wrong, its values, by engine, how it is done there.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from network import reference
from network.layers import Conv
from sim import torch_engine, torch_ops
from sim.torch_engine import TorchEngine

Patch = pytest.MonkeyPatch
GAIN = 0.7  # of the networks that are presented


def turned(layer: Any, R: Any) -> Any:
    """R the wrong way round: kernels upside down; of full layers the first rows and columns that make a square."""
    if isinstance(layer, Conv):
        return R.flip(-1, -2) if hasattr(R, "flip") else R[..., ::-1, ::-1]
    size = min(R.shape)
    wrong = R.clone() if hasattr(R, "clone") else R.copy()
    wrong[:size, :size] = R[:size, :size].T
    return wrong


def change(patch: Patch, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(original)` in the place of `owner.name`."""
    patch.setattr(owner, name, make(getattr(owner, name)))


def everything_reported(original: Callable) -> Callable:
    """Outputs read while their controls are off: none is silent."""

    def error(outputs, labels, loss, mu, strict_margin):
        own = np.arange(outputs.shape[1]) == labels[:, None]
        return np.where(own, 1.0, -mu)

    return error


def reference_decays_R_as_W(original: Callable) -> Callable:
    def present(spec, weights, images, labels, rule, **options):
        trace = original(spec, weights, images, labels, rule, **options)
        for i, dR in trace.dR.items():
            trace.dR[i] = dR + rule.feedback_decay * (weights.R[i] - weights.W[i])
        return trace

    return present


def torch_without_masks(original: Callable) -> Callable:
    def increments(self, i, delta, x):
        bare = SimpleNamespace(**{**vars(self), "_mask_W": {}, "_mask_R": {}})
        return original(bare, i, delta, x)

    return increments


def torch_decays_R_as_W(original: Callable) -> Callable:
    def increments(self, i, delta, x):
        dW, dR = original(self, i, delta, x)
        if dR is not None:
            dR = dR + self.settings.rule.feedback_decay * (self._R[i] - self._W[i])
        return dW, dR

    return increments


def torch_reports_everything(original: Callable) -> Callable:
    def error(self, outputs, labels):
        own = torch_engine.torch.zeros_like(outputs, dtype=torch_engine.torch.bool).scatter_(1, labels[:, None], True)
        return torch_engine.torch.where(own, 1.0, -self._mu).to(outputs.dtype)

    return error


MUTATIONS: dict[str, dict[str, Callable[[Patch], None]]] = {
    "wrong sign": {
        "reference": lambda p: change(p, reference, "feedback_to_source", lambda f: lambda *a: -f(*a)),
        "torch": lambda p: change(p, torch_ops, "feedback_to_source", lambda f: lambda *a: -f(*a)),
    },
    "old R": {
        "reference": lambda p: p.setattr(reference, "effective_order", lambda rule, order: "before_update"),
        "torch": lambda p: p.setattr(torch_engine, "effective_order", lambda rule, order: "before_update"),
    },
    "mu off": {
        "reference": lambda p: p.setattr(reference, "default_mu", lambda spec, mu: 1.0),
        "torch": lambda p: p.setattr(torch_engine, "default_mu", lambda spec, mu: 1.0),
    },
    "missing mask": {
        "reference": lambda p: p.setattr(reference, "_masked", lambda increment, masks, i: increment),
        "torch": lambda p: change(p, TorchEngine, "_increments", torch_without_masks),
    },
    "latch skipped": {
        "reference": lambda p: p.setattr(reference, "slope", lambda layer, h, gain: gain),
        "torch": lambda p: p.setattr(torch_ops, "shut_off", lambda feedback, x: feedback),
    },
    "gate at the wrong phase": {
        "reference": lambda p: change(p, reference, "output_error", everything_reported),
        "torch": lambda p: change(p, TorchEngine, "_error", torch_reports_everything),
    },
    "off-by-one pool": {
        "reference": lambda p: change(p, reference, "windows", lambda f: lambda *a: f(*a[:2], np.roll(a[2], 1, 3))),
        "torch": lambda p: change(p, torch_ops, "_pad_windows", lambda f: lambda *a: f(*a).roll(1, 3)),
    },
    "transposed R": {
        "reference": lambda p: change(
            p, reference, "feedback_to_source", lambda f: lambda layer, R, *a: f(layer, turned(layer, R), *a)
        ),
        "torch": lambda p: change(
            p, torch_ops, "feedback_to_source", lambda f: lambda layer, R, *a: f(layer, turned(layer, R), *a)
        ),
    },
    "gain missing in the feedback": {
        "reference": lambda p: change(p, reference, "feedback_to_source", lambda f: lambda *a: f(*a) / GAIN),
        "torch": lambda p: change(p, torch_ops, "shut_off", lambda f: lambda *a: f(*a) / GAIN),
    },
    "decay on the wrong weight": {
        "reference": lambda p: change(p, reference, "present", reference_decays_R_as_W),
        "torch": lambda p: change(p, TorchEngine, "_increments", torch_decays_R_as_W),
    },
}
