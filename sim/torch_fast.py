"""The torch engine on the CPU, fast: the same equations as `sim.torch_engine`, its plain form, by compiled kernels.

What makes the difference, in this order: memory that is used again instead of fetched from the system anew; units that
dropout silenced are not gone through; saturation, pooling and dropout in one pass, while a convolution's output is
still in the core's cache; convolutions below a pooling learn, and feed back, by the few units that won their windows.
Sums are made in an order that does not depend on the number of threads, except in what torch computes itself.

With `compute_dtype` bfloat16 maps of activity and delta are bfloat16, and so is a copy of the weights for the products;
sums are float32 until they are written, and W and R, which learn, are float32. A unit's gate then sees the activity
that was rounded: from |g h| = 1 - 2^-9 on it is 1.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from network.reference import MARGIN
from network.spec import INPUT, NetworkSpec
from network.trace import StepTrace, count_ties
from network.weights import Weights
from sim import torch_ops
from sim.engine import Settings, describe
from sim.event.space import Space
from sim.fast.input import InputSynapses
from sim.fast.plan import plan
from sim.fast.stages import Batch, Relay, Routed
from sim.fast.synapses import Synapses
from sim.torch_engine import EVALUATION_BATCH, Gate, TorchEngine, _numpy


class FastTorchEngine(TorchEngine):
    """As `TorchEngine`, for the networks that `sim.fast.plan.why_not` has nothing against."""

    def __init__(self, spec: NetworkSpec, weights: Weights, settings: Settings) -> None:
        super().__init__(spec, weights, settings)
        self._stages = plan(spec, Space(keep=True), rounded=settings.compute_dtype == "bfloat16")
        self._synapses = {stage.node.index: stage for stage in self._stages if isinstance(stage, Synapses)}
        for i, synapses in self._synapses.items():
            for group, inside in (
                (self._W, synapses.inside), (self._R, synapses.inside),
                (self._mask_W, synapses.mask), (self._mask_R, synapses.mask),
            ):  # fmt: skip
                if i in group:
                    group[i] = inside(group[i])
        own = [stage for stage in self._stages if isinstance(stage, InputSynapses)]
        self._reads_pixels = any(INPUT in stage.sources for stage in self._stages if stage not in own)

    @torch.no_grad()
    def present(self, images: np.ndarray, labels: np.ndarray) -> StepTrace:
        target, trace = self.stage(np.asarray(labels, dtype=np.int64)), StepTrace()
        outputs = self._up(self.stage(images), Batch(len(labels), self.settings.seed, trace=True))
        for gate in self._down(outputs, target, in_place=False):
            synapses = self._synapses[gate.i]
            delta = gate.delta.dense(self.spec.gain) if isinstance(gate.delta, Routed) else gate.delta
            trace.delta[gate.i] = _numpy(delta)
            trace.dW[gate.i] = _numpy(synapses.outside(gate.dW))
            if gate.dR is not None:
                trace.dR[gate.i] = _numpy(synapses.outside(gate.dR))
        for i, synapses in self._synapses.items():
            assert synapses.h is not None
            trace.h[i] = trace.x[i] = _numpy(synapses.h)
            if not synapses.node.is_output:
                trace.x[i] = np.clip(self.spec.gain * trace.h[i], -1, 1)
        if self.settings.rule.loss == "hinge":
            trace.ties = count_ties(trace.h[len(trace.h)], np.asarray(labels), MARGIN, self.settings.dtype)
        trace.meta = describe("torch", self.spec, self.settings, {"torch": torch.__version__})
        return trace

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        one_mask = self.settings.dropout_mask == "per-batch"
        outputs = self._up(images, Batch(len(images), self.settings.seed, step, one_mask=one_mask))
        for gate in self._down(outputs, labels, self._learns_in_place()):
            self._W[gate.i] += gate.dW
            if gate.dR is not None and self.settings.rule.feedback_rate > 0:
                self._R[gate.i] += gate.dR
        return (outputs.argmax(1) != labels).sum()

    def _outputs(self, images: Tensor) -> Tensor:
        return self._up(images, Batch(len(images), self.settings.seed))

    @torch.no_grad()
    def saturation(self, images: Tensor) -> dict[str, float]:
        silent, count = dict.fromkeys((node.name for node in self.spec.weighted), 0.0), 0
        for part in images.split(EVALUATION_BATCH):
            self._up(part, Batch(len(part), self.settings.seed, trace=True))
            for synapses in self._synapses.values():
                assert synapses.h is not None
                if not torch.isfinite(synapses.h).all():
                    silent[synapses.node.name] = float("nan")
                elif not synapses.node.is_output:
                    silent[synapses.node.name] += float((self.spec.gain * synapses.h).abs().ge(1).double().sum())
            count += len(part)
        return {node.name: silent[node.name] / (count * node.units) for node in self.spec.weighted}

    def weights(self) -> Weights:
        W, R = (
            {i: _numpy(self._synapses[i].outside(w)).copy() for i, w in group.items()} for group in (self._W, self._R)
        )
        mask_W, mask_R = (
            {i: _numpy(self._synapses[i].outside(mask)).astype(bool) for i, mask in masks.items()}
            for masks in (self._mask_W, self._mask_R)
        )
        return Weights(W, R, mask_W, mask_R)

    def _up(self, images: Tensor, batch: Batch) -> Tensor:
        """Equation (1) from the input up; with a step in `batch`, the Drop layers drop. Returns the outputs' h."""
        x: dict[str, Tensor] = {INPUT: self._pixels(images)} if self._reads_pixels else {}
        for stage in self._stages:
            if isinstance(stage, Synapses):
                source = images if isinstance(stage, InputSynapses) else x[stage.sources[0]]
                x[stage.name] = stage.up([source], batch, self._W[stage.node.index])
            elif isinstance(stage, Relay):
                x[stage.name] = stage.up([x[name] for name in stage.sources], batch)
        return x[self._stages[-1].name]

    def _down(self, outputs: Tensor, labels: Tensor, in_place: bool) -> Iterator[Gate]:
        """Equations (2) and (3) from the output down, handing out gates if layers do not learn `in_place`."""
        learns = self.spec.learns_below
        received: dict[str, Any] = {self._stages[-1].name: self._error(outputs, labels)}

        def send(name: str, feedback: Any) -> None:
            received[name] = received[name] + feedback if name in received else feedback

        for stage in reversed(self._stages):
            if stage.name not in learns:
                continue
            feedback = received.pop(stage.name)
            if isinstance(stage, Relay):
                for name, part in zip(stage.sources, stage.down(feedback), strict=True):
                    send(name, part)
                continue
            assert isinstance(stage, Synapses)
            i, source = stage.node.index, stage.sources[0]
            delta, eta = stage.delta(feedback), self.settings.eta / len(labels)
            gate = None
            if not in_place:
                increment = torch.zeros_like(self._W[i])
                stage.learn(delta, eta, [increment], [None])
                own = self._W[i], self._R.get(i), self._mask_W.get(i), self._mask_R.get(i)
                gate = Gate(i, delta, *torch_ops.shares(self.settings.rule, increment, *own))
            if source in learns:
                R = self._W[i] if self.settings.rule.symmetric else self._R[i]
                R = R + gate.dR if self._after_update and gate and gate.dR is not None else R
                send(source, stage.back(R, delta))
            if gate is None:
                targets, masks = [self._W[i]], [self._mask_W.get(i)]
                if i in self._R and self.settings.rule.feedback_rate == 1:
                    targets, masks = [*targets, self._R[i]], [*masks, self._mask_R.get(i)]
                stage.learn(delta, eta, targets, masks)
            else:
                yield gate

    def _learns_in_place(self) -> bool:
        """Whether W, and R with it, get the bare increment, after the feedback has passed."""
        rule = self.settings.rule
        return rule.feedback_decay == 0 and rule.feedback_rate in (0, 1) and not self._after_update
