"""Feed damaged and forged input to every command that reads any, and hold the answers to their limits.

No input may give a traceback, hang, unpickle anything, or take more memory than a file of its size may ask for
(`network.bounds`): the answer is exit code 0, or 2 with one line on stderr. Prints what was tried.

    python -m tests.robust.fuzz --minutes 5
    python -m tests.robust.fuzz --inputs 200 --target step --seed 3
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.robust.guard import Broken, Tally, Unpickled, alone, answer, forbid_unpickling, limit_memory, peak
from tests.robust.targets import Target, make_targets

# Whole files are large inputs, and a shared machine is slow: neither says anything about what is fuzzed.
UNMINDED = (
    HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example
)  # fmt: skip
ROUND = 100  # inputs of one target before it is the next one's turn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="go on with other seeds for so long (default: one round)")
    parser.add_argument("--inputs", type=int, default=ROUND, help=f"of each target in a round (default {ROUND})")
    parser.add_argument("--seed", type=int, default=0, help="of the first round (default 0)")
    parser.add_argument("--target", action="append", help="only this one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone(folder)
        targets = make_targets(Path(folder))
        chosen = {name: target for name, target in targets.items() if name in (args.target or targets)}
        tallies = {name: Tally() for name in chosen}
        forbid_unpickling()
        limit_memory()
        start, began, number, found = peak(), time.monotonic(), args.seed, []
        while True:
            for name, target in chosen.items():
                if not any(name == each for each, _ in found):
                    found += [(name, why) for why in _round(target, tallies[name], args.inputs, number)]
            number += 1
            if args.minutes is None or time.monotonic() - began > 60 * args.minutes:
                break
        if (Path(folder) / "canary").exists():
            found.append(("pickle", "something was unpickled"))
    print(f"{'target':<10} {'tried':>7} {'refused':>8} {'accepted':>9} {'failed':>7} {'slowest, s':>11}")
    for name, tally in tallies.items():
        counts = [tally.answers[how] for how in ("refused", "accepted", "failed")]
        print(f"{name:<10} {tally.tried:>7} {counts[0]:>8} {counts[1]:>9} {counts[2]:>7} {tally.slowest:>11.2f}")
    total = sum(tally.tried for tally in tallies.values())
    print(
        f"{total} inputs in {(time.monotonic() - began) / 60:.1f} minutes; {len(found)} broke something; nothing "
        f"unpickled; memory at most {(peak() - start) / 2**20:.0f} MiB above the start"
    )
    for name, why in found:
        print(f"\nBROKEN {name}: {why}")
    return int(bool(found))


def _round(target: Target, tally: Tally, inputs: int, number: int) -> list[str]:
    """So many inputs; what broke, made as small as it could be."""

    @seed(number)
    @settings(
        max_examples=inputs, database=None, deadline=None, derandomize=False, suppress_health_check=UNMINDED,
        phases=(Phase.generate, Phase.shrink), print_blob=False,
    )  # fmt: skip
    @given(target.inputs)
    def try_one(data: object) -> None:
        answer(target.call(data), tally, asks=target.asks)

    try:
        try_one()
    except (Broken, Unpickled) as error:
        return [_told(error)]
    except BaseExceptionGroup as group:  # several that broke in different places
        return [_told(error) for error in group.exceptions]
    return []


def _told(error: BaseException) -> str:
    """What broke, where, and by which input."""
    last = error.__cause__ and error.__cause__.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f" ({last.tb_frame.f_code.co_filename}:{last.tb_lineno})" if last else ""
    return f"{error}{place}\n" + "\n".join(getattr(error, "__notes__", []))[:600]


if __name__ == "__main__":
    sys.exit(main())
