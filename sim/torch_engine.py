"""The algorithm at scale: layer by layer as equations (1), (2) and (6) read, on CPU or GPU, without autograd.

With `Settings.compute_dtype` bfloat16, which has 8 significant bits, these are rounded to the nearest of its numbers: a
copy of W and R whenever a product needs them, the pixels, h, x, delta and what a layer sends down, each as it is
written; products are added up in float32, and the increment of a batch is rounded once. The output layer is computed in
float32 of the rounded x, since (6) compares its h with the margin. W and R stay float32, so no small increment is lost.
With tfloat32, of GPUs, the factors of products are rounded to 11 bits, but for those of the output, and nothing else.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from network.layers import Avgpool, Drop, Maxpool, Sum
from network.reference import MARGIN, default_mu
from network.rules import effective_order
from network.spec import INPUT, NetworkSpec, Node
from network.trace import StepTrace, count_ties
from network.weights import Weights
from sim import torch_flow, torch_ops, torch_units
from sim.engine import Settings, describe, dropout_masks
from sim.torch_device import compute_dtype_of, device_of, multiply_in
from sim.torch_feedback import FromSigns
from sim.torch_norm import Normalisation, Normalised
from sim.updates import Updater

EVALUATION_BATCH = 1000  # images at a time where nothing is learned: bounds memory, changes no result


class Gate(NamedTuple):
    """The Hebbian window of one layer: what it saw, and what it does to the weights.

    dR is None where no increment changes R; `affine` has those of gamma and beta where normalisation learns.
    """

    i: int
    delta: Tensor
    dW: Tensor
    dR: Tensor | None
    affine: Mapping[str, Tensor] = MappingProxyType({})


class Activity(NamedTuple):
    """The feedforward phase: h by weighted layer, x by node, winners of the max-pooling and kept units by node; what
    was normalised, by weighted layer.
    """

    h: dict[int, Tensor]
    x: dict[str, Tensor]
    winner: dict[str, Tensor]
    kept: dict[str, Tensor]
    normalised: dict[int, Normalised]


class TorchEngine:
    """Runs a `NetworkSpec` in PyTorch. See `sim.engine.Engine` for the methods."""

    def __init__(self, spec: NetworkSpec, weights: Weights, settings: Settings) -> None:
        self.spec = spec
        self.settings = settings
        self.device = device_of(settings.device)
        self.dtype = getattr(torch, settings.dtype)
        self._compute_dtype = compute_dtype_of(settings, self.device)
        self._mu = default_mu(spec, settings.mu)
        self._after_update = effective_order(settings.rule, settings.order) == "after_update"
        R = {} if settings.rule.symmetric else weights.R
        self._W, self._R = ({i: self._own(w) for i, w in group.items()} for group in (weights.W, R))
        self._mask_W, self._mask_R = (
            {i: self._own(mask) for i, mask in masks.items()} for masks in (weights.mask_W, weights.mask_R)
        )
        self._from_signs = FromSigns(spec, weights, settings, self._own) if settings.rule.signs else None
        self._normalisation = Normalisation(weights, self._own)
        tau = {name: self._own(value) for name, value in weights.tau.items()}
        self._updater = Updater(settings.update, settings.eta, torch.sign, tau)
        self._late, self._flattened = torch_flow.saturated_late(spec, settings.rule), torch_flow.flattened(spec)

    def _own(self, array: np.ndarray) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device)

    def stage(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self.device)

    @torch.no_grad()
    def present(self, images: np.ndarray, labels: np.ndarray) -> StepTrace:
        target = self.stage(np.asarray(labels, dtype=np.int64))
        activity = self._forward(self._pixels(self.stage(images)), trace=True)
        trace = StepTrace()
        for node in self.spec.weighted:
            trace.h[node.index], trace.x[node.index] = _numpy(activity.h[node.index]), _numpy(self._x(node, activity))
        for gate in self._feedback(activity, target):
            trace.delta[gate.i], trace.dW[gate.i] = _numpy(gate.delta), _numpy(gate.dW)
            if gate.dR is not None:
                trace.dR[gate.i] = _numpy(gate.dR)
            if gate.affine:
                trace.dgamma[gate.i], trace.dbeta[gate.i] = _numpy(gate.affine["gamma"]), _numpy(gate.affine["beta"])
        if self.settings.rule.loss == "hinge":
            trace.ties = count_ties(trace.h[len(trace.h)], np.asarray(labels), MARGIN, self.settings.dtype)
        trace.meta = describe("torch", self.spec, self.settings, {"torch": torch.__version__})
        return trace

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        activity = self._forward(self._pixels(images), step)
        for gate in self._feedback(activity, labels):  # the feedback has passed a layer when its gate is handed out
            self._change(gate, step, len(images))
            if self._from_signs:
                self._R[gate.i] = self._from_signs.feedback(gate.i, self._W[gate.i], step + 1)
        outputs = activity.h[len(self._W)]
        return (outputs.argmax(1) != labels).sum()

    def _change(self, gate: Gate, step: int, count: int) -> None:
        """Let the increments of one gate become changes of its weights."""
        if not self.settings.update.changes(self.spec.weighted[gate.i - 1].is_output):
            return
        changed = [("W", self._W, gate.dW)]
        if gate.dR is not None and self.settings.rule.feedback_rate > 0:
            changed.append(("R", self._R, gate.dR))
        groups = {"gamma": self._normalisation.gamma, "beta": self._normalisation.beta}
        changed += [(letter, groups[letter], increment) for letter, increment in gate.affine.items()]
        for letter, group, increment in changed:
            group[gate.i] += self._updater.change(f"{letter}/{gate.i}", increment, group[gate.i], step, count)

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Tensor:
        return torch.cat([self._outputs(part) for part in images.split(EVALUATION_BATCH)])

    def _outputs(self, images: Tensor) -> Tensor:
        return self._forward(self._pixels(images), classify=True).h[len(self._W)]

    @torch.no_grad()
    def saturation(self, images: Tensor) -> dict[str, float]:
        activity = self._forward(self._pixels(images), trace=True)
        shares = {}
        for node in self.spec.weighted:
            finite = bool(torch.isfinite(self.spec.gain * activity.h[node.index]).all())
            silent = torch_units.shut_off(node, self._x(node, activity))
            shares[node.name] = float(silent.double().mean()) if finite else float("nan")
        return shares

    @torch.no_grad()
    def take_statistics(self, images: Tensor, *, first: bool) -> None:
        activity = self._forward(self._pixels(images))
        for i, normalised in activity.normalised.items():
            self._normalisation.take_statistics(i, normalised, first=first)

    def weights(self) -> Weights:
        norm = self._normalisation
        W, R, gamma, beta, mean, deviation = (
            {i: _numpy(w).copy() for i, w in group.items()}
            for group in (self._W, self._R, norm.gamma, norm.beta, norm.mean, norm.deviation)
        )
        mask_W, mask_R = (
            {i: _numpy(mask).astype(bool) for i, mask in masks.items()} for masks in (self._mask_W, self._mask_R)
        )
        tau = {name: _numpy(value).copy() for name, value in self._updater.tau.items()}
        return Weights(W, R, mask_W, mask_R, gamma, beta, mean, deviation, tau)

    def _pixels(self, images: Tensor) -> Tensor:
        pixels = images.to(self._compute_dtype, memory_format=torch.channels_last)  # the faster layout of convolutions
        return pixels.div_(255) if images.dtype == torch.uint8 else pixels

    def _forward(
        self, images: Tensor, step: int | None = None, *, classify: bool = False, trace: bool = False
    ) -> Activity:
        """Equation (1) from the input up; with a `step`, the Drop layers drop. To `classify`, normalised layers take
        the statistics they keep. With a `trace`, h of all layers is kept, else only that of the output.
        """
        masks = {} if step is None else self._dropout(step, len(images))
        activity = Activity({}, {INPUT: images}, {}, {}, {})
        h, x, winner, kept, normalised = activity
        for node in self.spec.nodes:
            below = x[node.sources[0]]
            match node.layer:
                case Sum():
                    x[node.name] = below + x[node.sources[1]]
                case Drop(fraction):
                    if node.name in masks:
                        mask = self.stage(masks[node.name])
                        mask = mask if node.name in self._flattened else torch_flow.as_maps(mask)
                        kept[node.name] = mask.to(self._compute_dtype).div_(1 - fraction)
                    x[node.name] = kept[node.name] * below if node.name in kept else below  # laid out as the mask is
                case Maxpool() as pool:
                    largest, winner[node.name] = torch_ops.max_pool(pool, self.spec.semantics.pool_anchor, below)
                    if late := self._late.get(node.name):
                        largest = torch_units.activity(late, largest, self.spec.gain, in_place=True)
                    x[node.name] = largest
                case Avgpool() as pool:
                    x[node.name] = torch_ops.average_pool(pool, self.spec.semantics.pool_anchor, below)
                case _:
                    dtype = self._precision(node)
                    W = self._W[node.index].to(dtype)
                    drive = torch_ops.input_of_units(node.synaptic, W, below.to(dtype))
                    if keeps_h := trace or node.is_output:
                        h[node.index] = drive
                    if node.synaptic.norm and classify:
                        drive = self._normalisation.drive_by_statistics(node, drive)
                    elif node.synaptic.norm:
                        drive, normalised[node.index] = self._normalisation.drive(node, drive)
                    if node not in self._late.values():
                        drive = torch_units.activity(node, drive, self.spec.gain, in_place=not keeps_h)
                    x[node.name] = drive
        return activity

    def _x(self, node: Node, activity: Activity) -> Tensor:
        """What the units of a layer put out, also where the pooling above saturates."""
        x = activity.x[node.name]
        return torch_units.activity(node, x, self.spec.gain) if node in self._late.values() else x

    def _dropout(self, step: int, count: int) -> dict[str, np.ndarray]:
        """Which units each Drop layer keeps, by node."""
        return dropout_masks(self.spec, self.settings, step, count)

    def _precision(self, node: Node) -> torch.dtype:
        """Of a layer's products; the device multiplies so from now on."""
        multiply_in(self.device, None if node.is_output else self.settings.compute_dtype)
        return self.dtype if node.is_output else self._compute_dtype

    def _error(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """delta_L: equation (6), or y - softmax(x)."""
        target = torch.zeros_like(outputs, dtype=torch.bool).scatter_(1, labels[:, None], True)
        if self.settings.rule.loss == "softmax":
            return target.to(self.dtype) - outputs.softmax(1)
        if self.spec.semantics.strict_margin:
            to_raise, to_lower = outputs < MARGIN, outputs > -MARGIN
        else:
            to_raise, to_lower = outputs <= MARGIN, outputs >= -MARGIN
        return torch.where(target, to_raise.to(self.dtype), -self._mu * to_lower.to(self.dtype))

    def _feedback(self, activity: Activity, labels: Tensor) -> Iterator[Gate]:
        """Equations (2) and (3) from the output down, handing out each layer's gate once its feedback has passed.

        Whoever iterates may then change that layer's weights: nothing below reads them any more.
        """
        spec, anchor, ties = self.spec, self.spec.semantics.pool_anchor, self.spec.semantics.pool_ties
        h, x, winner, kept, normalised = activity
        top, direct = spec.nodes[-1], self.settings.rule.feedback_from == "output"
        received, error = torch_flow.Feedback(), self._error(h[top.index], labels)
        received.send(top.name, error)
        for node in reversed(spec.nodes):
            if node.name not in spec.learns_below:
                continue
            if direct and not node.index:
                continue  # feedback passes over it
            if direct and not node.is_output:
                R = self._R[node.index].to(self._precision(top))
                sent = torch_ops.feedback_to_source(top.synaptic, R, error, node.shape).to(self._compute_dtype)
                received.send(node.name, sent)
            source, (feedback, own) = node.sources[0], received.take(node.name)
            x_own = x.pop(node.name)  # nothing below reads it
            match node.layer:
                case Sum():
                    for name in node.sources:
                        received.send(name, feedback, shared=True)
                case Drop() if node.name in kept:
                    mask = kept.pop(node.name)
                    received.send(source, feedback.mul_(mask) if own else mask * feedback)
                case Drop():
                    received.send(source, feedback, shared=not own)
                case Maxpool() as pool:
                    if late := self._late.get(node.name):
                        feedback = torch_units.through_units(late, torch_flow.as_maps(feedback), x_own, spec.gain)
                    pooled = x_own, winner.pop(node.name)
                    received.send(source, torch_ops.max_pool_feedback(pool, anchor, ties, feedback, x[source], *pooled))
                case Avgpool() as pool:
                    received.send(source, torch_ops.average_pool_feedback(pool, anchor, feedback, x[source]))
                case _:
                    delta = feedback
                    if node not in self._late.values():
                        delta = torch_units.through_units(node, feedback, x_own, spec.gain, in_place=own)
                    affine: dict[str, Tensor] = {}
                    if node.index in normalised:
                        delta, sums = self._normalisation.feedback(node, delta, normalised[node.index])
                        affine = {letter: self.settings.eta / len(delta) * total for letter, total in sums.items()}
                    dW, dR = self._increments(node.index, delta, x[source])
                    if source in spec.learns_below and not direct:
                        R = self._W[node.index] if self.settings.rule.symmetric else self._R[node.index]
                        if self._after_update and dR is not None:
                            R = R + dR
                        below = node.source_shapes[0]
                        sent = torch_ops.feedback_to_source(node.synaptic, R.to(delta.dtype), delta, below)
                        received.send(source, sent.to(self._compute_dtype))
                    yield Gate(node.index, delta, dW, dR, affine)

    def _increments(self, i: int, delta: Tensor, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the Hebbian gate of layer `i` adds to W and to R: the same increment, where R learns."""
        rule, node, W, R = self.settings.rule, self.spec.weighted[i - 1], self._W[i], self._R.get(i)
        products = torch_ops.hebbian(node.synaptic, delta, x.to(self._precision(node)), tuple(W.shape)).to(self.dtype)
        increment = products * (self.settings.eta / len(delta))
        learning = R if rule.R_takes_increments else None
        return torch_ops.shares(rule, increment, W, learning, self._mask_W.get(i), self._mask_R.get(i))


def _numpy(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()  # NumPy has no bfloat16
