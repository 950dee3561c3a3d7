"""What the units of a layer do with their input and their feedback, on torch tensors: sigma and sigma'.

Output units are linear: x = h, and they are never shut off.
"""

import torch
from torch import Tensor

from network.spec import Node
from sim import torch_ops


def activity(node: Node, h: Tensor, gain: float, *, in_place: bool = False) -> Tensor:
    """x = sigma(h): clip(g h, -1, 1), or max(g h, 0) of rectified units; `in_place` of h where that is not needed."""
    if node.is_output:
        return h
    drive = _times(gain, h, in_place)
    if node.synaptic.activation == "relu":
        return drive.relu_() if in_place else drive.relu()
    return drive.clamp_(-1, 1) if in_place else drive.clamp(-1, 1)


def through_units(node: Node, feedback: Tensor, x: Tensor, gain: float, *, in_place: bool = False) -> Tensor:
    """Feedback times sigma'(h), for the activity x = sigma(h): nothing passes a unit that is shut off (equation 3)."""
    if node.is_output:
        return feedback
    if node.synaptic.activation == "relu":
        return _times(gain, torch.ops.aten.threshold_backward(feedback, x, 0))
    return _times(gain, torch_ops.shut_off(feedback, x, in_place=in_place), in_place)


def shut_off(node: Node, x: Tensor) -> Tensor:
    """Which units of activity x let no feedback pass: the saturated, or the rectified without input."""
    if node.is_output:
        return torch.zeros_like(x, dtype=torch.bool)
    return x <= 0 if node.synaptic.activation == "relu" else x.abs() >= 1


def _times(gain: float, value: Tensor, in_place: bool = False) -> Tensor:
    if gain == 1:
        return value
    return value.mul_(gain) if in_place else gain * value
