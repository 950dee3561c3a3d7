"""An experiment as a value: settings, axes, what the paper reports, what it claims, and how it is drawn.

Nothing here runs anything. `sim.grid` runs what `Experiment.points` lists, and `validation.reproduce` judges it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

from network.errors import BadInput, unknown
from sim.experiments.quantities import LAST_TEST_ERROR, Quantity

Labels = tuple[str, ...]


@dataclass(frozen=True)
class First:
    """The run that another one starts from, where there are two phases (`sim.first_phase`).

    Attributes
    ----------
    settings : mapping of str to object
        Fields of `TrainConfig` in which it differs from the run that starts from it.
    epochs : int
        The paper's; fewer where the second phase has fewer, so that a short try stays short.
    what : str
        What the phases are, in a sentence for the page.
    exactly : bool
        So many epochs whatever the second phase has.
    """

    settings: Mapping[str, Any]
    epochs: int
    what: str
    exactly: bool = False

    def epochs_before(self, epochs: int) -> int:
        """How many epochs come before a second phase of so many."""
        return self.epochs if self.exactly else min(self.epochs, epochs)


@dataclass(frozen=True)
class Variant:
    """One value on an axis.

    Attributes
    ----------
    label : str
        As the paper calls it.
    settings : mapping of str to object
        Fields of `TrainConfig` that make it. A field that `TrainConfig` lacks makes it a row that is listed and not
        run.
    needs : str
        What else would have to be there before it can be run; empty for nothing.
    first : First, optional
        The run that comes before.
    """

    label: str
    settings: Mapping[str, Any]
    needs: str = ""
    first: First | None = None


@dataclass(frozen=True)
class Axis:
    """What varies. On a `best_of` axis the best run stands for all, as for the learning rates of Liao and others."""

    name: str
    variants: tuple[Variant, ...]
    best_of: bool = False

    @property
    def labels(self) -> Labels:
        return tuple(variant.label for variant in self.variants)


@dataclass(frozen=True)
class Expectation:
    """A claim of the paper as a contrast between cells, to be judged by runs.

    Attributes
    ----------
    name, statement, source : str
        As in `validation.claims.Claim`.
    contrast : tuple of (coefficient, {axis: label})
        Coefficients times the quantity of the cell named, added up, seed by seed. An axis that no term names is gone
        through: one claim for each of its labels.
    reads : str
        The word for the values that agree with the paper, a key of `validation.tolerances.READINGS`.
    quantity : Quantity, optional
        What is compared, where it is not the experiment's own.
    """

    name: str
    statement: str
    source: str
    contrast: tuple[tuple[float, Mapping[str, str]], ...]
    reads: Literal["more", "much more", "close", "strong"]
    quantity: Quantity | None = None


@dataclass(frozen=True)
class Point:
    """One run of an experiment, but for its seed: a variant of every axis."""

    labels: Labels  # one per axis, those of `best_of` axes too
    cell: Labels  # one per axis that is no `best_of`: runs with the same are one number of the result
    settings: Mapping[str, Any]
    needs: str
    first: First | None = None  # with all settings of that run


@dataclass(frozen=True)
class Experiment:
    """A figure or table: base settings x axes x seeds.

    Attributes
    ----------
    name : str
        What it is called on the command line.
    paper, where, title : str
        Whose, which figure or table, and what it shows.
    outcome : tuple of str
        What the paper reports, as facts.
    base : mapping of str to object
        The paper's settings, by field of `TrainConfig`.
    axes : tuple of Axis
    figure : {"bars", "curves", "alignment", "filters", "table"}
    quantity : Quantity
    expectations : tuple of Expectation
    numbers : mapping of labels to float
        The paper's numbers by cell, where it prints them; error rates as fractions.
    seeds : int
        How many, where the user does not say.
    open_points : tuple of str
        What the paper leaves open, and what was chosen.
    """

    name: str
    paper: str
    where: str
    title: str
    outcome: tuple[str, ...]
    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    figure: Literal["bars", "curves", "alignment", "filters", "table"]
    quantity: Quantity = LAST_TEST_ERROR
    expectations: tuple[Expectation, ...] = ()
    numbers: Mapping[Labels, float] = field(default_factory=dict)
    seeds: int = 3
    open_points: tuple[str, ...] = ()

    @property
    def shown_axes(self) -> tuple[Axis, ...]:
        """The axes that the result has: those without the `best_of`."""
        return tuple(axis for axis in self.axes if not axis.best_of)

    def points(
        self,
        datasets: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Point]:
        """Every combination of variants.

        Parameters
        ----------
        datasets : sequence of str, optional
            Only these, by label or name. A name that the experiment does not have is one more variant of its data
            axis: another data set, with the paper's settings.
        changes : mapping of str to object, optional
            Settings that win over those of the base and of the axes.
        only : mapping of str to sequence of str, optional
            Labels that are kept, by the name of their axis.

        Raises
        ------
        BadInput
            Where the experiment has one data set for several networks, and another is asked for; for an axis or label
            that it does not have.
        """
        axes = [_chosen(axis, datasets) if axis.name == "data" else axis for axis in self.axes]
        axes = [_given(axis, changes or {}) if axis.best_of else axis for axis in axes]
        for name, labels in (only or {}).items():
            if name not in [axis.name for axis in axes]:
                raise unknown("axis", name, [axis.name for axis in axes])
            axes = [_kept(axis, labels) if axis.name == name else axis for axis in axes]
        return [_point(self.base, axes, variants, changes or {}) for variants in product(*(a.variants for a in axes))]

    def expand(
        self, expectation: Expectation, cells: Sequence[Labels]
    ) -> Iterator[tuple[str, list[tuple[float, Labels]]]]:
        """An expectation once for each label of the axes that it does not name, as (what, [(coefficient, cell)])."""
        names = [axis.name for axis in self.shown_axes]
        free = [n for n in range(len(names)) if all(names[n] not in where for _, where in expectation.contrast)]
        seen = dict.fromkeys(tuple(cell[n] for n in free) for cell in cells)
        for labels in seen:
            terms = []
            for coefficient, where in expectation.contrast:
                given = dict(zip(free, labels, strict=True))
                if any(n not in given and name not in where for n, name in enumerate(names)):
                    raise ValueError(f"{self.name}, {expectation.name}: {where} names no single cell")
                terms.append((coefficient, tuple(given.get(n, where.get(names[n], "")) for n in range(len(names)))))
            yield ", ".join(labels), terms


def _given(axis: Axis, changes: Mapping[str, Any]) -> Axis:
    """The axis, of one variant where the changes give what it varies."""
    varied = {name for variant in axis.variants for name in variant.settings}
    if not varied <= changes.keys():
        return axis
    return Axis(axis.name, (Variant(", ".join(f"{changes[name]}" for name in sorted(varied)), {}),), axis.best_of)


def _kept(axis: Axis, labels: Sequence[str]) -> Axis:
    for label in labels:
        if label not in axis.labels:
            raise unknown(axis.name, label, axis.labels)
    return Axis(axis.name, tuple(each for each in axis.variants if each.label in labels), axis.best_of)


def _chosen(axis: Axis, datasets: Sequence[str] | None) -> Axis:
    if datasets is None:
        return axis
    by_name = {variant.label.lower(): variant for variant in axis.variants}
    by_name |= {str(variant.settings["data"]).lower(): variant for variant in axis.variants}
    nets = {variant.settings.get("net") for variant in axis.variants}
    variants = []
    for name in datasets:
        if name.lower() in by_name:
            variants.append(by_name[name.lower()])
        elif len(nets) > 1:
            raise unknown("dataset", name, [str(variant.settings["data"]) for variant in axis.variants])
        else:
            short = Path(name).stem  # of a user's own file: figures have no room for a path
            label = name if short in {variant.label for variant in variants} else short
            variants.append(Variant(label, {**axis.variants[0].settings, "data": name}))
    if not variants:
        raise BadInput("--datasets: expected at least one name")
    return Axis(axis.name, tuple({variant.label: variant for variant in variants}.values()), axis.best_of)


def _point(
    base: Mapping[str, Any], axes: Sequence[Axis], variants: Sequence[Variant], changes: Mapping[str, Any]
) -> Point:
    settings = dict(base)
    for variant in variants:
        settings |= variant.settings
    settings |= changes
    first = next((variant.first for variant in variants if variant.first), None)
    return Point(
        labels=tuple(variant.label for variant in variants),
        cell=tuple(v.label for axis, v in zip(axes, variants, strict=True) if not axis.best_of),
        settings=settings,
        needs="; ".join(variant.needs for variant in variants if variant.needs),
        first=replace(first, settings=settings | dict(first.settings)) if first else None,
    )
