"""Feedback weights that follow the signs of W, on torch tensors."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from network.feedback import sign_factors
from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Settings
from sim.torch_ops import with_signs_of


class FromSigns:
    """Makes R = c M o sign(W) o S_p anew after each update: `Weights.follow_signs`, layer by layer, on the device.

    Parameters
    ----------
    spec, settings
        `settings.rule.signs` says how.
    weights : Weights
        Whose masks hold: R is 0 where W or R has no connection.
    own : callable
        Brings an array to the engine's device and dtype.
    """

    def __init__(
        self, spec: NetworkSpec, weights: Weights, settings: Settings, own: Callable[[np.ndarray], Tensor]
    ) -> None:
        assert settings.rule.signs is not None
        self._spec = spec
        self._signs = settings.rule.signs
        self._seed = settings.seed
        self._own = own
        self._masks = (weights.mask_W, weights.mask_R)
        self._drawn_once: dict[int, Tensor] = {}

    def feedback(self, i: int, W: Tensor, update: int) -> Tensor:
        """R of layer `i` for `W` as it is after so many updates."""
        return with_signs_of(W, self._factors(i, update))

    def _factors(self, i: int, update: int) -> Tensor:
        if i in self._drawn_once:
            return self._drawn_once[i]
        factors = sign_factors(self._spec.weighted[i - 1], self._signs, self._seed, update)
        for masks in self._masks:
            factors = factors * masks[i] if i in masks else factors
        staged = self._own(factors)
        if self._signs.magnitudes != "batch":
            self._drawn_once[i] = staged
        return staged
