"""Ten ways to get each engine wrong, one at a time, by changing its own functions.

The keys of `MUTATIONS` say what is wrong, its values, by engine, how it is done there.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from network import reference
from network.layers import Conv
from network.weights import Weights
from sim import torch_engine, torch_ops
from sim.event import engine as event_engine
from sim.event import kernels as event_kernels
from sim.event.engine import EventEngine
from sim.event.output import OutputCircuit
from sim.event.pools import Relays
from sim.schedule import Event
from sim.schedule_plan import Schedule
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
        bare = copy(self)
        bare._mask_W, bare._mask_R = {}, {}
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


def event_wrong_sign(original: Callable) -> Callable:
    def synapses_of(node, source):
        synapses = original(node, source)
        right = synapses.backward

        def backward(R, delta, received, listed):
            right(R, delta, received, listed)
            np.negative(received, out=received)

        synapses.backward = backward
        return synapses

    return synapses_of


def event_without_masks(original: Callable) -> Callable:
    def made(self, spec, weights, settings):
        original(self, spec, Weights(weights.W, weights.R), settings)

    return made


def event_transposes_R(original: Callable) -> Callable:
    def made(self, spec, weights, settings):
        R = {node.index: weights.R[node.index] for node in spec.weighted if node.index in weights.R}
        R = {i: np.ascontiguousarray(turned(spec.weighted[i - 1].layer, values)) for i, values in R.items()}
        original(self, spec, replace(weights, R=R), settings)

    return made


def event_at_the_peak(original: Callable) -> Callable:
    def made(self, classes, mu, settings):
        original(self, classes, mu, replace(settings, gate_phase=0.5))

    return made


def event_without_gain(original: Callable) -> Callable:
    def put_out(potential, replaced, u, v, K, gain, activity):
        original(potential, replaced, u, v, K, gain, activity)
        activity[replaced] /= gain

    return put_out


def event_without_latch(original: Callable) -> Callable:
    def latch(x, u, v):
        u[:] = v[:] = 0

    return latch


def event_shifts_windows(original: Callable) -> Callable:
    def window(self, pool, node):
        size, stride, top, left = original(self, pool, node)
        return size, stride, top, left + 1

    return window


def event_decays_R_as_W(original: Callable) -> Callable:
    def present(self, images, labels, run=None):
        trace, now = original(self, images, labels, run), self.weights()
        for i, dR in trace.dR.items():
            trace.dR[i] = dR + self.settings.rule.feedback_decay * (now.R[i] - now.W[i])
        return trace

    return present


def brian_with(weights=lambda spec, w: w, settings=lambda s: s) -> Callable:
    """A Brian2 engine made of other weights or settings than it is given."""

    def make(original: Callable) -> Callable:
        def made(self, spec, given, chosen):
            original(self, spec, weights(spec, given), settings(chosen))

        return made

    return make


def changed_R(change_one: Callable) -> Callable:
    def weights(spec, given):
        R = {i: change_one(spec.weighted[i - 1].layer, values) for i, values in given.R.items()}
        return replace(given, R=R)

    return weights


def brian_without_latch(original: Callable) -> Callable:
    def made(self, spec, weights, settings):
        original(self, spec, weights, settings)
        never = [Event("latch", node.index) for node in spec.weighted[:-1]]
        self._run = Schedule(spec, settings.order, self.settings.timing).omit(*never).run("record")

    return made


def brian_shifts_windows(original: Callable) -> Callable:
    def up(self, node, sources, remember):
        return original(self, node, [np.roll(x, 1, axis=2) if x.ndim == 4 else x for x in sources], remember)

    return up


BRIAN: dict[str, Callable[[Patch, Any], None]] = {
    "wrong sign": lambda p, e: change(p, e.BrianEngine, "__init__", brian_with(changed_R(lambda layer, R: -R))),
    "old R": lambda p, e: p.setattr(e, "effective_order", lambda rule, order: "before_update"),
    "mu off": lambda p, e: p.setattr(e, "default_mu", lambda spec, mu: 1.0),
    "missing mask": lambda p, e: change(p, e.BrianEngine, "__init__", brian_with(lambda spec, w: Weights(w.W, w.R))),
    "latch skipped": lambda p, e: change(p, e.BrianEngine, "__init__", brian_without_latch),
    "gate at the wrong phase": lambda p, e: change(
        p, e.BrianEngine, "__init__", brian_with(settings=lambda s: replace(s, gate_phase=0.5))
    ),
    "off-by-one pool": lambda p, e: change(p, import_module("sim.brian.relays").Relays, "up", brian_shifts_windows),
    "transposed R": lambda p, e: change(p, e.BrianEngine, "__init__", brian_with(changed_R(turned))),
    "gain missing in the feedback": lambda p, e: change(
        p, e.BrianEngine, "__init__", brian_with(changed_R(lambda layer, R: R / GAIN))
    ),
    "decay on the wrong weight": lambda p, e: change(p, e.BrianEngine, "present", event_decays_R_as_W),
}
MUTATIONS: dict[str, dict[str, Callable[[Patch], None]]] = {
    "wrong sign": {
        "reference": lambda p: change(p, reference, "feedback_to_source", lambda f: lambda *a: -f(*a)),
        "torch": lambda p: change(p, torch_ops, "feedback_to_source", lambda f: lambda *a: -f(*a)),
        "event": lambda p: change(p, event_engine, "synapses_of", event_wrong_sign),
    },
    "old R": {
        "reference": lambda p: p.setattr(reference, "effective_order", lambda rule, order: "before_update"),
        "torch": lambda p: p.setattr(torch_engine, "effective_order", lambda rule, order: "before_update"),
        "event": lambda p: p.setattr(event_engine, "effective_order", lambda rule, order: "before_update"),
    },
    "mu off": {
        "reference": lambda p: p.setattr(reference, "default_mu", lambda spec, mu: 1.0),
        "torch": lambda p: p.setattr(torch_engine, "default_mu", lambda spec, mu: 1.0),
        "event": lambda p: p.setattr(event_engine, "default_mu", lambda spec, mu: 1.0),
    },
    "missing mask": {
        "reference": lambda p: p.setattr(reference, "_masked", lambda increment, masks, i: increment),
        "torch": lambda p: change(p, TorchEngine, "_increments", torch_without_masks),
        "event": lambda p: change(p, EventEngine, "__init__", event_without_masks),
    },
    "latch skipped": {
        "reference": lambda p: p.setattr(reference, "slope", lambda layer, h, gain: gain),
        "torch": lambda p: p.setattr(torch_ops, "shut_off", lambda feedback, x, **_: feedback),
        "event": lambda p: change(p, event_kernels, "latch", event_without_latch),
    },
    "gate at the wrong phase": {
        "reference": lambda p: change(p, reference, "output_error", everything_reported),
        "torch": lambda p: change(p, TorchEngine, "_error", torch_reports_everything),
        "event": lambda p: change(p, OutputCircuit, "__init__", event_at_the_peak),
    },
    "off-by-one pool": {
        "reference": lambda p: change(p, reference, "windows", lambda f: lambda *a: f(*a[:2], np.roll(a[2], 1, 3))),
        "torch": lambda p: change(p, torch_ops, "max_pool", lambda f: lambda *a: f(*a[:2], a[2].roll(1, 3))),
        "event": lambda p: change(p, Relays, "_window", event_shifts_windows),
    },
    "transposed R": {
        "reference": lambda p: change(
            p, reference, "feedback_to_source", lambda f: lambda layer, R, *a: f(layer, turned(layer, R), *a)
        ),
        "torch": lambda p: change(
            p, torch_ops, "feedback_to_source", lambda f: lambda layer, R, *a: f(layer, turned(layer, R), *a)
        ),
        "event": lambda p: change(p, EventEngine, "__init__", event_transposes_R),
    },
    "gain missing in the feedback": {
        "reference": lambda p: change(p, reference, "feedback_to_source", lambda f: lambda *a: f(*a) / GAIN),
        "torch": lambda p: change(p, torch_ops, "shut_off", lambda f: lambda *a, **_: f(*a) / GAIN),
        "event": lambda p: change(p, event_kernels, "put_out", event_without_gain),
    },
    "decay on the wrong weight": {
        "reference": lambda p: change(p, reference, "present", reference_decays_R_as_W),
        "torch": lambda p: change(p, TorchEngine, "_increments", torch_decays_R_as_W),
        "event": lambda p: change(p, EventEngine, "present", event_decays_R_as_W),
    },
}
