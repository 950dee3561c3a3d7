"""The paper's notation, "Conv 32 5x5; Maxpool 3; Drop .8; Full 500; Drop .3; Output", read into layers.

Case and spacing are as loose as in the paper ("full conn. 500", "maxpool 3"). Words after the numbers say what the
paper's networks never need, "Conv 48 9x9/2 valid ReLU". A mistake is answered with its position, the token, and what
would parse.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from network.errors import BadInput, did_you_mean
from network.layers import Avgpool, Conv, Drop, Full, Layer, Local, Maxpool, Output, Sum

LARGEST = 1_000_000  # no count in a notation may exceed this: a slip of the keyboard must not ask for terabytes


@dataclass(frozen=True)
class _Form:
    """How one keyword is written: its arguments, the layer they make, and the words that may follow."""

    arguments: str
    make: Callable[..., Layer]
    reads: str
    words: dict[str, dict[str, str]] = field(default_factory=dict)


_FILTERS = r"(?P<f>\d+)\s+(?P<kh>\d+)\s*[x×]\s*(?P<kw>\d+)(?:\s*/\s*(?P<stride>\d+))?"
_WINDOW = r"(?P<size>\d+)\s*(?:/\s*(?P<stride>\d+))?"
_UNITS = r"(?P<units>\d+)|(?P<per_class>\d+)\s*C(?:\s*>=\s*(?P<least>\d+))?"

_OF_UNITS = {"BN": {"norm": "plain"}, "BN-affine": {"norm": "affine"}, "ReLU": {"activation": "relu"}}
_OF_FILTERS = {"valid": {"padding": "valid"}, **_OF_UNITS}
_OF_WINDOWS = {"corner": {"place": "corner"}, "valid": {"place": "valid"}}


def _filters(kind: type[Conv]) -> Callable[..., Layer]:
    return lambda f, kh, kw, **options: kind(f, (kh, kw), **options)


def _full(units: int = 0, per_class: int = 0, least: int = 0, **options: Any) -> Full:
    return Full(units or least, per_class=per_class, **options)


_FORMS = {
    "Conv": _Form(_FILTERS, _filters(Conv), "Conv F KxK or Conv F KxK/S, such as 'Conv 32 5x5'", _OF_FILTERS),
    "Local": _Form(_FILTERS, _filters(Local), "Local F KxK or Local F KxK/S, such as 'Local 32 5x5'", _OF_FILTERS),
    "Full": _Form(_UNITS, _full, "Full N, such as 'Full 500', or Full 2C: two units a class", _OF_UNITS),
    "Maxpool": _Form(_WINDOW, Maxpool, "Maxpool K or Maxpool K/S, such as 'Maxpool 3' or 'Maxpool 2/2'", _OF_WINDOWS),
    "Avgpool": _Form(_WINDOW, Avgpool, "Avgpool K or Avgpool K/S, such as 'Avgpool 3' or 'Avgpool 2/2'", _OF_WINDOWS),
    "Drop": _Form(r"(?P<fraction>\d*\.\d+|\d+\.?)", Drop, "Drop p with 0 <= p < 1, such as 'Drop .8'"),
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
    written = f"(?:{form.arguments})(?P<words>(?:\\s+[a-z-]+)*)"
    match = re.fullmatch(written, token[words.end() :].strip(), flags=re.IGNORECASE)
    if match is None:
        raise _mistake(start, token, f"expected {form.reads}{_may_follow(form)}")
    options = _options(form, match.group("words").split(), token, start)
    arguments = {name: text for name, text in match.groupdict().items() if text is not None and name != "words"}
    if form.make is Drop:
        fraction = float(arguments["fraction"])
        if fraction >= 1:
            raise _mistake(start, token, f"expected {form.reads}; at 1 nothing would pass")
        return Drop(fraction)
    most = len(str(LARGEST))  # digits; Python itself would refuse to read thousands of them
    numbers = {name: int(text) if len(text) <= most else LARGEST + 1 for name, text in arguments.items()}
    if any(not 1 <= number <= LARGEST for number in numbers.values()):
        raise _mistake(start, token, f"expected whole numbers from 1 to {LARGEST:,}")
    return form.make(**numbers, **options)


def _options(form: _Form, words: list[str], token: str, start: int) -> dict[str, str]:
    """What the words after the numbers say; each thing may be said once."""
    by_lower = {word.lower(): said for word, said in form.words.items()}
    options: dict[str, str] = {}
    for word in words:
        said = by_lower.get(word.lower())
        if said is None:
            raise _mistake(start, token, f"expected {form.reads}{_may_follow(form)}{did_you_mean(word, form.words)}")
        if options.keys() & said.keys():
            raise _mistake(start, token, f"'{word}' says again what is said before it")
        options |= said
    return options


def _may_follow(form: _Form) -> str:
    return f"; after the numbers any of: {', '.join(form.words)}" if form.words else ""


def _mistake(start: int, token: str, what: str) -> BadInput:
    shown = token if len(token) <= 40 else token[:37] + "..."
    return BadInput(f"network notation, character {start}, {shown!r}: {what}")
