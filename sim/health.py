"""Stopping a run that can no longer learn, with the layer where it went wrong and what to change."""

from math import isnan

from network.errors import Diverged
from network.rules import effective_order
from sim.engine import Settings

NEARLY = 0.95  # share of saturated units in a layer that is worth a warning


def check_health(saturation: dict[str, float], settings: Settings) -> str:
    """Look at the share of saturated units by layer, from the input up.

    Returns
    -------
    str
        A warning where nearly every unit of a layer is saturated; empty where all is well.

    Raises
    ------
    Diverged
        For a layer whose input is not finite, or whose every unit is saturated: feedback is then shut off there
        (equation 3), and neither it nor any layer below can learn.
    """
    if effective_order(settings.rule, settings.order) == "after_update":
        remedy = "order 'after_update' excites the units that it updates: use 'before_update', or a smaller eta"
    else:
        remedy = f"use an eta below {settings.eta:g}, a smaller gain, or smaller initial weights"
    warning = ""
    for layer, share in saturation.items():
        if isnan(share):
            raise Diverged(f"{layer}: its input is no longer a finite number; {remedy}")
        if share == 1.0:
            raise Diverged(f"{layer}: every unit is saturated (|gain h| >= 1), so nothing below can learn; {remedy}")
        if share > NEARLY and not warning:
            warning = f"{layer}: {100 * share:.1f} % of its units are saturated, and hardly learn; {remedy}"
    return warning
