"""Errors a user can act on: what was given, where, and what would work."""

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """Something the user gave cannot be used. The message is one line: what, where, what would work."""


class Diverged(RuntimeError):
    """A run that cannot go on learning. The message is one line: the layer, what happened, what to change."""


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """The closest of `options` to `word` as ``"; did you mean 'urfb'?"``, or an empty string."""
    by_lower = {option.lower(): option for option in options}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def unknown(what: str, word: str, options: Iterable[str]) -> BadInput:
    """The error for a name that is not one of `options`."""
    options = list(options)
    return BadInput(f"{what} {word!r}: expected one of {', '.join(options)}{did_you_mean(word, options)}")
