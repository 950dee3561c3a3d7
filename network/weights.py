"""The weights of a network: W forward, R back, and which connections exist."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, prod

import numpy as np

from network.errors import BadInput
from network.feedback import (
    draw_feedback,
    glorot_uniform,
    scale_of,
    sign_factors,
    synapses_of_R,
    with_signs_of,
)
from network.layers import Shape, shape_text
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
        Where feedback comes straight from the output, R[i] is (classes, units of layer i) and leads to layer i, 1 too
        (`network.feedback.synapses_of_R`).
    mask_W, mask_R : dict of int to numpy.ndarray of bool
        The connections that exist, for layers where not all do. A weight without a connection is 0 and stays 0.
    gamma, beta : dict of int to numpy.ndarray
        Of layers whose batch normalisation learns: slope and offset, one a feature map or full unit.
    mean, deviation : dict of int to numpy.ndarray
        Of normalised layers: what stands for the statistics of a batch when images are classified; as gamma.
    tau : dict of str to numpy.ndarray
        What momentum remembers of earlier updates, by array, ``"W/1"``: tau of `sim.updates.Update`.
    """

    W: Arrays
    R: Arrays = field(default_factory=dict)
    mask_W: Arrays = field(default_factory=dict)
    mask_R: Arrays = field(default_factory=dict)
    gamma: Arrays = field(default_factory=dict)
    beta: Arrays = field(default_factory=dict)
    mean: Arrays = field(default_factory=dict)
    deviation: Arrays = field(default_factory=dict)
    tau: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def draw(
        cls,
        spec: NetworkSpec,
        seed: int,
        rule: Rule | None = None,
        *,
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
            back = synapses_of_R(spec, node, rule)
            if back:
                pathways.append((draw_feedback(back, rule, seed), weights.R, weights.mask_R))
            for which, (drawn, values, masks) in enumerate(pathways):
                values[i] = drawn.astype(dtype)
                if connectivity < 1 and not node.is_output:
                    masks[i] = stream(seed, "masks", i, which).random(drawn.shape) < connectivity
                    values[i] *= masks[i]
        if rule and rule.signs:
            weights.follow_signs(spec, rule.signs, seed, update=0)
        weights.fill(spec, dtype)
        return weights

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "Weights":
        """Weights from arrays by name, as `arrays` gives them; ValueError or KeyError for any other name."""
        weights = cls({})
        groups = vars(weights)
        for name, value in arrays.items():
            group, _, key = name.partition("/")
            of = key.partition("/")[2] if group == "tau" else key
            groups[group][key if group == "tau" else int(of)] = value
            if int(of) < 1:
                raise ValueError(f"'{name}': layers count from 1")
        return weights

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name: ``W/1``, ``mask_R/2``, ``tau/W/1``."""
        return {f"{group}/{key}": value for group, values in vars(self).items() for key, value in values.items()}

    def fill(self, spec: NetworkSpec, dtype: str = "float64") -> None:
        """Give normalised layers what they lack: slope 1, offset 0, and statistics that change nothing."""
        for node in spec.weighted:
            layer, i = node.synaptic, node.index
            starts = [(self.mean, 0.0), (self.deviation, 1.0)] if layer.norm else []
            starts += [(self.gamma, 1.0), (self.beta, 0.0)] if layer.norm == "affine" else []
            for group, value in starts:
                group.setdefault(i, np.full(node.shape[0], value, dtype))

    def follow_signs(self, spec: NetworkSpec, signs: Signs, seed: int, update: int) -> None:
        """Make R anew from the signs of W, as it is after so many updates; 0 where W or R has no connection.

        R of a frozen layer is made once, before the first update.
        """
        for node in spec.weighted[spec.frozen if update else 0 :]:
            i = node.index
            self.R[i] = with_signs_of(self.W[i], sign_factors(node, signs, seed, update))
            for masks in (self.mask_W, self.mask_R):
                if i in masks:
                    self.R[i] *= masks[i]

    def check(self, spec: NetworkSpec, rule: Rule | None = None) -> None:
        """Refuse weights that do not fit `spec`, naming the array, what it is and what it should be.

        Parameters
        ----------
        spec : NetworkSpec
        rule : Rule, optional
            Which R there has to be, and in which layout; one for every layer, in W's, where not given.

        Raises
        ------
        BadInput
            For a missing array, a wrong shape, a value that is not finite, or a weight where no connection is.
        """
        back = {node.index: synapses_of_R(spec, node, rule) for node in spec.weighted}
        for node in spec.weighted:
            to_input = node.index == 1 and back[1] is node
            needed = {"W": self.W} if back[node.index] is None or to_input else {"W": self.W, "R": self.R}
            for letter, values in needed.items():
                if node.index not in values:
                    raise BadInput(f"{letter}/{node.index} is missing: the weights of {node.name} '{node.layer}'")
        places = {node.index: node for node in spec.weighted}
        for group, values in vars(self).items():
            for key, value in values.items():
                name = f"{group}/{key}"
                letter, index = (key.split("/")[0], int(key.split("/")[1])) if group == "tau" else (group, key)
                if index not in places:
                    raise BadInput(f"{name}: the network has {len(places)} layers with weights")
                node = places[index]
                of_features = letter in ("gamma", "beta", "mean", "deviation")
                if of_features and not (node.synaptic.norm if letter in ("mean", "deviation") else node.is_affine):
                    raise BadInput(f"{name}: {node.name} '{node.layer}' has no such numbers")
                if rule and not rule.symmetric and letter in ("R", "mask_R"):
                    beside = back[index]
                    if beside is None:
                        raise BadInput(f"{name}: by rule '{rule.name}' nothing feeds back to {node.name}, the output")
                    _check_array(name, value, node, beside.weight_shape)
                else:
                    _check_array(name, value, node, node.shape[:1] if of_features else node.weight_shape)
        for node in spec.weighted:
            needed = ("mean", "deviation") if node.synaptic.norm else ()
            needed += ("gamma", "beta") if node.is_affine else ()
            for letter in needed:
                if node.index not in getattr(self, letter):
                    raise BadInput(f"{letter}/{node.index} is missing: the normalisation of {node.name} '{node.layer}'")
        for letter, values, masks in (("W", self.W, self.mask_W), ("R", self.R, self.mask_R)):
            for index, mask in masks.items():
                if index in values and np.any(values[index][~mask.astype(bool)]):
                    raise BadInput(f"{letter}/{index} is not 0 everywhere that mask_{letter}/{index} has no connection")

    def astype(self, dtype: str) -> "Weights":
        """The same weights, rounded to `dtype`."""
        cast = {
            name: value if name.startswith("mask_") else value.astype(dtype) for name, value in self.arrays().items()
        }
        return Weights.of(cast)

    def copy(self) -> "Weights":
        """Weights that share no memory with these."""
        return Weights.of({name: value.copy() for name, value in self.arrays().items()})


def check_follows_signs(spec: NetworkSpec, weights: Weights, rule: Rule) -> None:
    """Refuse an R that `rule` would never make of this W; `BadInput` names the first entry.

    Entries of 0 pass, there may be no connection; and a rule that flips signs by chance can make any.
    """
    signs = rule.signs
    if signs is None or signs.flip_probability:
        return
    for node in spec.weighted:
        if node.index not in weights.R:
            continue
        W, R, scale = weights.W[node.index], weights.R[node.index], scale_of(node, signs)
        made = with_signs_of(W, np.asarray(scale))
        wrong = (R != 0) & ((R < 0) != (made < 0))
        if signs.magnitudes == "one":
            wrong |= (R != 0) & ~np.isclose(R, made, rtol=1e-5, atol=0)
        if wrong.any():
            where = tuple(int(k) for k in np.argwhere(wrong)[0])
            size = "" if signs.magnitudes == "one" else "at most "
            raise BadInput(
                f"R/{node.index} is {R[where]:.4g} at {list(where)}, where rule '{rule.name}' makes "
                f"{size}{made[where]:.4g} of W/{node.index}; leave every R out, and they are made"
            )


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


def _check_array(name: str, value: np.ndarray, node: Node, shape: Shape) -> None:
    if value.shape != shape:
        raise BadInput(
            f"{name} has shape {shape_text(value.shape) or 'of a single number'}; "
            f"{node.name} '{node.layer}' needs {shape_text(shape)}"
        )
    if value.dtype.kind not in "fb":
        raise BadInput(f"{name} has dtype {value.dtype}; expected floating point numbers")
    if not np.isfinite(value).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(value))[0])
        raise BadInput(f"{name} is {value[where]} at {list(where)}; every weight must be a finite number")
