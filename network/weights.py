"""The weights of a network: W forward, R back, and which connections exist."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, prod

import numpy as np

from network.errors import BadInput
from network.feedback import draw_feedback, glorot_uniform, sign_factors, with_signs_of
from network.layers import shape_text
from network.randomness import stream
from network.rules import Rule, Signs
from network.spec import NetworkSpec, Node

Arrays = dict[int, np.ndarray]


@dataclass
class Weights:
    """Weights by layer, keyed by i = 1, 2, ... counting only the layers with weights, from the input.

    Attributes
    ----------
    W : dict of int to numpy.ndarray
        Conv (out, in, kh, kw), Local (out, H, W, in, kh, kw), Full (out, in).
    R : dict of int to numpy.ndarray
        Feedback weights in W's layout, so that R == W is back-propagation. Empty for rules that feed back through W.
        R[1] feeds nothing back, the input takes no feedback; it is kept, where present, for the alignment figures.
    mask_W, mask_R : dict of int to numpy.ndarray of bool
        The connections that exist, for layers where not all do. A weight without a connection is 0 and stays 0.
    """

    W: Arrays
    R: Arrays = field(default_factory=dict)
    mask_W: Arrays = field(default_factory=dict)
    mask_R: Arrays = field(default_factory=dict)

    @classmethod
    def draw(
        cls,
        spec: NetworkSpec,
        seed: int,
        rule: Rule | None = None,
        *,
        symmetric: bool = False,
        connectivity: float = 1.0,
        dtype: str = "float64",
    ) -> "Weights":
        """Draw initial weights: W Glorot uniform (section 4), R as the rule makes it.

        Parameters
        ----------
        spec : NetworkSpec
        seed : int
        rule : Rule, optional
            How R is made: independently of W, or from its signs; for a symmetric rule there is none. Where not given, R
            is as W but independent of it.
        symmetric : bool
            As a rule that is symmetric: no R is drawn.
        connectivity : float
            The share of connections that exist, drawn independently for W and for R; 1/2 in the paper's "50 %". The
            output layer keeps all of its own.
        dtype : {"float64", "float32"}
            Drawn in float64 and rounded.

        Raises
        ------
        BadInput
            For a connectivity outside (0, 1].
        """
        if not 0 < connectivity <= 1:
            raise BadInput(f"connectivity {connectivity:g}: expected a share of connections, 0 < share <= 1")
        _check_memory(spec)
        weights = cls({})
        for node in spec.weighted:
            i = node.index
            pathways = [(glorot_uniform(node, stream(seed, "weights", i)), weights.W, weights.mask_W)]
            if not symmetric and not (rule and rule.symmetric):
                pathways.append((draw_feedback(node, rule, seed), weights.R, weights.mask_R))
            for which, (drawn, values, masks) in enumerate(pathways):
                values[i] = drawn.astype(dtype)
                if connectivity < 1 and not node.is_output:
                    masks[i] = stream(seed, "masks", i, which).random(node.weight_shape) < connectivity
                    values[i] *= masks[i]
        if rule and rule.signs:
            weights.follow_signs(spec, rule.signs, seed, update=0)
        return weights

    def follow_signs(self, spec: NetworkSpec, signs: Signs, seed: int, update: int) -> None:
        """Make R anew from the signs of W, as it is after so many updates; 0 where W or R has no connection."""
        for node in spec.weighted:
            i = node.index
            self.R[i] = with_signs_of(self.W[i], sign_factors(node, signs, seed, update))
            for masks in (self.mask_W, self.mask_R):
                if i in masks:
                    self.R[i] *= masks[i]

    def check(self, spec: NetworkSpec, *, symmetric: bool = False) -> None:
        """Refuse weights that do not fit `spec`, naming the array, what it is and what it should be.

        Raises
        ------
        BadInput
            For a missing array, a wrong shape, a value that is not finite, or a weight where no connection is.
        """
        for node in spec.weighted:
            needed = {"W": self.W} if symmetric or node.index == 1 else {"W": self.W, "R": self.R}
            for letter, values in needed.items():
                if node.index not in values:
                    raise BadInput(f"{letter}/{node.index} is missing: the weights of {node.name} '{node.layer}'")
        places = {node.index: node for node in spec.weighted}
        groups = {"W": self.W, "R": self.R, "mask_W": self.mask_W, "mask_R": self.mask_R}
        for letter, values in groups.items():
            for index, value in values.items():
                if index not in places:
                    raise BadInput(f"{letter}/{index}: the network has {len(places)} layers with weights")
                _check_array(f"{letter}/{index}", value, places[index])
        for letter, values, masks in (("W", self.W, self.mask_W), ("R", self.R, self.mask_R)):
            for index, mask in masks.items():
                if index in values and np.any(values[index][~mask.astype(bool)]):
                    raise BadInput(f"{letter}/{index} is not 0 everywhere that mask_{letter}/{index} has no connection")

    def astype(self, dtype: str) -> "Weights":
        """The same weights, rounded to `dtype`."""
        return Weights(_cast(self.W, dtype), _cast(self.R, dtype), dict(self.mask_W), dict(self.mask_R))

    def copy(self) -> "Weights":
        """Weights that share no memory with these."""
        return Weights(*({i: a.copy() for i, a in group.items()} for group in vars(self).values()))


def _check_memory(spec: NetworkSpec) -> None:
    """Refuse a network whose W and R, drawn in float64, exceed the machine's memory."""
    needed = {node: 2 * 8 * prod(node.weight_shape) for node in spec.weighted}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else inf
    if sum(needed.values()) > memory:
        largest = max(needed, key=needed.__getitem__)
        raise BadInput(
            f"{largest.name} '{largest.layer}': its W and R take {needed[largest] / 2**30:,.1f} GiB, and the network "
            f"{sum(needed.values()) / 2**30:,.1f}; this machine has {memory / 2**30:,.1f}"
        )


def _cast(values: Mapping[int, np.ndarray], dtype: str) -> Arrays:
    return {index: value.astype(dtype) for index, value in values.items()}


def _check_array(name: str, value: np.ndarray, node: Node) -> None:
    if value.shape != node.weight_shape:
        raise BadInput(
            f"{name} has shape {shape_text(value.shape) or 'of a single number'}; "
            f"{node.name} '{node.layer}' needs {shape_text(node.weight_shape)}"
        )
    if value.dtype.kind not in "fb":
        raise BadInput(f"{name} has dtype {value.dtype}; expected floating point numbers")
    if not np.isfinite(value).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(value))[0])
        raise BadInput(f"{name} is {value[where]} at {list(where)}; every weight must be a finite number")
