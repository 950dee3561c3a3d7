"""The certificate as files: a report for a reviewer, JSON for programs, CSV for a spreadsheet."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from circuits.figures import axes_or_new, styled
from sim.run_folder import RunFolder
from validation.certificate import Certificate, Plan
from validation.evidence import CAUGHT_BY, LAWS
from validation.report import Picture, Report, Section

FILES = ("report.html", "agreement.json", "agreement.csv", "pairs.csv")
QUANTITIES = ("h", "x", "delta", "dW", "dR")


def write_report(folder: RunFolder, found: Certificate, plan: Plan, command: str) -> None:
    """Write `FILES` into a folder."""
    report, data, rows, pairs = FILES
    folder.write(data, json.dumps({**found.as_dict(), "command": command}, indent=2) + "\n")
    folder.write(rows, _csv(found.agreements.rows))
    folder.write(pairs, _csv(found.agreements.pairs))
    folder.write(report, certificate_report(found, plan, command).html())


def certificate_report(found: Certificate, plan: Plan, command: str) -> Report:
    """The page: a summary to quote, the claims, what they rest on."""
    sections = [
        Section("Summary", text=summary(found, plan), code=command),
        Section.of_claims("The claims", found.claims),
        _engines(found),
        _by_network(found),
        _at_work(found),
        Section(
            "Engines against each other",
            text=(
                "Just as they are, ties not set apart: where photographs have flat patches, rounding decides between "
                "equal maxima, and the feedback of single pixels goes elsewhere. The increments hardly notice, because "
                "such pixels see the same things.",
            ),
            figures=[
                Picture.of(
                    plot_pairs(found.agreements.pairs, quantity),
                    f"Largest relative difference in {quantity} of any layer and presentation, for each pair of "
                    f"engines. Made by: {command}",
                )
                for quantity in ("delta", "dW")
            ],
        ),
        *_limits(found, command),
        _mistakes(),
    ]
    return Report(
        title="Equivalence certificate",
        introduction=(
            "Amit's paper describes an algorithm and, in Appendix 1, circuits that are to compute it. Each claim below "
            "says in words what that means, where the paper says it, what was measured, and whether it holds.",
        ),
        sections=sections,
    )


def summary(found: Certificate, plan: Plan) -> tuple[str, ...]:
    """A paragraph that a reviewer can quote."""
    judged = [claim for claim in found.claims if claim.passed is not None]
    failed = [claim.name for claim in judged if not claim.passed]
    verdict = (
        f"All {len(judged)} claims hold"
        if not failed
        else f"{len(failed)} of {len(judged)} claims fail ({', '.join(failed)})"
    )
    worst = {}
    for row in found.agreements.rows:
        key = row["engine"]
        if row["quantity"] in ("delta", "dW", "dR"):
            worst[key] = max(worst.get(key, 0.0), row["relative"])
    numbers = "; ".join(f"{name} {value:.1e}" for name, value in worst.items())
    cases = len(found.agreements.shown)
    images = f", {plan.data.name} images" if plan.data else ""
    text = (
        f"{verdict}. {cases} presentations of embedded digits{images} were made to "
        f"{', '.join(variant.name for variant in found.checked)}, under the rules URFB, FRFB and BP-H, in both orders "
        f"of update, with all connections and with half of them, at the start, the middle and the end of training. "
        f"The largest relative error of delta, dW or dR against the reference: {numbers}."
    )
    return (text,)


def _engines(found: Certificate) -> Section:
    rows = []
    for variant in found.checked:
        timing = "ideal" if variant.ratio is None else f"settles for {variant.ratio:g} time constants"
        rows.append((variant.name, variant.dtype, timing, "checked"))
    rows += [(variant.name, variant.dtype, "", f"not checked: {why}") for variant, why in found.missing]
    rows += [
        (name, "", "", f"not asked for {count} presentations: {why}")
        for (name, why), count in found.agreements.left_out.items()
    ]
    return Section("The engines", header=("engine", "precision", "timing", ""), rows=rows)


def _by_network(found: Certificate) -> Section:
    """The worst of every network, point of training and engine."""
    worst: dict[tuple[str, ...], dict[str, float]] = {}
    ties: dict[tuple[str, ...], dict[str, int]] = {}
    for row in found.agreements.rows:
        key = (row["net"], row["data"], row["point"], row["engine"])
        into = worst.setdefault(key, {})
        into[row["quantity"]] = max(into.get(row["quantity"], 0.0), row["relative"])
        ties.setdefault(key, {})[row["case"]] = row["tied_outputs"] + row["tied_units"] + row["tied_windows"]
    rows = [
        (*key, *(f"{values[q]:.1e}" if q in values else "" for q in QUANTITIES), f"{sum(ties[key].values()):,}")
        for key, values in worst.items()
    ]
    return Section(
        "Against the algorithm, network by network",
        text=(
            "Largest relative error in any layer, rule, order and mask. h and x are held against equation (1); delta, "
            "dW and dR against what the reference makes of the engine's own h and x, so that decisions within "
            "rounding (ties) are set apart. The last column counts those that an engine took otherwise.",
        ),
        header=("network", "images", "weights", "engine", *QUANTITIES, "ties"),
        rows=rows,
    )


def _at_work(found: Certificate) -> Section:
    rows, told = [], set()
    for row in found.agreements.shown:
        key = (row["net"], row["data"], row["point"])
        if key in told or row["connectivity"] < 1:
            continue
        told.add(key)
        error = found.errors.get((row["net"], row["point"]))
        text = "" if error is None else f"{error:.3f}"
        rows.append((*key, text, f"{row['silent']:.1%}", f"{row['saturated']:.1%}"))
    return Section(
        "What there was to agree on",
        text=("Trained weights silence outputs and saturate units: that is where the control neurons work.",),
        header=("network", "images", "weights", "test error", "outputs silenced", "hidden units saturated"),
        rows=rows,
    )


def _limits(found: Certificate, command: str) -> tuple[Section, ...]:
    if not found.sweeps:
        return ()
    from validation.boundaries import limits_sections  # here, because it needs Numba

    return limits_sections(found.sweeps, command)


def _mistakes() -> Section:
    return Section(
        "What the claims would notice",
        text=(
            "Each of these mistakes was made in each engine, one at a time, by changing its own functions; each was "
            "caught by the claim named here. The test suite does this again every time.",
        ),
        header=("mistake", "caught by", "which says"),
        rows=[(mistake, claim, LAWS[claim][0]) for mistake, claim in CAUGHT_BY.items()],
    )


@styled
def plot_pairs(pairs: Iterable[dict[str, Any]], quantity: str, ax: Axes | None = None) -> Axes:
    """The worst difference between every two engines, as a table of colours with the numbers in it.

    Parameters
    ----------
    pairs : iterable of dict
        `validation.agreement.Agreements.pairs`.
    quantity : str
    ax : matplotlib.axes.Axes, optional
    """
    worst: dict[tuple[str, str], float] = {}
    for row in pairs:
        if row["quantity"] == quantity:
            key = (row["a"], row["b"])
            worst[key] = max(worst.get(key, 0.0), row["relative"])
    names = list(dict.fromkeys(name for key in worst for name in key))
    values = np.full((len(names), len(names)), np.nan)
    for (a, b), value in worst.items():
        values[names.index(b), names.index(a)] = max(value, 1e-17)
    values = values[1:, :-1]
    ax = axes_or_new(ax, 1.6 + 0.75 * len(names), 0.9 + 0.42 * len(names))
    image = ax.imshow(np.log10(values), vmin=-16, vmax=0, aspect="auto", cmap="cividis")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if np.log10(value) < -8 else "black"
            ax.text(column, row, f"{value:.0e}", ha="center", va="center", size=7, color=colour)
    ax.set_xticks(range(len(names) - 1), names[:-1], rotation=30, ha="right")
    ax.set_yticks(range(len(names) - 1), names[1:])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)
    bar = ax.figure.colorbar(image, ax=ax, label="log10 of the relative difference")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    ax.set_title(quantity)
    return ax


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
