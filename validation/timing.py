"""Disturb the timing of a network that learns through its circuits: what it does to the updates, and to learning.

Studies: jitter (of single units), clock (of whole layers), lost and late feedback, order (of the layers), phase (of the
output's gate), desynchronised (delta of one image, x of another), consolidation (of tags, at random later
presentations). Each compares presentations with the algorithm's, and trains the network on embedded digits.

examples:
  hebb timing --quick
  hebb timing jitter phase --seeds 5 --out runs/jitter
  hebb timing order --net "Full 60; Full 60; Full 60; Full 60; Output" --epochs 20 --out runs/deep
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from circuits.figures import save
from network.errors import BadInput, unknown
from sim.cli.parser import add_json, report
from sim.config import TrainConfig, config_text, make_config, read_config
from sim.laboratory import STUDIES, Bench, measure, settings_of
from sim.laboratory.figure import study_figure
from sim.run_folder import RunFolder
from validation.timing_report import Rows, table, timing_report

NET = "Conv 8 3x3; Maxpool 3; Full 60; Full 60; Output"
BATCH_SIZE = 20
SEEDS, EPOCHS = 3, 5
SEEDS_QUICK, EPOCHS_QUICK = 1, 2
MOST_SEEDS = 10_000
CONFIG, ROWS = "timing.toml", "rows.jsonl"
KEY = ("study", "series", "value", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"{', '.join(STUDIES)} (default: all)")
    parser.add_argument("--out", default="runs/timing", metavar="DIR", help="folder of rows, figures and report")
    parser.add_argument("--seeds", type=int, help=f"networks trained at each setting (default {SEEDS})")
    parser.add_argument("--epochs", type=int, help=f"passes over the 1,295 training images (default {EPOCHS})")
    parser.add_argument("--net", default=NET, metavar='PRESET|"NOTATION"', help=f'the network (default "{NET}")')
    parser.add_argument("--rule", default="urfb", help="bph, frfb or urfb (default)")
    parser.add_argument("--quick", action="store_true", help="few settings, one seed, two epochs")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(parser)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. The message is one line: what is kept, and how to go on."""


def run(args: argparse.Namespace) -> int:
    """Run the studies that are not yet in the folder, and write what is there."""
    for name in args.studies:
        if name not in STUDIES:
            raise unknown("study", name, STUDIES)
    studies = [STUDIES[name] for name in dict.fromkeys(args.studies or STUDIES)]
    usual = (SEEDS_QUICK, EPOCHS_QUICK) if args.quick else (SEEDS, EPOCHS)
    given = (args.seeds, args.epochs)
    seeds, epochs = (usual[k] if given[k] is None else given[k] for k in range(2))
    if not (1 <= seeds <= MOST_SEEDS and epochs >= 1):
        raise BadInput(
            f"--seeds {seeds} --epochs {epochs}: expected at least 1 of each, and at most {MOST_SEEDS} seeds"
        )
    config = bench_config(args.net, args.rule, epochs)
    bench = Bench.of(config)
    folder, rows = _open(Path(args.out), config_text(config))
    settings = [setting for study in studies for setting in settings_of(study, seeds, quick=args.quick)]
    done = {_key(row) for row in rows}
    todo = [setting for setting in settings if _key(setting) not in done]
    bar = tqdm(todo, unit="setting", disable=args.quiet, mininterval=0.1 if sys.stderr.isatty() else 10)
    try:
        for setting in bar:
            bar.set_description(f"{setting['study']}, seed {setting['seed']}", refresh=False)
            rows.append(measure(bench, STUDIES[setting["study"]], setting))
            folder.write(ROWS, "".join(json.dumps(row) + "\n" for row in rows))
    except KeyboardInterrupt:
        kept = f"{len(rows)} settings are kept" if rows else "nothing is kept yet"
        raise Interrupted(f"interrupted; {kept}, and the same command goes on in {folder.path}") from None
    finally:
        bar.close()
        if rows:
            _write(folder, rows, bench)
    path = folder.path / "report.html"
    report(args, {"report": str(path), "chance": bench.chance, "rows": rows}, f"{table(rows)}\nreport: {path}")
    return 0


def bench_config(net: str = NET, rule: str = "urfb", epochs: int = EPOCHS) -> TrainConfig:
    """The training that the studies disturb; `sim.laboratory.Bench.of` makes a bench for it."""
    flags = {"net": net, "rule": rule, "epochs": epochs, "batch_size": BATCH_SIZE}
    return make_config({**flags, "engine": "event", "dtype": "float64"}, "--{}")


def _open(out: Path, config: str) -> tuple[RunFolder, list[dict[str, Any]]]:
    """The folder, and the rows that an earlier command with the same settings has left there."""
    if (out / CONFIG).exists() and read_config(out / CONFIG) != tomllib.loads(config):
        raise BadInput(f"--out {out}: holds studies of another network, rule or training; name another folder")
    folder, rows = RunFolder.create(out), []
    if (out / ROWS).exists():
        try:
            rows = [json.loads(line) for line in (out / ROWS).read_text().splitlines()]
            rows = [row for row in rows if _key(row)[0] in STUDIES]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{out / ROWS}: damaged ({error}); remove it, or name another folder") from None
    folder.write(CONFIG, config)
    return folder, rows


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def _write(folder: RunFolder, rows: Rows, bench: Bench) -> None:
    for study in STUDIES.values():
        some = [row for row in rows if row["study"] == study.name]
        if some:
            save(study_figure(some, study, bench.chance), folder.path / f"{study.name}.png")
    folder.write("report.html", timing_report(rows, bench).html())
