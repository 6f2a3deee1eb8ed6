#!/usr/bin/env python3
"""How good a texture network is on the real pictures of the data folder.

    measure.py --data DIR --network FILE.onnx [--source replay|nuaa] [--fold N]

Prints EER, AUC and, where the network's own log odds of live are 0 (before
platt.py moves that), APCER, BPCER and HTER: a frame and a recording (the mean of
its frames' log odds). --fold keeps to the people that train.py
--hold N left out. The daemon's own `livenessd eval` is the judge in the end;
this one is quick.
"""
import argparse
import os
import pickle
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cv2
import numpy as np

import common

SIDE, SCALE, SHAPE, LIVE = 80, 1.8, "box", 1


def eer(live, attack):
    """Equal error rate of scores, in per cent, between the two nearest thresholds."""
    t = np.unique(np.concatenate([live, attack]))
    bp = np.searchsorted(np.sort(live), t, "left") / len(live)
    ap = 1 - np.searchsorted(np.sort(attack), t, "left") / len(attack)
    i = int(np.argmin(abs(ap - bp)))
    return 100 * (ap[i] + bp[i]) / 2


def auc(live, attack):
    s = np.sort(attack)
    return 100 * float((np.searchsorted(s, live, "left") + np.searchsorted(s, live, "right")).mean()) / 2 / len(s)


def line(name, logit, live):
    a, b = logit[live], logit[~live]
    ap, bp = 100 * (b >= 0).mean(), 100 * (a < 0).mean()
    return f"{name:18} EER {eer(a, b):5.2f}  AUC {auc(a, b):6.2f}  " \
        f"at log odds 0: APCER {ap:5.2f} BPCER {bp:5.2f} HTER {(ap + bp) / 2:5.2f}  (n {len(a)}+{len(b)})"


def by_recording(logit, live, recording):
    names, index = np.unique(recording, return_inverse=True)
    n = np.bincount(index)
    return np.bincount(index, logit) / n, np.bincount(index, live) / n > 0.5


def crops(data):
    """The real pictures' crops as the daemon cuts them, cached beside the data's name in the temporary folder."""
    cache = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"livenessd-crops-{SCALE}-own.pickle")
    if os.path.exists(cache):
        with open(cache, "rb") as f:
            return pickle.load(f)
    face = common.own_face()
    rows = []
    for path, source, kind, who, recording in common.pictures(data):
        if source not in ("replay", "nuaa"):
            continue
        img = cv2.imread(path)
        box = face.box(img)
        if box is not None:
            part = common.cut(img, box, (SIDE, SIDE), SCALE, SHAPE)
            rows.append((part, source, kind, who, recording, max(box[2:])))
    with open(cache, "wb") as f:
        pickle.dump(rows, f)
    return rows


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True)
    a.add_argument("--network", required=True)
    a.add_argument("--source", choices=["replay", "nuaa"])
    a.add_argument("--fold", type=int)
    o = a.parse_args()
    rows = crops(o.data)
    source, kind, who, recording = (np.array([r[i] for r in rows]) for i in (1, 2, 3, 4))
    net = cv2.dnn.readNet(o.network)
    logit = []
    for r in rows:
        net.setInput(cv2.dnn.blobFromImage(r[0], 1 / 127.5, mean=(127.5,) * 3, swapRB=False))
        logit.append(common.log_odds(net.forward()[0].astype(float), LIVE))
    report(np.array(logit), source, kind, who, recording, np.array([r[5] for r in rows]), o.source, o.fold)


def report(logit, source, kind, who, recording, size, only, fold):
    live = kind == "live"
    for s in [only] if only else ["replay", "nuaa"]:
        m = source == s
        if fold is not None:
            m &= common.fold_of(who) == fold
        if not (live[m].any() and (~live[m]).any()):
            continue
        print(line(s + " frames", logit[m], live[m]))
        print(line(s + " recordings", *by_recording(logit[m], live[m], recording[m])))
        band = m & (size >= 140) & (size <= 220) if s == "replay" else m
        if s == "replay" and live[band].any():
            print(line(s + " equal sizes", logit[band], live[band]))
        for k in sorted(set(kind[m]) - {"live"}):
            print(f"  {k:18} APCER {100 * (logit[m & (kind == k)] >= 0).mean():5.2f}")


if __name__ == "__main__":
    main()
