"""Export the forward path of a network to the Neuromorphic Intermediate Representation (NIR).

NIR has no unit that saturates at both ends, and no maximum. It has thresholds: with `levels` N, σ becomes a staircase
of 2 N of them, and x differs from clip(g h, -1, 1) by at most 1/(2N). A maximum is then exact: of values that are whole
multiples of 1/N, the largest in a window is above k/N where any is. Nothing of the feedback goes into the graph; see
`sim.nir_motif` for the circuit that makes the output's error.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from network.errors import BadInput
from network.layers import Avgpool, Conv, Drop, Local, Maxpool, Pool, Sum
from network.rules import make_rule
from network.spec import INPUT, NetworkSpec, Node
from network.weights import Weights
from sim.nir_graph import Graph, Value, fit

MOST_LEVELS = 1024


class NotExpressible(BadInput):
    """A layer that NIR has no nodes for. The message names it, what NIR lacks, and what would work.

    Attributes
    ----------
    layer : str
        As the notation has it.
    """

    def __init__(self, node: Node, position: int, why: str) -> None:
        super().__init__(f"layer {position} '{node.layer}': {why}")
        self.layer = str(node.layer)


def export_network(spec: NetworkSpec, weights: Weights, levels: int | None = None, tau: float | None = None) -> Any:
    """The forward path, equation (1), as a graph; nothing is dropped, and normalised layers take what they keep.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Weights
        Their W, in whose precision all numbers of the graph are.
    levels : int, optional
        N: in how many steps from 0 to 1, and from 0 to -1, hidden units saturate. Without it only networks without
        hidden units can be expressed.
    tau : float, optional
        Seconds: units have a leaky membrane with this time constant; without it they follow their input at once.

    Returns
    -------
    nir.NIRGraph
        From node ``input``, (C, H, W), to ``output``, (classes,): x_L. A layer's h is the node of the layer's name
        (``conv1``; with `tau` its membrane is ``conv1.p``); what it puts out is the sum of ``conv1.up`` and
        ``conv1.down``.

    Raises
    ------
    NotExpressible
        Naming the first layer, from the input up, that NIR has no nodes for.
    BadInput
        For levels or tau out of range, and weights that do not fit.
    """
    import nir  # pyright: ignore[reportMissingImports]

    if levels is not None and not 1 <= levels <= MOST_LEVELS:
        raise BadInput(f"levels {levels}: expected 1 to {MOST_LEVELS}, steps of a unit's activity from 0 to 1")
    if tau is not None and not 0 < tau < float("inf"):
        raise BadInput(f"tau {tau:g} s: expected a positive time constant")
    weights = replace(weights, R={}, mask_R={}, tau={})
    weights.check(spec, make_rule("bph"))  # which asks for W alone
    return _Export(spec, weights, levels, tau, Graph(nir, weights.W[1].dtype)).run()


def write(graph: Any, path: str | Path) -> None:
    """Write a graph to a ``.nir`` file; it appears whole or not at all. `BadInput` where it cannot be written."""
    import nir  # pyright: ignore[reportMissingImports]

    path = Path(path)
    partial = path.with_name(f".{path.name}.tmp")
    try:
        nir.write(partial, graph)
        partial.replace(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror or error}); name a folder that exists") from None
    finally:
        partial.unlink(missing_ok=True)


class _Export:
    """Layer by layer, from the input up."""

    def __init__(
        self, spec: NetworkSpec, weights: Weights, levels: int | None, tau: float | None, graph: Graph
    ) -> None:
        self._spec, self._weights, self._levels, self._tau, self._graph = spec, weights, levels, tau, graph
        self._nir = graph.nir
        self._values: dict[str, Value] = {}
        # The largest |value| of a node, in units of 1/N, where all its values are whole multiples of that.
        self._most: dict[str, int] = {}

    def run(self) -> Any:
        spec, graph = self._spec, self._graph
        self._values[INPUT] = graph.add(INPUT, self._nir.Input({"input": np.array(spec.input_shape)}))
        for position, node in enumerate(spec.nodes, start=1):
            why = self._foreign(node)
            if why:
                raise NotExpressible(node, position, why)
            sources = [name for source in node.sources for name in self._values[source]]
            most = [self._most.get(source) for source in node.sources]
            match node.layer:
                case Sum():
                    self._values[node.name] = graph.scale(node.name, 1.0, node.shape, *sources)
                    if all(most):
                        self._most[node.name] = sum(one for one in most if one)
                case Drop():
                    self._values[node.name] = tuple(sources)
                case Avgpool() as pool:
                    factor = 1 / pool.size**2
                    summed = self._windows(node, node.name, sources)
                    self._values[node.name] = graph.scale(f"{node.name}.mean", factor, node.shape, *summed)
                case Maxpool():
                    self._values[node.name] = self._maximum(node, sources)
                case _:
                    self._values[node.name] = self._units(node, sources)
            if isinstance(node.layer, Drop | Maxpool) and most[0]:
                self._most[node.name] = most[0]
        top = spec.nodes[-1]
        graph.add("output", self._nir.Output({"output": np.array(top.shape)}), *self._values[top.name])
        approximate = "" if self._levels is None else f"saturation in {self._levels} steps a side"
        return graph.finish(net=spec.notation, gain=f"{spec.gain:g}", approximation=approximate or "none")

    def _foreign(self, node: Node) -> str:
        """What of a layer NIR cannot express; empty where it can all of it."""
        layer = node.layer
        if isinstance(layer, Local):
            return "NIR has no locally connected units, only convolutions, whose weights are tied"
        if isinstance(layer, Maxpool) and not self._most.get(node.sources[0]):
            return "NIR has no maximum; of units that saturate in steps it can be expressed, not of what comes in here"
        if not node.index or node.is_output:
            return ""
        if node.synaptic.activation != "clip":
            return "NIR has no rectified units"
        if self._levels is None:
            return (
                "NIR has no unit that saturates at both ends; with levels = 32 (--levels 32) thresholds make a "
                "staircase of it, and x is off by at most 1/64"
            )
        return ""

    def _units(self, node: Node, sources: list[str]) -> Value:
        """h = W x, normalised where the layer is, and what units put out."""
        graph, i, name = self._graph, node.index, node.name
        W, bias = self._weights.W[i], graph.full(node.shape[:1], 0.0)
        if node.synaptic.norm:
            factor = 1 / self._weights.deviation[i]
            if node.is_affine:
                factor, bias = factor * self._weights.gamma[i], bias + self._weights.beta[i]
            W, bias = W * factor.reshape(-1, *[1] * (W.ndim - 1)), bias - factor * self._weights.mean[i]
        if isinstance(node.layer, Conv):
            h = self._convolution(node, name, W, bias, sources)
        else:
            shape = node.source_shapes[0]
            if len(shape) == 3:
                flat = self._nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)
                sources = list(graph.add(f"{name}.flat", flat, *sources))
            node_h = self._nir.Affine(weight=W, bias=bias) if bias.any() else self._nir.Linear(weight=W)
            h = graph.add(name, node_h, *sources)
        if self._tau is not None:
            h = graph.leak(f"{name}.p", self._tau, node.shape, *h)
        return h if node.is_output else self._staircase(node, h)

    def _convolution(self, node: Node, name: str, W: np.ndarray, bias: np.ndarray, sources: list[str]) -> Value:
        layer = node.layer
        assert isinstance(layer, Conv)
        (top, _), (left, _) = layer.pads
        size, padding, place = fit(node.source_shapes[0][1:], node.shape[1:], layer.kernel, (top, left), layer.stride)
        return self._conv2d(node, name, W, bias, size, padding, place, layer.stride, sources)

    def _conv2d(
        self, node: Node, name: str, W: np.ndarray, bias: np.ndarray, size: int, padding: tuple[int, int],
        place: tuple[int, int], stride: int, sources: list[str],
    ) -> Value:  # fmt: skip
        row, column = place
        kernel = np.zeros((*W.shape[:2], size, size), dtype=self._graph.dtype)
        kernel[:, :, row : row + W.shape[2], column : column + W.shape[3]] = W
        convolution = self._nir.Conv2d(
            input_shape=tuple(node.source_shapes[0][1:]), weight=kernel, stride=(stride, stride), padding=padding,
            dilation=(1, 1), groups=1, bias=bias,
        )  # fmt: skip
        return self._graph.add(name, convolution, *sources)

    def _staircase(self, node: Node, h: Value) -> Value:
        """x in steps of 1/N: half a step beyond each of ±1/(2N), ±3/(2N), ... of g h."""
        assert self._levels is not None
        graph, name, N = self._graph, node.name, self._levels
        self._most[name] = N
        minus = graph.scale(f"{name}.minus", -1.0, node.shape, *h)
        for side, signed, sign in (("up", h, 1), ("down", minus, -1)):
            steps = [
                graph.threshold(f"{name}.{side}{k}", (k - 0.5) / N / self._spec.gain, node.shape, *signed)[0]
                for k in range(1, N + 1)
            ]
            graph.scale(f"{name}.{side}", sign / N, node.shape, *steps)
        return f"{name}.up", f"{name}.down"

    def _maximum(self, node: Node, sources: list[str]) -> Value:
        """The largest of a window, zeros of the padding among them: above k/N if any is, below -k/N if all are."""
        assert self._levels is not None
        graph, name, N = self._graph, node.name, self._levels
        layer, shape = node.layer, node.source_shapes[0]
        assert isinstance(layer, Pool)
        put_in = graph.scale(f"{name}.in", 1.0, shape, *sources)
        minus = graph.scale(f"{name}.minus", -1.0, shape, *sources)
        for side, signed, sign, enough in (("up", put_in, 1, 0.5), ("down", minus, -1, layer.size**2 - 0.5)):
            steps = []
            for k in range(1, self._most[node.sources[0]] + 1):
                own = f"{name}.{side}{k}"
                above = graph.threshold(f"{own}.pixels", (k - 0.5) / N, shape, *signed)
                count = self._windows(node, f"{own}.count", list(above))
                steps += graph.threshold(own, enough, node.shape, *count)
            graph.scale(f"{name}.{side}", sign / N, node.shape, *steps)
        return f"{name}.up", f"{name}.down"

    def _windows(self, node: Node, name: str, sources: list[str]) -> Value:
        """The sum over each window of a pool, with zeros as its padding."""
        layer, shape = node.layer, node.source_shapes[0]
        assert isinstance(layer, Pool)
        before = [layer.padding(self._spec.semantics.pool_anchor, n)[0] for n in shape[1:]]
        kernel = (layer.size, layer.size)
        size, padding, place = fit(shape[1:], node.shape[1:], kernel, (before[0], before[1]), layer.stride)
        if size == layer.size:
            stride = np.array([layer.stride, layer.stride])
            pool = self._nir.SumPool2d(kernel_size=np.array(kernel), stride=stride, padding=np.array(padding))
            return self._graph.add(name, pool, *sources)
        # Every map for itself; as groups, of which nir 1.0.8 infers a wrong number of channels, it would be smaller.
        ones = np.eye(shape[0], dtype=self._graph.dtype)[:, :, None, None] * np.ones(kernel, self._graph.dtype)
        bias = self._graph.full(shape[:1], 0.0)
        return self._conv2d(node, name, ones, bias, size, padding, place, layer.stride, sources)


def size_of(graph: Any) -> int:
    """How many numbers a graph holds."""
    held = (value for node in graph.nodes.values() for value in vars(node).values() if isinstance(value, np.ndarray))
    return sum(value.size for value in held)
