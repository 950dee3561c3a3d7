"""The layers of the paper's notation, as values: they know shapes and counts, and hold neither arrays nor behaviour.

Shapes are of one image, without the batch: ``(C, H, W)`` for maps, ``(units,)`` for fully connected layers.
"""

from dataclasses import dataclass, field, replace
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

    def sized(self, classes: int) -> "Layer":
        """This layer in a network of so many classes."""
        return self

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
    """A layer with synapses: h = W x of equation (1), and R of the same layout for the feedback.

    Attributes
    ----------
    activation : {"clip", "relu"}
        sigma of its units: clip(g h, -1, 1), or max(g h, 0), a rectified linear unit, written ``ReLU``.
    norm : {"", "plain", "affine"}
        Batch normalisation of h before sigma, written ``BN``; ``BN-affine`` has a slope and an offset that learn.
    """

    weighted: ClassVar[bool] = True
    activation: str = field(default="clip", kw_only=True)
    norm: str = field(default="", kw_only=True)

    @property
    def words(self) -> str:
        """What the notation says of its units, after the numbers."""
        norm = {"": "", "plain": " BN", "affine": " BN-affine"}[self.norm]
        return norm + (" ReLU" if self.activation == "relu" else "")

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
    """``Conv F KxK[/S] [valid]``: F filters, stride S, 1 where not given.

    Zero 'same' padding, (k-1)//2 before and the rest after; none with ``valid``. W is (out, in, kh, kw).
    """

    keyword: ClassVar[str] = "Conv"
    filters: int
    kernel: tuple[int, int]
    stride: int = field(default=1, kw_only=True)
    padding: str = field(default="same", kw_only=True)

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride != 1 else ""
        valid = " valid" if self.padding == "valid" else ""
        return f"{self.keyword} {self.filters} {self.kernel[0]}x{self.kernel[1]}{stride}{valid}{self.words}"

    @property
    def pads(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros before and after the rows, and before and after the columns."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        rows, columns = (((k - 1) // 2, k - 1 - (k - 1) // 2) for k in self.kernel)
        return rows, columns

    @property
    def is_plain(self) -> bool:
        """Stride 1 and 'same' padding, as all convolutions of Amit's networks."""
        return self.stride == 1 and self.padding == "same"

    def shape(self, *sources: Shape) -> Shape:
        lengths = self.maps(sources[0])[1:]
        sides = zip(lengths, self.pads, self.kernel, strict=True)
        rows, columns = ((n + before + after - k) // self.stride + 1 for n, (before, after), k in sides)
        if min(rows, columns) < 1:
            raise BadInput(f"'{self}' has a window larger than the {shape_text(lengths)} maps before it")
        return (self.filters, rows, columns)

    def weight_shape(self, source: Shape, shape: Shape) -> Shape:
        return (self.filters, source[0], *self.kernel)

    def glorot_bound(self, source: Shape, shape: Shape) -> float:
        return sqrt(6 / (prod(self.kernel) * (source[0] + self.filters)))

    def inputs_of_a_unit(self, source: Shape) -> int:
        return source[0] * prod(self.kernel)

    def synapses(self, source: Shape, shape: Shape) -> int:
        sides = zip(source[1:], shape[1:], self.kernel, self.pads, strict=True)
        rows, columns = (_inside(n, m, k, self.stride, before) for n, m, k, (before, _) in sides)
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
    """``Full N``: N units connected to every unit before them; W is (N, in), maps flattened in C, H, W order.

    ``Full 2C`` has two units a class, ``Full 3C>=256`` three, but at least 256.
    """

    keyword: ClassVar[str] = "Full"
    units: int
    per_class: int = field(default=0, kw_only=True)

    def __str__(self) -> str:
        units = f"{self.units}"
        if self.per_class:
            units = f"{self.per_class}C" + (f">={self.units}" if self.units else "")
        return f"{self.keyword} {units}{self.words}"

    def sized(self, classes: int) -> "Full":
        return replace(self, units=max(self.units, self.per_class * classes), per_class=0)

    def shape(self, *sources: Shape) -> Shape:
        return (self.units,)


@dataclass(frozen=True)
class Output(Full):
    """``Output``: one linear unit per class, connected to every unit before it."""

    keyword: ClassVar[str] = "Output"

    def __str__(self) -> str:
        return "Output"

    def sized(self, classes: int) -> "Output":
        return Output(classes)


@dataclass(frozen=True)
class Pool(Layer):
    """A K x K window for every S-th pixel, padded with zeros; ceil(H/S) x ceil(W/S) outputs a map.

    Attributes
    ----------
    size, stride : int
        K and S.
    place : {"", "corner", "valid"}
        Where the windows lie. Empty: as the semantics say, centred on their pixel in Amit's paper. ``"corner"``: with
        their upper left corner there. ``"valid"``: so too, and a window that is not whole is left out, (H-K)//S + 1
        outputs a side and no padding.
    """

    size: int
    stride: int = 2
    place: str = ""

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride != 2 else ""
        return f"{self.keyword} {self.size}{stride}" + (f" {self.place}" if self.place else "")

    def shape(self, *sources: Shape) -> Shape:
        channels, height, width = self.maps(sources[0])
        rows, columns = self.windows(height), self.windows(width)
        if min(rows, columns) < 1:
            raise BadInput(f"'{self}' has a window larger than the {height}x{width} maps before it")
        return (channels, rows, columns)

    def windows(self, length: int) -> int:
        """How many windows there are along a side of `length` pixels."""
        return (length - self.size) // self.stride + 1 if self.place == "valid" else ceil(length / self.stride)

    def padding(self, anchor: str, length: int) -> tuple[int, int]:
        """Zeros before and after a side of `length` pixels, so that every window is whole.

        Centred windows start (K-1)//2 pixels before theirs; windows anchored at their corner start there. `anchor` is
        that of the semantics.
        """
        before = (self.size - 1) // 2 if (self.place or anchor) == "centre" else 0
        end_of_last = (self.windows(length) - 1) * self.stride + self.size - before
        return before, max(0, end_of_last - length)


@dataclass(frozen=True)
class Maxpool(Pool):
    """``Maxpool K[/S] [corner|valid]``: the maximum of the window; the winner routes the feedback back."""

    keyword: ClassVar[str] = "Maxpool"


@dataclass(frozen=True)
class Avgpool(Pool):
    """``Avgpool K[/S] [corner|valid]``: the sum over the window divided by K^2, zeros of the padding included."""

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


def _inside(length: int, positions: int, kernel: int, stride: int, before: int) -> int:
    """Connections along one side of a convolution that do not fall on the padding."""
    found = 0
    for a in range(kernel):  # position i touches pixel i * stride + a - before
        first, end = max(0, -((a - before) // stride)), -((a - before - length) // stride)
        found += max(0, min(end, positions) - first)
    return found
