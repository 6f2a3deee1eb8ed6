#!/usr/bin/env python3
"""Make the attributes network: python3 make.py --data ../../../../shared/data --detector yunet_n_320_320.onnx --out ../../weights/attributes.onnx

Finds the faces, puts things on them, trains the network on all of them, trains
one network for each fold on the others, sets the points of decision by what the
networks of the folds say of people they have not seen, and writes the ONNX file,
its spec and a report. What is finished lies in --work and is not made again.
--scenes is a folder made by `go run ./cmd/scenes -out DIR -scenes person -seeds 60 -frames 6`.
Everything random is seeded.
"""
import argparse
import glob
import os
import pickle
import sys
import time

import cv2
import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import faces
import net
import report
import samples
from detector import Detector

HERE = os.path.dirname(os.path.abspath(__file__))
SEED, COUNT, EPOCHS, FOLD_EPOCHS = 1, 44000, 12, 8


def log(*what):
    print(time.strftime("%H:%M:%S"), *what, flush=True)


def kept(work, name, make):
    """The object in the file work/name, made and written first if there is none."""
    path = os.path.join(work, name)
    if os.path.exists(path):
        with open(path, "rb") as f:
            return pickle.load(f)
    what = make()
    with open(path + ".part", "wb") as f:
        pickle.dump(what, f)
    os.replace(path + ".part", path)
    return what


def gather(a):
    """All samples, from pictures, clips and scenes."""
    rows = samples.read_labels(os.path.join(HERE, "labels.csv"))
    detector = Detector(a.detector)
    out, missed = [], {}

    def add(name, source, who, img):
        face = faces.find(detector, img)
        if face is None:
            missed[source] = missed.get(source, 0) + 1
        else:
            out.append(samples.Sample(name, source, who, img, face, samples.label(rows, name, source)))

    for path, source, who in faces.pictures(a.data):
        img = cv2.imread(os.path.join(a.data, path))
        if img is not None:
            add(path, source, who, img)
    for name, img, who in faces.clip_frames(a.data):
        add(name, "clips", who, img)
    for path in sorted(glob.glob(os.path.join(a.scenes or "", "person", "*", "frame_*.jpg")))[::2] if a.scenes else []:
        who = os.path.basename(os.path.dirname(path))
        add(f"scenes/{who}/{os.path.basename(path)}", "sim", "sim-" + who, cv2.imread(path))
    log(len(out), "faces; without a face:", missed)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="folder with masks, faces, replay-train, nuaa-train and clips")
    p.add_argument("--detector", required=True, help="yunet_n_320_320.onnx")
    p.add_argument("--scenes", help="folder of scenes of the simulated presenter")
    p.add_argument("--out", required=True, help="ONNX file to write")
    p.add_argument("--work", required=True, help="folder for what is made on the way")
    a = p.parse_args()
    os.makedirs(a.work, exist_ok=True)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    everyone = kept(a.work, "samples.pkl", lambda: gather(a))
    masks = [s for s in everyone if s.source in ("with_mask", "without_mask")]
    log(samples.alike(masks), "different pictures among", len(masks), "of masks")
    x, y, fold = kept(a.work, "train.pkl", lambda: samples.build(everyone, COUNT, SEED))
    log(len(x), "pictures to learn from")

    def learn(use, epochs, seed):
        n = net.train(x[use], y[use], epochs, seed, log)
        return n.state_dict()

    def restore(state):
        n = net.network()
        n.load_state_dict(state)
        return n.eval()

    log("network of all")
    final = restore(kept(a.work, "final.pkl", lambda: learn(fold >= 0, EPOCHS, SEED)))
    others = []
    for k in range(samples.FOLDS):
        log("network of all but fold", k)
        others.append(restore(kept(a.work, f"fold{k}.pkl", lambda: learn(fold != k, FOLD_EPOCHS, SEED + 1 + k))))

    unseen = report.Unseen(everyone, others, SEED)
    shift = unseen.shift()
    with open(os.path.join(a.work, "report.txt"), "w") as f:
        for line in unseen.lines(shift):
            print(line)
            print(line, file=f)
    net.export(final, shift, a.out)
    report.write_spec(a.out, os.path.join(a.work, "spec.json"))
    report.compare(a.out, final, shift, everyone, log)


if __name__ == "__main__":
    main()
