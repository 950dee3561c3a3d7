"""Learning curves update by update: the same network trained by several engines at once, until it has converged.

Prints, as JSON, when the engines first counted another number of errors or differed in a weight by more than 1e-6 of
the largest, the largest difference up to several updates, and the errors at the end.

examples:
  python benchmarks/learning.py
  python benchmarks/learning.py --engines reference event --net "Conv 8 5x5; Maxpool 3; Full 60; Output" --epochs 60
  python benchmarks/learning.py --data cifar10 --net simpnet --batch-size 500 --epochs 1 --dtype float32
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

# Run as a script, Python puts this file's folder first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from network.randomness import stream
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.data import load_data
from sim.engine import Engine, Settings, open_engine

NET = "Conv 8 5x5; Maxpool 3; Drop .5; Full 60; Drop .3; Output"
BOUND = 1e-6  # of the largest weight of a layer
SHOWN = (1, 10, 20, 50, 100, 200, 500)  # updates after which the largest difference so far is written down


def largest_difference(a: Weights, b: Weights) -> float:
    """The largest of |a - b| over max |a|, of W and R, over the layers."""
    pairs = [(ours[i], theirs[i]) for ours, theirs in ((a.W, b.W), (a.R, b.R)) for i in ours]
    return max(float(np.abs(x - y).max() / np.abs(x).max()) for x, y in pairs)


def wrong_share(engine: Engine, images: np.ndarray, labels: np.ndarray) -> float:
    return int((engine.outputs(engine.stage(images)).argmax(1) != engine.stage(labels)).sum()) / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", default=["torch", "event"], help="the first is what others are held to")
    parser.add_argument("--net", default=NET)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-dir")
    parser.add_argument("--rule", default="urfb")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--eta", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--out", metavar="FILE")
    args = parser.parse_args()
    data, rule = load_data(args.data, args.data_dir), make_rule(args.rule)
    spec = NetworkSpec.parse(args.net, data.image_shape, data.classes)
    weights = Weights.draw(spec, args.seed, rule, dtype=args.dtype)
    settings = Settings(rule, args.eta, dtype=args.dtype, device="cpu", seed=args.seed)
    engines = [open_engine(name, spec, weights.copy(), settings) for name in args.engines]
    staged = [(engine.stage(data.train.images), engine.stage(data.train.labels)) for engine in engines]
    first: dict[str, int | None] = {"errors": None, "weights": None}  # update of the first difference
    largest, passed, update = 0.0, {}, 0
    for epoch in range(1, args.epochs + 1):
        order = stream(args.seed, "batches", epoch).permutation(len(data.train))
        for at in range(0, len(order), args.batch_size):
            batch = order[at : at + args.batch_size]
            wrong = {
                int(engine.learn(images[batch], labels[batch], update))
                for engine, (images, labels) in zip(engines, staged, strict=True)
            }
            update += 1
            if len(wrong) > 1 and first["errors"] is None:
                first["errors"] = update
            ours, *others = (engine.weights() for engine in engines)
            largest = max(largest, *(largest_difference(ours, theirs) for theirs in others))
            if largest > BOUND and first["weights"] is None:
                first["weights"] = update
            if update in SHOWN or update % 1000 == 0:
                passed[update] = largest
    passed[update] = largest
    ends = {
        part: [wrong_share(engine, split.images, split.labels) for engine in engines]
        for part, split in (("training", data.train), ("test", data.test))
    }
    result = {**vars(args), "updates": update, "first_difference": first, "largest_difference": passed, "errors": ends}
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        Path(args.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
