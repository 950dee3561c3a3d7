"""The reference algorithm behind the call that all engines answer: float64, on the CPU, slow, and the one to trust."""

import numpy as np

from network import reference
from network.errors import BadInput
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.engine import Settings, describe, dropout_masks, saturated_shares


class ReferenceEngine:
    """Runs a `NetworkSpec` by `network.reference`. See `sim.engine.Engine` for the methods."""

    def __init__(self, spec: NetworkSpec, weights: Weights, settings: Settings) -> None:
        if settings.dtype != "float64":
            raise BadInput(f"engine 'reference' computes in float64, not {settings.dtype}; --dtype float64")
        if settings.device not in ("auto", "cpu"):
            raise BadInput(f"engine 'reference' runs on the CPU, not on '{settings.device}'; --device cpu")
        self.spec = spec
        self.settings = settings
        self.device = "cpu"
        self._weights = weights.astype("float64").copy()
        if settings.rule.symmetric:
            self._weights.R, self._weights.mask_R = {}, {}

    def stage(self, array: np.ndarray) -> np.ndarray:
        return array

    def present(self, images: np.ndarray, labels: np.ndarray) -> StepTrace:
        trace = self._present(_pixels(images), labels)
        trace.meta = describe("reference", self.spec, self.settings, {})
        return trace

    def learn(self, images: np.ndarray, labels: np.ndarray, step: int) -> int:
        pixels = _pixels(images)
        kept = dropout_masks(self.spec, self.settings.seed, step, len(images))
        trace = self._present(pixels, labels, kept)
        for i, dW in trace.dW.items():
            self._weights.W[i] += dW
        for i, dR in trace.dR.items():
            self._weights.R[i] += dR
        if self.settings.rule.signs:
            self._weights.follow_signs(self.spec, self.settings.rule.signs, self.settings.seed, step + 1)
        return int(np.count_nonzero(trace.h[len(trace.h)].argmax(1) != labels))

    def outputs(self, images: np.ndarray) -> np.ndarray:
        h, _ = reference.forward(self.spec, self._weights, _pixels(images))
        return h[len(h)]

    def saturation(self, images: np.ndarray) -> dict[str, float]:
        h, _ = reference.forward(self.spec, self._weights, _pixels(images))
        return saturated_shares(self.spec, h)

    def weights(self) -> Weights:
        return self._weights.copy()

    def _present(self, images: np.ndarray, labels: np.ndarray, kept: dict[str, np.ndarray] | None = None) -> StepTrace:
        s = self.settings
        return reference.present(
            self.spec, self._weights, images, labels, s.rule, eta=s.eta, mu=s.mu, order=s.order, kept=kept
        )


def _pixels(images: np.ndarray) -> np.ndarray:
    return images / 255 if images.dtype == np.uint8 else images.astype(np.float64)
