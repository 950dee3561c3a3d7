"""The paper's notation, "Conv 32 5x5; Maxpool 3; Drop .8; Full 500; Drop .3; Output", read into layers.

Case and spacing are as loose as in the paper ("full conn. 500", "maxpool 3"). A mistake is answered with its position,
the token, and what would parse.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from network.errors import BadInput, did_you_mean
from network.layers import Avgpool, Conv, Drop, Full, Layer, Local, Maxpool, Output, Sum

LARGEST = 1_000_000  # no count in a notation may exceed this: a slip of the keyboard must not ask for terabytes


@dataclass(frozen=True)
class _Form:
    """How one keyword is written: its arguments, and the layer they make."""

    arguments: str
    make: Callable[..., Layer]
    reads: str


_FILTERS = r"(\d+)\s+(\d+)\s*[x×]\s*(\d+)"
_WINDOW = r"(\d+)\s*(?:/\s*(\d+))?"

_FORMS = {
    "Conv": _Form(_FILTERS, lambda f, kh, kw: Conv(f, (kh, kw)), "Conv F KxK, such as 'Conv 32 5x5'"),
    "Local": _Form(_FILTERS, lambda f, kh, kw: Local(f, (kh, kw)), "Local F KxK, such as 'Local 32 5x5'"),
    "Full": _Form(r"(\d+)", Full, "Full N, such as 'Full 500'"),
    "Maxpool": _Form(_WINDOW, Maxpool, "Maxpool K or Maxpool K/S, such as 'Maxpool 3' or 'Maxpool 2/2'"),
    "Avgpool": _Form(_WINDOW, Avgpool, "Avgpool K or Avgpool K/S, such as 'Avgpool 3' or 'Avgpool 2/2'"),
    "Drop": _Form(r"(\d*\.\d+|\d+\.?)", Drop, "Drop p with 0 <= p < 1, such as 'Drop .8'"),
    "SUM": _Form("", Sum, "SUM"),
    "Output": _Form("", lambda: Output(0), "Output"),
}

_SPELLINGS = {
    **{keyword.lower(): keyword for keyword in _FORMS},
    "max pool": "Maxpool",
    "avg pool": "Avgpool",
    "dropout": "Drop",
    "full conn": "Full",
    "fully connected": "Full",
    "out": "Output",
}


def parse_notation(text: str) -> tuple[Layer, ...]:
    """Read a network in the paper's notation.

    Parameters
    ----------
    text : str
        Layers separated by semicolons, from the input up, ending with ``Output``.

    Returns
    -------
    tuple of Layer
        In the order written. The number of output units is not in the notation: `NetworkSpec` sets it.

    Raises
    ------
    BadInput
        Naming the position (characters, from 1), the token, and what would parse.
    """
    layers: list[Layer] = []
    position = 0
    for piece in text.split(";"):
        token = piece.strip()
        if token:
            start = position + piece.index(token) + 1
            if layers and isinstance(layers[-1], Output):
                raise _mistake(start, token, "nothing may follow 'Output'")
            layers.append(_parse_layer(token, start))
        position += len(piece) + 1
    if not layers:
        raise BadInput("empty network: expected layers separated by ';', such as 'Conv 32 5x5; Maxpool 3; Output'")
    if not isinstance(layers[-1], Output):
        raise _mistake(len(text.rstrip()) + 1, "end of the network", "expected the last layer to be 'Output'")
    return tuple(layers)


def _parse_layer(token: str, start: int) -> Layer:
    words = re.match(r"([^\W\d_]+(?:\s+[^\W\d_]+)*)(\.(?=\s))?", token)  # a dot as in "full conn. 500"
    spelling = " ".join(words.group(1).lower().split()) if words else ""
    if words is None or spelling not in _SPELLINGS:
        hint = did_you_mean(spelling, _FORMS)
        raise _mistake(start, token, f"expected a layer: {', '.join(_FORMS)}{hint}")
    form = _FORMS[_SPELLINGS[spelling]]
    match = re.fullmatch(form.arguments, token[words.end() :].strip(), flags=re.IGNORECASE)
    if match is None:
        raise _mistake(start, token, f"expected {form.reads}")
    if form.make is Drop:
        fraction = float(match.group(1))
        if fraction >= 1:
            raise _mistake(start, token, f"expected {form.reads}; at 1 nothing would pass")
        return Drop(fraction)
    numbers = [int(group) for group in match.groups() if group is not None]
    if any(not 1 <= number <= LARGEST for number in numbers):
        raise _mistake(start, token, f"expected whole numbers from 1 to {LARGEST:,}")
    return form.make(*numbers)


def _mistake(start: int, token: str, what: str) -> BadInput:
    shown = token if len(token) <= 40 else token[:37] + "..."
    return BadInput(f"network notation, character {start}, {shown!r}: {what}")
