"""One layer forward through W and back through R, as functions that autograd, torch.func and torch.compile see through.

Forward they are PyTorch's own operations. Backward, for a gradient g of what the layer puts out (g is -delta / N where
the loss is a mean over N images):

    to the input    R' g            equation (2), before sigma' of the units below
    to W            sum g x'        the Hebbian increment, exact
    to R            epsilon times that of W (equation 7), where R learns
    to the offset   sum g           exact: an offset has no feedback weights

R is handed over, or made from the signs of W when the feedback comes: then no second copy of W is kept until it does.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from network.layers import Local
from sim import torch_ops, torch_windows

Pair = tuple[int, int]
Gradients = tuple[Tensor | None, ...]


class _Pathways(torch.autograd.Function):
    """What the three have in common.

    All take, after x, W and the offset b or None: R or None, epsilon, and for an R that follows signs the weights whose
    signs they are and the factors of these, both without gradient.
    """

    generate_vmap_rule = True

    @staticmethod
    def keep(ctx: Any, inputs: tuple[Any, ...]) -> None:
        """Keep x, and what R is or is made of."""
        x, _, _, R, ctx.epsilon, signs_of, factors = inputs[:7]
        ctx.follows_signs = R is None
        ctx.save_for_backward(x, *((signs_of, factors) if R is None else (R,)))

    @staticmethod
    def kept(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        """x and R, in the precision of g."""
        x, *of_R = ctx.saved_tensors
        R = torch_ops.with_signs_of(*of_R) if ctx.follows_signs else of_R[0]
        return x, R.to(g.dtype)

    @staticmethod
    def wanted(ctx: Any) -> tuple[bool, bool, bool]:
        """Which gradients are asked for: to x, to W or R, to b."""
        to_x, to_W, to_b, to_R = ctx.needs_input_grad[:4]
        return to_x, to_W or (to_R and ctx.epsilon > 0), to_b

    @staticmethod
    def handed_out(ctx: Any, to_x: Tensor | None, to_W: Tensor | None, to_b: Tensor | None) -> Gradients:
        """Gradients in the order of the inputs: R gets W's."""
        to_R = None
        if ctx.needs_input_grad[3] and ctx.epsilon > 0 and to_W is not None:
            to_R = to_W if ctx.epsilon == 1 else ctx.epsilon * to_W
        return to_x, to_W if ctx.needs_input_grad[1] else None, to_b, to_R, None, None, None


class LinearPathways(_Pathways):
    """h = W x + b for x (..., in), W (out, in)."""

    @staticmethod
    def forward(
        x: Tensor, W: Tensor, b: Tensor | None, R: Tensor | None, epsilon: float, signs_of: Tensor | None,
        factors: Tensor | None,
    ) -> Tensor:  # fmt: skip
        return F.linear(x, W, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Pathways.keep(ctx, inputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        (g,) = grad_outputs
        to_x, to_W, to_b = _Pathways.wanted(ctx)
        x, R = _Pathways.kept(ctx, g)
        rows = g.reshape(-1, g.shape[-1])
        return _Pathways.handed_out(
            ctx,
            g @ R if to_x else None,
            rows.T @ x.reshape(-1, x.shape[-1]) if to_W else None,
            rows.sum(0) if to_b else None,
        )


class ConvPathways(_Pathways):
    """h = W * x + b for x (N, C, H, W), W (out, C / groups, kh, kw)."""

    @staticmethod
    def forward(
        x: Tensor, W: Tensor, b: Tensor | None, R: Tensor | None, epsilon: float, signs_of: Tensor | None,
        factors: Tensor | None, stride: Pair, padding: Pair, dilation: Pair, groups: int,
    ) -> Tensor:  # fmt: skip
        return F.conv2d(x, W, b, stride, padding, dilation, groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Pathways.keep(ctx, inputs)
        ctx.windows = inputs[7:]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        (g,) = grad_outputs
        x, R = _Pathways.kept(ctx, g)
        stride, padding, dilation, groups = ctx.windows
        # One call makes all three gradients. Only that to x depends on the weights that it is given.
        found = torch.ops.aten.convolution_backward(
            g, x, R, [g.shape[1]], stride, padding, dilation, False, [0, 0], groups, _Pathways.wanted(ctx)
        )
        return *_Pathways.handed_out(ctx, *found), None, None, None, None


class LocalPathways(_Pathways):
    """h = W x + b for x (N, C, H, W) with its padding, W (out, rows, columns, C, kh, kw), b (out, rows, columns)."""

    @staticmethod
    def forward(
        x: Tensor, W: Tensor, b: Tensor | None, R: Tensor | None, epsilon: float, signs_of: Tensor | None,
        factors: Tensor | None, layer: Local,
    ) -> Tensor:  # fmt: skip
        h = torch_windows.input_of_units(layer, W, x)
        return h if b is None else h + b

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Pathways.keep(ctx, inputs)
        ctx.layer = inputs[7]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        (g,) = grad_outputs
        to_x, to_W, to_b = _Pathways.wanted(ctx)
        x, R = _Pathways.kept(ctx, g)
        found = _Pathways.handed_out(
            ctx,
            torch_windows.feedback_to_source(ctx.layer, R, g, tuple(x.shape[1:])) if to_x else None,
            torch_windows.hebbian(ctx.layer, g, x, tuple(R.shape)) if to_W else None,
            g.sum(0) if to_b else None,
        )
        return *found, None


def in_autocast(x: Tensor, *others: Tensor | None) -> tuple[Tensor | None, ...]:
    """What a layer computes with, as autocast wants it: its precision for all but float64, gradients cast back.

    Autocast itself casts what PyTorch's operations are given, and so would keep x in float32 for a feedback that comes
    in bfloat16.
    """
    kind = x.device.type
    if not torch.is_autocast_enabled(kind):
        return x, *others
    dtype = torch.get_autocast_dtype(kind)
    return tuple(
        each.to(dtype) if each is not None and each.is_floating_point() and each.dtype != torch.float64 else each
        for each in (x, *others)
    )
