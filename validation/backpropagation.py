"""With R = W and weights that change after the feedback, the increments are the gradient: against PyTorch's autograd.

Nothing of the package computes here but shapes and paddings: modules, losses and derivatives are PyTorch's own.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from network.layers import Avgpool, Conv, Drop, Local, Maxpool, Sum
from network.spec import INPUT, NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from validation.compare import compare
from validation.ties import Presented
from validation.variants import Variant


def gradients(
    spec: NetworkSpec, weights: Weights, images: np.ndarray, labels: np.ndarray, loss: str, mu: float | None = None
) -> dict[int, np.ndarray]:
    """dL/dW of the mean loss over the batch, by layer: the hinge loss of (4), or cross-entropy.

    Parameters
    ----------
    spec : NetworkSpec
        With the semantics of the paper.
    weights, images, labels
        As `network.reference.present`.
    loss : {"hinge", "softmax"}
    mu : float, optional
        Of (4); 1 / (classes - 1) where not given.
    """
    W = {i: torch.tensor(w, requires_grad=True) for i, w in weights.W.items()}
    x = {INPUT: torch.tensor(images)}
    for node in spec.nodes:
        below = x[node.sources[0]]
        match node.layer:
            case Sum():
                x[node.name] = below + x[node.sources[1]]
            case Drop():
                x[node.name] = below
            case Maxpool() | Avgpool() as pool:
                (top, bottom), (left, right) = (pool.padding("centre", n) for n in below.shape[2:])
                reduce = F.max_pool2d if isinstance(pool, Maxpool) else F.avg_pool2d
                x[node.name] = reduce(F.pad(below, (left, right, top, bottom)), pool.size, pool.stride)
            case _:
                h = _input_of_units(node.layer, W[node.index], below)
                sigma = F.relu if node.synaptic.activation == "relu" else F.hardtanh
                x[node.name] = h if node.is_output else sigma(spec.gain * h)
    outputs, target = x[spec.nodes[-1].name], torch.tensor(labels)
    if loss == "softmax":
        total = F.cross_entropy(outputs, target)
    else:
        right = F.one_hot(target, spec.classes).bool()
        mu = 1 / (spec.classes - 1) if mu is None else mu
        wrong = mu * torch.relu(1 + outputs).masked_fill(right, 0).sum()
        total = (torch.relu(1 - outputs[right]).sum() + wrong) / len(labels)
    return {i: g.numpy() for i, g in zip(W, torch.autograd.grad(total, list(W.values())), strict=True)}


def _input_of_units(layer, W: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    if not isinstance(layer, Conv):
        return F.linear(below.flatten(1), W)
    (kh, kw), stride = layer.kernel, layer.stride
    (top, bottom), (left, right) = layer.pads
    padded = F.pad(below, (left, right, top, bottom))
    if not isinstance(layer, Local):
        return F.conv2d(padded, W, stride=stride)
    patches = padded.unfold(2, kh, stride).unfold(3, kw, stride)  # (N, in, H, W, kh, kw)
    return torch.einsum("ohwcab,nchwab->nohw", W, patches)


def excess_over_gradient(case: Presented, variant: Variant) -> float:
    """The largest |dW + eta dL/dW| of an engine whose R is W, over the largest entry, in any layer."""
    weights = replace(case.weights, R={i: W.copy() for i, W in case.weights.W.items()}, mask_R=case.weights.mask_W)
    if case.rule.symmetric:
        weights = replace(weights, R={}, mask_R={})
    same = replace(case, weights=weights, order="before_update")
    gradient = gradients(case.spec, weights, case.images, case.labels, case.rule.loss, case.mu)
    expected = StepTrace(dW={i: -case.eta * g * weights.mask_W.get(i, 1) for i, g in gradient.items()})
    return compare(expected, StepTrace(dW=variant.present(same).dW)).worst.relative
