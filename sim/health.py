"""Stopping a run that can no longer learn, with the layer where it went wrong and what to change."""

from math import isnan

from network.errors import Diverged
from network.rules import effective_order
from sim.engine import Settings

NEARLY = 0.95  # share of units shut off in a layer that is worth a warning


def check_health(saturation: dict[str, float], settings: Settings) -> str:
    """Look at the share of units that are shut off by layer, from the input up: saturated, or rectified and silent.

    Returns
    -------
    str
        A warning where nearly every unit of a layer is shut off; empty where all is well.

    Raises
    ------
    Diverged
        For a layer whose input is not finite, or whose every unit is shut off: no feedback passes there any more
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
            raise Diverged(
                f"{layer}: every unit is saturated (|gain h| >= 1) or, if rectified, silent (h <= 0), so nothing below "
                f"can learn; {remedy}"
            )
        if share > NEARLY and not warning:
            units = "units are saturated, or silent if rectified,"
            warning = f"{layer}: {100 * share:.1f} % of its {units} and hardly learn; {remedy}"
    return warning
