"""Train a network and keep the run in a folder.

examples:
  hebb train                                                simpnet by URFB on the embedded digits
  hebb train --data cifar10 --rule frfb --epochs 20 --seed 1
  hebb train --net "Conv 16 3x3; Maxpool 3; Full 100; Output" --data mnist --data-dir ~/data
  hebb train --engine event --timing 10                     through the circuits, in finite time
  hebb train --net liao_cifar --data cifar10 --rule usf --norm bn --manhattan 1 --momentum .9 --eta 5e-4
  hebb train --data cifar10 --seeds 0 1 2                   three runs in step; on a GPU their updates are one graph
  hebb train --config run.toml --eta .05                    a flag wins over the file
  hebb train --resume runs/simpnet-urfb-digits-seed0 --epochs 40
"""

import argparse
from pathlib import Path
from typing import Any

from network.errors import BadInput
from network.rules import effective_order, make_rule, why_before_update
from sim.cli.parser import add_json, note, report
from sim.config import FIELDS, choices_of, describe_field, is_switch, make_config, read_config

SPELL = "--{}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags: one for every field of `TrainConfig`, and where the run is kept.

    Defaults set on the parser before (``set_defaults``) are defaults of the config.
    """
    for name, field in FIELDS.items():
        default = parser.get_default(name) or field.default
        shown = "" if default is None else f" (default {default})"
        explained = describe_field(name).replace("%", "%%")  # argparse puts values in
        if is_switch(name):
            flag = SPELL.format(name.replace("_", "-"))
            parser.add_argument(flag, action="store_true", default=None, help=explained)
            continue
        choices = choices_of(name)
        metavar = "{" + ",".join(choices) + "}" if choices else name.split("_")[-1].upper()
        parser.add_argument(SPELL.format(name.replace("_", "-")), metavar=metavar, help=explained + shown)
    parser.set_defaults(
        own_defaults={name: value for name in FIELDS if (value := parser.get_default(name)) is not None}
    )
    parser.set_defaults(**dict.fromkeys(FIELDS))
    parser.add_argument(
        "--seeds", nargs="+", metavar="SEED", help="a run from each of these seeds, all trained at the same time"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="the run's folder (default: a new one under runs/); with --seeds, what holds them"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder, bit for bit")
    parser.add_argument("--config", metavar="FILE.toml", help="read settings from a file, as config.toml of a run")
    parser.add_argument("--download", action="store_true", help="fetch missing data whatever its size (else to 500 MB)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and print where each run is and how it ended."""
    from sim import ranks
    from sim.data.files import allow_downloads
    from sim.run_folder import CONFIG
    from sim.train import resume, start, start_seeds

    if args.download:
        allow_downloads()
    flags = {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
    make_config(flags, SPELL)  # a mistake in a flag is reported as the flag's, wherever the other values come from
    seeds = _seeds(args, flags)
    given: dict[str, Any] = {**(read_config(args.config) if args.config else {}), **flags}
    progress = not args.quiet and ranks.is_first()
    if ranks.restarted() and args.out and (Path(args.out) / CONFIG).exists():
        args.resume, args.out = args.out, None  # torchrun gives the same command again after a process was lost
    if args.resume:
        if args.out:
            raise BadInput(f"--out {args.out}: a resumed run stays in its folder, {args.resume}; leave --out away")
        finished = [resume(args.resume, given, spell=SPELL, progress=progress)]
    else:
        config = make_config({**args.own_defaults, **given}, SPELL)
        rule = make_rule(config.rule)
        if effective_order(rule, config.order) != config.order:
            note(f"rule '{rule.name}' {why_before_update(rule)} and always runs before_update")
        if seeds:
            finished = start_seeds(config, seeds, args.out, progress=progress)
        else:
            finished = [start(config, args.out, progress=progress)]
    if ranks.is_first():
        results, texts = zip(*map(_ended, finished), strict=True)
        report(args, list(results) if seeds else results[0], "\n".join(texts))
    return 0


def _seeds(args: argparse.Namespace, flags: dict[str, Any]) -> list[int]:
    """Those of ``--seeds``; empty where it was not given."""
    from sim import ranks

    if not args.seeds:
        return []
    shown = f"--seeds {' '.join(args.seeds)}"
    if "seed" in flags:
        raise BadInput(f"{shown}: names all seeds; leave --seed {flags['seed']} away")
    if args.resume:
        raise BadInput(f"{shown}: a resumed run keeps its seed; go on with one run at a time, --resume {args.resume}")
    if ranks.count() > 1:
        raise BadInput(f"{shown}: torchrun trains one run on all its processes; start it once for each --seed")
    seeds = [make_config({"seed": seed}, SPELL + "s").seed for seed in args.seeds]
    twice = next((seed for k, seed in enumerate(seeds) if seed in seeds[:k]), None)
    if twice is not None:
        raise BadInput(f"{shown}: {twice} comes twice, and the same seed gives the same run; name each once")
    return seeds


def _ended(run: Any) -> tuple[dict[str, Any], str]:
    """How a run (`sim.train.Run`) ended, as JSON has it and in a line."""
    from sim.train import summary

    last = run.rows[-1] if run.rows else None
    text = f"{run.folder}: {len(run.rows)} epochs" + (f"; {summary(last)}" if last else "")
    return {"folder": str(run.folder), "epochs": len(run.rows), "last": last}, text
