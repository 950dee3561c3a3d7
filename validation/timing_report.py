"""The timing laboratory's rows as a report and as text."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from sim.laboratory import STUDIES, Bench, Study
from sim.laboratory.figure import study_figure
from validation.report import Picture, Report, Section

Rows = Sequence[Mapping[str, Any]]


def timing_section(rows: Rows, study: Study, chance: float, code: str = "") -> Section:
    """A study in a report: its question, figure, and numbers."""
    some = [row for row in rows if row["study"] == study.name]
    unit = f" ({study.unit})" if study.unit else ""
    caption = (
        f"Lines are means over {len({row['seed'] for row in some})} seeds, bands go from the least to the greatest. "
        f"Chance is a test error of {chance:.2f}."
    )
    return Section(
        study.title,
        text=(study.why,),
        header=("", study.varied + unit, "angle (degrees)", "length", "test error", "requirements broken"),
        rows=[_cells(series, value, found) for series, value, found in _grouped(some, study)],
        figures=(Picture.of(study_figure(some, study, chance), caption),),
        code=code,
    )


def timing_report(rows: Rows, bench: Bench) -> Report:
    """The report of all rows."""
    names = dict.fromkeys(row["study"] for row in rows)
    settings = bench.settings
    return Report(
        title="The timing laboratory",
        introduction=(
            "The updates of a layer need its feedback to have replaced its activity while the layer below is still "
            "feedforward. Here the events of a presentation come at other times than they should, and the circuit goes "
            "on with whatever is there.",
            f"The network is {bench.spec.notation}, rule {settings.rule.name}, eta {settings.eta:g}, batches of "
            f"{bench.batch_size}, {bench.epochs} epochs of {len(bench.train):,} images of digits; nothing is dropped. "
            f"The angle is between all increments of W and R and those of the algorithm for the same weights and "
            f"images, 100 images after two epochs without disturbance; the length is theirs, the algorithm's being 1. "
            f"Requirements broken are per presentation of a batch; those of single units are not counted.",
        ),
        sections=tuple(timing_section(rows, STUDIES[name], bench.chance) for name in STUDIES if name in names),
    )


def table(rows: Rows) -> str:
    """Test errors, one line a series and one column a value, study by study."""
    lines: list[str] = []
    for study in STUDIES.values():
        some = [row for row in rows if row["study"] == study.name]
        if not some:
            continue
        values = sorted({row["value"] for row in some})
        unit = f" ({study.unit})" if study.unit else ""
        lines += [f"{study.name}: test error by {study.varied}{unit}"]
        lines += [" " * 34 + "".join(f"{value:>8g}" for value in values)]
        for series in study.series:
            found = {v: [r["test_error"] for r in some if r["series"] == series and r["value"] == v] for v in values}
            if any(found.values()):
                cells = (f"{mean(errors):>8.3f}" if errors else " " * 8 for errors in found.values())
                lines.append(f"  {series:32}" + "".join(cells))
    return "\n".join(lines)


def _grouped(rows: Rows, study: Study) -> list[tuple[str, float, list[Mapping[str, Any]]]]:
    """Rows of all seeds together, by series and value."""
    groups = [(series, value) for series in study.series for value in sorted({row["value"] for row in rows})]
    found = [(s, v, [row for row in rows if row["series"] == s and row["value"] == v]) for s, v in groups]
    return [group for group in found if group[2]]


def _cells(series: str, value: float, rows: Rows) -> tuple[str, ...]:
    errors = [row["test_error"] for row in rows]
    spread = f" ± {100 * stdev(errors):.1f}" if len(errors) > 1 else ""
    broken: dict[str, float] = {}
    for row in rows:
        for name, count in row["violations"].items():
            broken[name] = broken.get(name, 0) + count / len(rows)
    return (
        series,
        f"{value:g}",
        _average([row["angle"] for row in rows], ".1f"),
        _average([row["length"] for row in rows], ".2f"),
        f"{100 * mean(errors):.1f}{spread} %",
        ", ".join(f"{name} {count:.1f}" for name, count in broken.items()),
    )


def _average(values: Sequence[float | None], form: str) -> str:
    """The mean of those that are numbers; a dash where none is, as the angle of an update that does nothing."""
    numbers = [value for value in values if value is not None]
    return f"{mean(numbers):{form}}" if numbers else "-"
