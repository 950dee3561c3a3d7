"""The layers of the paper's notation, as values: they know shapes and counts, and hold neither arrays nor behaviour.

Shapes are of one image, without the batch: ``(C, H, W)`` for maps, ``(units,)`` for fully connected layers.
"""

from dataclasses import dataclass
from math import ceil, prod, sqrt
from typing import ClassVar

from network.errors import BadInput

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A layer of the notation. `inputs` of the values before it are what it reads."""

    keyword: ClassVar[str]
    inputs: ClassVar[int] = 1
    weighted: ClassVar[bool] = False

    def shape(self, *sources: Shape) -> Shape:
        """The shape this layer puts out, given those it reads; `BadInput` where they do not fit."""
        return sources[0]

    def maps(self, source: Shape) -> Shape:
        """`source`, which must have maps to slide a window over."""
        if len(source) != 3:
            raise BadInput(
                f"'{self}' slides over maps, but the layer before it puts out {source[0]} units without a position; "
                f"place it before the first Full layer"
            )
        return source


@dataclass(frozen=True)
class Weighted(Layer):
    """A layer with synapses: h = W x of equation (1), and R of the same layout for the feedback."""

    weighted: ClassVar[bool] = True

    def weight_shape(self, source: Shape, shape: Shape) -> Shape:
        """The layout of W and R."""
        return (prod(shape), prod(source))

    def glorot_bound(self, source: Shape, shape: Shape) -> float:
        """b of Glorot and Bengio: weights are uniform in [-b, b], b = sqrt(6 / (fan in + fan out))."""
        return sqrt(6 / (prod(source) + prod(shape)))

    def inputs_of_a_unit(self, source: Shape) -> int:
        """How many weights meet in one unit, those onto the padding included."""
        return prod(source)

    def synapses(self, source: Shape, shape: Shape) -> int:
        """How many connections there are between units, each counted where a shared weight is used."""
        return prod(shape) * prod(source)


@dataclass(frozen=True)
class Conv(Weighted):
    """``Conv F KxK``: F filters, stride 1, zero 'same' padding, (k-1)//2 before and the rest after.

    W is (out, in, kh, kw).
    """

    keyword: ClassVar[str] = "Conv"
    filters: int
    kernel: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.keyword} {self.filters} {self.kernel[0]}x{self.kernel[1]}"

    def shape(self, *sources: Shape) -> Shape:
        return (self.filters, *self.maps(sources[0])[1:])

    def weight_shape(self, source: Shape, shape: Shape) -> Shape:
        return (self.filters, source[0], *self.kernel)

    def glorot_bound(self, source: Shape, shape: Shape) -> float:
        return sqrt(6 / (prod(self.kernel) * (source[0] + self.filters)))

    def inputs_of_a_unit(self, source: Shape) -> int:
        return source[0] * prod(self.kernel)

    def synapses(self, source: Shape, shape: Shape) -> int:
        rows, columns = (_inside(n, k) for n, k in zip(source[1:], self.kernel, strict=True))
        return self.filters * source[0] * rows * columns


@dataclass(frozen=True)
class Local(Conv):
    """``Local F KxK``: the connections of a convolution, each with a weight of its own (section 4.1).

    W is (out, H, W, in, kh, kw).
    """

    keyword: ClassVar[str] = "Local"

    def weight_shape(self, source: Shape, shape: Shape) -> Shape:
        return (*shape, source[0], *self.kernel)


@dataclass(frozen=True)
class Full(Weighted):
    """``Full N``: N units connected to every unit before them; W is (N, in), maps flattened in C, H, W order."""

    keyword: ClassVar[str] = "Full"
    units: int

    def __str__(self) -> str:
        return f"Full {self.units}"

    def shape(self, *sources: Shape) -> Shape:
        return (self.units,)


@dataclass(frozen=True)
class Output(Full):
    """``Output``: one linear unit per class, connected to every unit before it."""

    keyword: ClassVar[str] = "Output"

    def __str__(self) -> str:
        return "Output"


@dataclass(frozen=True)
class Pool(Layer):
    """A K x K window around every S-th pixel, padded with zeros; ceil(H/S) x ceil(W/S) outputs a map."""

    size: int
    stride: int = 2

    def __str__(self) -> str:
        return f"{self.keyword} {self.size}" + (f"/{self.stride}" if self.stride != 2 else "")

    def shape(self, *sources: Shape) -> Shape:
        channels, height, width = self.maps(sources[0])
        return (channels, ceil(height / self.stride), ceil(width / self.stride))

    def padding(self, anchor: str, length: int) -> tuple[int, int]:
        """Zeros before and after a side of `length` pixels, so that every window is whole.

        Centred windows start (K-1)//2 pixels before theirs; windows anchored at their corner start there.
        """
        before = (self.size - 1) // 2 if anchor == "centre" else 0
        end_of_last = (ceil(length / self.stride) - 1) * self.stride + self.size - before
        return before, max(0, end_of_last - length)


@dataclass(frozen=True)
class Maxpool(Pool):
    """``Maxpool K[/S]``: the maximum of the window; the winner routes the feedback back."""

    keyword: ClassVar[str] = "Maxpool"


@dataclass(frozen=True)
class Avgpool(Pool):
    """``Avgpool K[/S]``: the sum over the window divided by K^2, zeros of the padding included."""

    keyword: ClassVar[str] = "Avgpool"


@dataclass(frozen=True)
class Drop(Layer):
    """``Drop p``: in training, a random share p of the units is silent and the others count 1/(1-p) times."""

    keyword: ClassVar[str] = "Drop"
    fraction: float

    def __str__(self) -> str:
        return f"Drop {self.fraction}"


@dataclass(frozen=True)
class Sum(Layer):
    """``SUM``: adds the outputs of the two layers before it; no weights, no saturation."""

    keyword: ClassVar[str] = "SUM"
    inputs: ClassVar[int] = 2

    def __str__(self) -> str:
        return "SUM"

    def shape(self, *sources: Shape) -> Shape:
        if sources[0] != sources[1]:
            raise BadInput(
                f"'SUM' adds the two layers before it, but they put out {shape_text(sources[0])} and "
                f"{shape_text(sources[1])}; both must have the same shape"
            )
        return sources[0]


def shape_text(shape: Shape) -> str:
    """A shape as people write it: ``32x16x16``, ``500``."""
    return "x".join(map(str, shape))


def _inside(length: int, kernel: int) -> int:
    """Connections along one side of a 'same' convolution that do not fall on the padding."""
    before = (kernel - 1) // 2
    return sum(max(0, length - abs(offset)) for offset in range(-before, kernel - before))
