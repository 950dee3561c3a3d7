"""How far W and R agree, on the device: `sim.alignment` without bringing the weights to the host."""

import torch
from torch import Tensor


def agreement(W: Tensor, R: Tensor) -> Tensor:
    """Pearson correlation of two weight tensors of one shape, and the angle between them in degrees: (2,), float64.

    Either is NaN where `sim.alignment` has NaN. The angle is taken from the sum and the difference of the vectors at
    length 1, which is exact enough at all angles, so that the host has nothing to decide.
    """
    W, R = W.double(), R.double()
    correlation = (_unit(W - W.mean()) * _unit(R - R.mean())).sum().clamp(-1, 1)
    a, b = _unit(W), _unit(R)
    return torch.stack([correlation, torch.rad2deg(2 * torch.atan2(_length(a - b), _length(a + b)))])


def _unit(tensor: Tensor) -> Tensor:
    return tensor / _length(tensor)


def _length(tensor: Tensor) -> Tensor:
    return tensor.square().sum().sqrt()
