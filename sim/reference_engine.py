"""The reference algorithm behind the call that all engines answer: float64, on the CPU, slow, and the one to trust."""

import numpy as np

from network import reference
from network.errors import BadInput
from network.normalisation import AVERAGING, batch_statistics
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.engine import Settings, describe, dropout_masks, saturated_shares
from sim.updates import Updater


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
        self._updater = Updater(settings.update, settings.eta, tau=self._weights.tau)

    def stage(self, array: np.ndarray) -> np.ndarray:
        return array

    def present(self, images: np.ndarray, labels: np.ndarray) -> StepTrace:
        trace = self._present(_pixels(images), labels)
        trace.meta = describe("reference", self.spec, self.settings, {})
        return trace

    def learn(self, images: np.ndarray, labels: np.ndarray, step: int) -> int:
        pixels = _pixels(images)
        kept = dropout_masks(self.spec, self.settings, step, len(images))
        trace = self._present(pixels, labels, kept)
        for letter, increments in trace.increments().items():
            if letter == "R" and self.settings.rule.feedback_rate == 0:
                continue  # fixed: nothing decays either
            for i, increment in increments.items():
                if not self.settings.update.changes(self.spec.weighted[i - 1].is_output):
                    continue
                weight = getattr(self._weights, letter)[i]
                weight += self._updater.change(f"{letter}/{i}", increment, weight, step, len(images))
        if self.settings.rule.signs:
            self._weights.follow_signs(self.spec, self.settings.rule.signs, self.settings.seed, step + 1)
        return int(np.count_nonzero(trace.h[len(trace.h)].argmax(1) != labels))

    def outputs(self, images: np.ndarray) -> np.ndarray:
        h, _ = reference.forward(self.spec, self._weights, _pixels(images), classify=True)
        return h[len(h)]

    def saturation(self, images: np.ndarray) -> dict[str, float]:
        h, _ = reference.forward(self.spec, self._weights, _pixels(images))
        drives = {
            node.index: reference.drive_of_units(node, self._weights, h[node.index]) for node in self.spec.weighted
        }
        return saturated_shares(self.spec, drives)

    def take_statistics(self, images: np.ndarray, *, first: bool) -> None:
        h, _ = reference.forward(self.spec, self._weights, _pixels(images))
        for node in self.spec.weighted:
            if node.synaptic.norm:
                kept = self._weights.mean[node.index], self._weights.deviation[node.index]
                for average, new in zip(kept, batch_statistics(h[node.index]), strict=True):
                    average += (1.0 if first else AVERAGING) * (new - average)

    def weights(self) -> Weights:
        return self._weights.copy()

    def _present(self, images: np.ndarray, labels: np.ndarray, kept: dict[str, np.ndarray] | None = None) -> StepTrace:
        s = self.settings
        return reference.present(
            self.spec, self._weights, images, labels, s.rule, eta=s.eta, mu=s.mu, order=s.order, kept=kept
        )


def _pixels(images: np.ndarray) -> np.ndarray:
    return images / 255 if images.dtype == np.uint8 else images.astype(np.float64)
