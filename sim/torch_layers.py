"""Layers for networks of your own in PyTorch, whose feedback follows a rule: drop-ins for those of `torch.nn`.

    from sim.torch_layers import Conv2d, HingeLoss, Linear, Saturate

    model = nn.Sequential(Conv2d(3, 32, 5, padding=2, feedback="urfb"), Saturate(), nn.Flatten(), Linear(32768, 10))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

Forward they are PyTorch's layers, with the same arguments, parameters and names. Backward, what they send to the layer
below goes through R; increments of `weight` and `bias` are exact, given what comes from above. Under ``urfb``, R is a
parameter whose gradient is the very gradient of `weight`, so that any optimiser moves both alike, momentum included.
Weight decay acts on both, each by its own size, as Kolen and Pollack have it; without it W - R stays what it was, up to
rounding. Under SGD a feedback rate below 1 moves R by so much less; an optimiser that normalises gradients undoes it.
Clipping by the norm of all gradients counts those of R too.

All run ``before_update``: feedback passes through R as it was when the loss was computed. In bfloat16 under autocast,
gradients of both are rounded alike. Networks of these and `Saturate` compute what the `torch` engine computes.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from network.errors import BadInput
from network.layers import Conv, Full, Local, Shape, Weighted
from network.reference import MARGIN
from network.rules import Rule
from sim import torch_windows
from sim.torch_pathways import ConvPathways, LinearPathways, LocalPathways, in_autocast
from sim.torch_rules import TwoPathways


class Linear(TwoPathways, nn.Linear):
    """`torch.nn.Linear` with feedback by a rule.

    Parameters
    ----------
    in_features, out_features, bias, device, dtype
        Of `torch.nn.Linear`; inputs are (..., in_features).
    feedback : str or Rule
        As `sim.torch_rules.rule_of` takes it.

    Raises
    ------
    BadInput
        For a rule that there is not, or that no module can follow.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None, *,
        feedback: str | Rule = "urfb",
    ) -> None:  # fmt: skip
        super().__init__(in_features, out_features, bias, device, dtype)
        self.set_feedback(feedback)

    @property
    def in_notation(self) -> tuple[Weighted, Shape, Shape]:
        return Full(self.out_features), (self.in_features,), (self.out_features,)

    def forward(self, input: Tensor) -> Tensor:
        if self.rule.symmetric:
            return super().forward(input)
        x, W, b, R = in_autocast(input, self.weight, self.bias, self.R)
        return LinearPathways.apply(x, W, b, R, self.rule.feedback_rate, *self._to_follow())


class Conv2d(TwoPathways, nn.Conv2d):
    """`torch.nn.Conv2d` with feedback by a rule: any stride, padding, dilation and groups.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        Of `torch.nn.Conv2d`.
    feedback : str or Rule
        As `sim.torch_rules.rule_of` takes it.

    Raises
    ------
    BadInput
        For a rule that there is not, or that no module can follow.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: Any = "zeros", device: Any = None,
        dtype: Any = None, *, feedback: str | Rule = "urfb",
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )
        self.set_feedback(feedback)

    @property
    def in_notation(self) -> tuple[Weighted, Shape, Shape]:
        inputs, outputs = self.in_channels // self.groups, self.out_channels // self.groups
        return Conv(outputs, _pair(self.kernel_size)), (inputs,), (outputs,)

    def forward(self, input: Tensor) -> Tensor:
        if self.rule.symmetric:
            return super().forward(input)
        padded, padding = self._padded(input if input.ndim == 4 else input[None])
        x, W, b, R = in_autocast(padded, self.weight, self.bias, self.R)
        windows = self.stride, padding, self.dilation, self.groups
        h = ConvPathways.apply(x, W, b, R, self.rule.feedback_rate, *self._to_follow(), *windows)
        return h if input.ndim == 4 else h[0]

    def _padded(self, x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """The maps with what the convolution cannot pad by itself, and what it can."""
        if isinstance(self.padding, str):
            windows = zip(self.dilation, self.kernel_size, strict=True)
            zeros = [dilation * (k - 1) if self.padding == "same" else 0 for dilation, k in windows]
            sides = [(total // 2, total - total // 2) for total in zeros]
        else:
            sides = [(each, each) for each in self.padding]
        if self.padding_mode == "zeros" and all(before == after for before, after in sides):
            return x, tuple(before for before, _ in sides)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, (*sides[1], *sides[0]), mode=mode), (0, 0)


class LocallyConnected2d(TwoPathways):
    """A convolution with untied weights (section 4.1), with feedback by a rule.

    Parameters
    ----------
    in_channels, out_channels : int
    input_size : int or (int, int)
        Height and width of the maps that it reads: each place has weights of its own.
    kernel_size : int or (int, int)
    stride : int
    padding : int or (int, int) or "same"
        Zeros on every side of rows and columns; "same" as `network.layers.Conv.pads`.
    bias : bool
        An offset for each unit.
    device, dtype
        Of the parameters.
    feedback : str or Rule
        As `sim.torch_rules.rule_of` takes it.

    Attributes
    ----------
    weight : torch.nn.Parameter (out, rows, columns, in, kh, kw)
        Glorot uniform at the start, as W of `Local` everywhere here.
    bias : torch.nn.Parameter (out, rows, columns) or None
        0 at the start.

    Raises
    ------
    BadInput
        For a window larger than the maps; a rule that there is not, or that no module can follow.
    """

    def __init__(
        self, in_channels: int, out_channels: int, input_size: Any, kernel_size: Any, stride: int = 1,
        padding: Any = 0, bias: bool = True, device: Any = None, dtype: Any = None, *, feedback: str | Rule = "urfb",
    ) -> None:  # fmt: skip
        super().__init__()
        kernel, size = _pair(kernel_size), _pair(input_size)
        self.in_channels, self.out_channels, self.input_size = in_channels, out_channels, size
        self.pads = Local(out_channels, kernel).pads if padding == "same" else tuple((p, p) for p in _pair(padding))
        # The maps are padded before, so that any padding will do.
        self._layer = Local(out_channels, kernel, stride=stride, padding="valid")
        padded = tuple(n + before + after for n, (before, after) in zip(size, self.pads, strict=True))
        shape = self._layer.shape((in_channels, *padded))
        like = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty((*shape, in_channels, *kernel), **like))
        self.bias = nn.Parameter(torch.zeros(shape, **like)) if bias else None
        self.reset_parameters()
        self.set_feedback(feedback)

    @property
    def in_notation(self) -> tuple[Weighted, Shape, Shape]:
        return self._layer, (self.in_channels, *self.input_size), tuple(self.weight.shape[:3])

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Weights Glorot uniform, offsets 0, and R."""
        self.weight.uniform_(-self.glorot_bound, self.glorot_bound)
        if self.bias is not None:
            self.bias.zero_()
        if "rule" in self.__dict__:
            self.draw_feedback()

    def extra_repr(self) -> str:
        size = "x".join(map(str, self.input_size))
        layer, source = self._layer, f"{self.in_channels} maps of {size}"
        return f"{source}, {layer}, pads={self.pads}, bias={self.bias is not None}, feedback={self.rule.name}"

    def forward(self, input: Tensor) -> Tensor:
        if tuple(input.shape[1:]) != (self.in_channels, *self.input_size):
            wanted = "x".join(map(str, (self.in_channels, *self.input_size)))
            raise BadInput(f"LocallyConnected2d: maps are {list(input.shape)}; expected N x {wanted}")
        rows, columns = self.pads
        x, W, b, R = in_autocast(F.pad(input, (*columns, *rows)), self.weight, self.bias, self.R)
        assert x is not None and W is not None
        if self.rule.symmetric:
            h = torch_windows.input_of_units(self._layer, W, x)
            return h if b is None else h + b
        return LocalPathways.apply(x, W, b, R, self.rule.feedback_rate, *self._to_follow(), self._layer)


class Saturate(nn.Module):
    """x = clip(g h, -1, 1); feedback passes where |g h| < 1, and not at exactly 1 (equation 3).

    Parameters
    ----------
    gain : float
        g.
    """

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        if not gain > 0:
            raise BadInput(f"gain {gain:g}: expected a slope above 0")
        self.gain = gain

    def forward(self, h: Tensor) -> Tensor:
        return F.hardtanh(h if self.gain == 1 else self.gain * h)

    def extra_repr(self) -> str:
        return f"gain={self.gain:g}"


class HingeLoss(nn.Module):
    """The loss (4) of which equation (6) is -dL/dh: the mean over images of [S - h_c]+ + mu sum_{i != c} [S + h_i]+.

    Parameters
    ----------
    mu : float, optional
        1 / (classes - 1) where not given.
    """

    def __init__(self, mu: float | None = None) -> None:
        super().__init__()
        self.mu = mu

    def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """outputs (N, classes), labels (N,) of int; a single number."""
        classes = outputs.shape[1]
        mu = 1 / (classes - 1) if self.mu is None else self.mu
        outputs = outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
        right = labels[:, None] == torch.arange(classes, device=outputs.device)
        to_raise, to_lower = (MARGIN - outputs).clamp_min(0), mu * (MARGIN + outputs).clamp_min(0)
        return torch.where(right, to_raise, to_lower).sum() / len(outputs)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
