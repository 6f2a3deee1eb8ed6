#!/usr/bin/env python3
"""Make the network that confirms faces: cuts out what it learns from, trains it by the teacher, and writes it as ONNX.

    python3 models/train/confirm/make.py --data ../shared/data --reference ../shared/reference-models \\
        --faceless DIR --scenes DIR --face models/weights/face.onnx --work DIR --out models/weights/confirm.onnx

DIRs: what face/faceless.py gathers, what cmd/scenes writes, and one for what is made on the way.
Everything random is seeded. face/evaluate.py measures it together with the face network.
"""
import argparse
import os
import pathlib
import pickle
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "face")]

import cv2
import numpy as np
import torch

import net
import samples

NOT_A_FACE = 0.45  # of what is learnt from
SHARES = {"replay-live": 0.12, "replay-attack": 0.08, "nuaa-live": 0.10, "nuaa-attack": 0.08,
          "faces": 0.26, "masks": 0.20, "clips": 0.08, "scenes": 0.08}


def weights(known):
    """How often each sample is shown: each source has its share, whatever its number."""
    face = known["face"]
    w = np.zeros(len(face))
    for source, share in SHARES.items():
        rows = face & (known["source"] == source)
        if rows.any():
            w[rows] = share * (1 - NOT_A_FACE) / rows.sum()
    w[~face] = 0.2 + known["scores"][~face]  # what the face network takes for one, above all
    w[~face] *= NOT_A_FACE / w[~face].sum()
    return w


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "reference", "faceless", "scenes", "face", "work", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--every", type=int, default=1, help="take one picture in so many, to try it all out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--everything", action="store_true", help="learn from what is kept apart, too")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    journal = open(args.work / "train.log", "a")

    def log(line):
        line = f"{time.strftime('%H:%M:%S')} {line}"
        print(line, flush=True)
        print(line, file=journal, flush=True)

    log(f"torch {torch.__version__}, numpy {np.__version__}, cv2 {cv2.__version__}, {vars(args)}")
    kept = args.work / ("samples-all.pkl" if args.everything else "samples.pkl")
    if kept.exists():
        known = pickle.loads(kept.read_bytes())
    else:
        known = samples.make(args, log)
        kept.with_suffix(".part").write_bytes(pickle.dumps(known, protocol=4))
        os.replace(kept.with_suffix(".part"), kept)
    face = known["face"]
    for source in np.unique(known["source"]):
        rows = known["source"] == source
        log(f"{source}: {np.sum(rows & face)} faces, {np.sum(rows & ~face)} that are none")
    net.train(known, weights(known), args.steps, args.seed, args.out, log)


if __name__ == "__main__":
    main()
