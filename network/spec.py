"""What a network is: its layers as a graph, with shapes and counts, before any weight exists."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from network.errors import BadInput
from network.layers import Conv, Layer, Local, Output, Shape, Weighted, shape_text
from network.notation import parse_notation
from network.presets import notation_of
from network.semantics import PAPER, Semantics, named_semantics

if TYPE_CHECKING:
    import networkx as nx

INPUT = "input"


@dataclass(frozen=True)
class Node:
    """One layer in its place.

    Attributes
    ----------
    name : str
        Unique in the network: keyword and position, ``conv1``, ``maxpool2``.
    layer : Layer
    sources : tuple of str
        The nodes it reads.
    source_shapes : tuple of Shape
        What they put out.
    shape : Shape
        What it puts out.
    index : int
        i of W/<i>: the place among the layers with weights, from 1; 0 for the others.
    """

    name: str
    layer: Layer
    sources: tuple[str, ...]
    source_shapes: tuple[Shape, ...]
    shape: Shape
    index: int

    @property
    def units(self) -> int:
        return prod(self.shape)

    @property
    def synaptic(self) -> Weighted:
        """The layer, known to have weights."""
        assert isinstance(self.layer, Weighted)
        return self.layer

    @property
    def weight_shape(self) -> Shape:
        return self.synaptic.weight_shape(self.source_shapes[0], self.shape)

    @property
    def is_output(self) -> bool:
        return isinstance(self.layer, Output)

    @property
    def is_affine(self) -> bool:
        """Whether its batch normalisation has a slope and an offset that learn."""
        return self.synaptic.norm == "affine"


@dataclass(frozen=True)
class NetworkSpec:
    """A network without its weights.

    Attributes
    ----------
    layers : tuple of Layer
        From the input up, `Output` last.
    input_shape : (C, H, W)
        Of one image.
    classes : int
        Number of output units, at least 2.
    gain : float
        Slope g of x = clip(g h, -1, 1).
    semantics : Semantics
    frozen : int
        How many layers with weights, from the input up, do not learn: neither W nor R changes, and no feedback is sent
        to them. The output layer always learns.
    nodes : tuple of Node
        One per layer, in an order in which each comes after those it reads.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]
    classes: int
    gain: float = 1.0
    semantics: Semantics = PAPER
    frozen: int = 0
    nodes: tuple[Node, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            raise BadInput(f"input shape {self.input_shape}: expected three positive numbers, C x H x W")
        if self.classes < 2:
            raise BadInput(f"{self.classes} classes: a classifier needs at least 2")
        if not 0 < self.gain < float("inf"):
            raise BadInput(f"gain {self.gain:g}: expected a positive number, the slope of clip(gain * h, -1, 1)")
        layers = tuple(layer.sized(self.classes) for layer in self.layers)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "nodes", _place(layers, self.input_shape))
        if not 0 <= self.frozen < len(self.weighted):
            raise BadInput(
                f"{self.frozen} frozen layers: expected fewer than the {len(self.weighted)} with weights, the output "
                f"has to learn"
            )

    @classmethod
    def parse(
        cls,
        net: str,
        input_shape: tuple[int, int, int],
        classes: int,
        gain: float | None = None,
        semantics: str = "paper",
    ) -> "NetworkSpec":
        """Read a preset's name or the paper's notation.

        Parameters
        ----------
        net : str
            ``"simpnet"``, or ``"Conv 32 5x5; Maxpool 3; Output"``.
        input_shape : (C, H, W)
            Of one image.
        classes : int
        gain : float, optional
            Slope of the saturation; the semantics' own (1 in the paper) where not given.
        semantics : {"paper", "code2018"}

        Raises
        ------
        BadInput
            For a name or notation that does not parse, or layers that do not fit together.
        """
        chosen = named_semantics(semantics)
        return cls(
            layers=parse_notation(notation_of(net)),
            input_shape=input_shape,
            classes=classes,
            gain=chosen.gain if gain is None else gain,
            semantics=chosen,
        )

    @property
    def notation(self) -> str:
        """The network in the paper's notation; parsing it gives the same layers."""
        return "; ".join(map(str, self.layers))

    @cached_property
    def weighted(self) -> tuple[Node, ...]:
        """The nodes with weights: ``weighted[i - 1]`` is W/<i>."""
        return tuple(node for node in self.nodes if node.index)

    @cached_property
    def learns_below(self) -> frozenset[str]:
        """Names of the nodes that feedback must reach: those with a layer that learns at or below them."""
        reached: set[str] = set()
        for node in self.nodes:
            if node.index > self.frozen or reached.intersection(node.sources):
                reached.add(node.name)
        return frozenset(reached)

    @cached_property
    def graph(self) -> "nx.DiGraph":
        """The layers as a graph, an arrow from each layer to those that read it; node attribute ``node``."""
        import networkx as nx  # here, because only drawings need it and it is slow to import

        graph = nx.DiGraph(notation=self.notation)
        graph.add_node(INPUT, node=None)
        for node in self.nodes:
            graph.add_node(node.name, node=node)
            graph.add_edges_from((source, node.name) for source in node.sources)
        return graph

    def untied(self) -> "NetworkSpec":
        """The same network with every convolution replaced by locally connected units (section 4.1)."""
        layers = tuple(Local(**vars(layer)) if isinstance(layer, Conv) else layer for layer in self.layers)
        return replace(self, layers=layers)

    def normalised(self, norm: str = "plain") -> "NetworkSpec":
        """The same network with batch normalisation in every weighted layer but the output: ``"plain"``, without
        parameters, or ``"affine"``; none with an empty word.
        """
        layers = tuple(
            replace(layer, norm=norm) if isinstance(layer, Weighted) and not isinstance(layer, Output) else layer
            for layer in self.layers
        )
        return replace(self, layers=layers)


def _place(layers: tuple[Layer, ...], input_shape: tuple[int, int, int]) -> tuple[Node, ...]:
    """Give each layer its name, its sources and its shape."""
    outputs: list[tuple[str, Shape]] = [(INPUT, tuple(input_shape))]
    nodes: list[Node] = []
    index = 0
    for position, layer in enumerate(layers, start=1):
        name = f"{layer.keyword.lower()}{position}"
        if len(outputs) < layer.inputs:
            raise BadInput(f"layer {position} '{layer}' adds the two layers before it, but only the input is there")
        names, shapes = zip(*outputs[-layer.inputs :], strict=True)
        try:
            shape = layer.shape(*shapes)
        except BadInput as error:
            raise BadInput(f"layer {position} of an input of {shape_text(input_shape)}: {error}") from None
        index += layer.weighted
        nodes.append(Node(name, layer, names, shapes, shape, index if layer.weighted else 0))
        outputs.append((name, shape))
    return tuple(nodes)
