"""What a graph of NIR computes, by the definitions of its nodes in NumPy: an implementation of its own, for tests."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Arithmetic:
    """A graph, evaluated for many inputs at once: arrays are (N, *shape of the node).

    Leaky integrators and delays are what they have been given; `step` lets time pass.
    """

    def __init__(self, graph: Any) -> None:
        self.nodes: dict[str, Any] = graph.nodes
        self.sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for source, target in graph.edges:
            self.sources[target].append(source)
        self.state: dict[str, np.ndarray] = {}
        self._past: dict[str, list[np.ndarray]] = {}

    def evaluate(self, inputs: Mapping[str, np.ndarray], steady: bool = False) -> dict[str, np.ndarray]:
        """What every node puts out now; `steady`: as if leaky integrators had settled."""
        found: dict[str, np.ndarray] = dict(inputs)

        def output(name: str) -> np.ndarray:
            if name not in found:
                node = self.nodes[name]
                if type(node).__name__ in ("LI", "Delay") and not steady:
                    found[name] = self.state[name]
                else:
                    found[name] = self._apply(node, arriving(name))
            return found[name]

        def arriving(name: str) -> np.ndarray:
            return sum((output(source) for source in self.sources[name][1:]), output(self.sources[name][0]))

        self.arriving: Callable[[str], np.ndarray] = arriving
        return {name: output(name) for name in self.nodes}

    def step(self, inputs: Mapping[str, np.ndarray], dt: float) -> dict[str, np.ndarray]:
        """What every node puts out now; then time passes: inputs of leaky integrators are held over the step."""
        like = next(iter(inputs.values()))
        for name, node in self.nodes.items():
            if type(node).__name__ in ("LI", "Delay"):
                self.state.setdefault(
                    name, np.zeros((len(like), *(node.tau if hasattr(node, "tau") else node.delay).shape))
                )
        found = self.evaluate(inputs)
        for name, node in self.nodes.items():
            if name not in self.state:
                continue
            arrived = self.arriving(name)
            if type(node).__name__ == "LI":
                goal = node.v_leak + node.r * arrived
                self.state[name] = goal + (self.state[name] - goal) * np.exp(-dt / node.tau)
            elif type(node).__name__ == "Delay":
                past = self._past.setdefault(name, [])
                past.append(arrived)
                steps = round(float(node.delay.flat[0]) / dt)
                if len(past) >= steps:
                    self.state[name] = past.pop(0)
        return found

    @staticmethod
    def _apply(node: Any, x: np.ndarray) -> np.ndarray:
        match type(node).__name__:
            case "Output" | "Delay":
                return x
            case "LI":
                return node.v_leak + node.r * x
            case "Scale":
                return node.scale * x
            case "Threshold":
                return (x > node.threshold).astype(float)
            case "Linear":
                return x @ node.weight.T
            case "Affine":
                return x @ node.weight.T + node.bias
            case "Flatten":
                assert (int(node.start_dim), int(node.end_dim)) == (0, -1)
                return x.reshape(len(x), -1)
            case "SumPool2d":
                return _windows(x, node.kernel_size, node.padding, node.stride).sum(axis=(-2, -1))
            case "Conv2d":
                seen = _windows(x, node.weight.shape[2:], node.padding, node.stride)
                parts = np.split(seen, int(node.groups), axis=1)
                filters = np.split(node.weight, int(node.groups))
                maps = [np.einsum("nchwij,ocij->nohw", *pair) for pair in zip(parts, filters, strict=True)]
                return np.concatenate(maps, axis=1) + node.bias[:, None, None]
        raise AssertionError(node)


def _windows(x: np.ndarray, size: Any, padding: Any, stride: Any) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), *((int(p), int(p)) for p in padding)))
    size = (int(size[0]), int(size[1]))
    seen = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))  # pyright: ignore
    return seen[:, :, :: int(stride[0]), :: int(stride[1])]
