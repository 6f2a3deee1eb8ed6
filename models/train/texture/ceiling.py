#!/usr/bin/env python3
"""How good the texture network could be: its teachers, by what they are shown.

    ceiling.py --data DIR --reference DIR [--every 2]

A network learns from its teachers what they see in its own input. This prints,
on the real pictures that are in no sample of those networks, the equal error
rate of the first teacher, and of both together (train.py's weights), when the
second is shown the face from the picture itself and when it is shown no more
pixels than an input has. Beside each stands the range of thresholds at which
HTER keeps to the aim for a source never seen: where two sources' ranges do not
meet, no single threshold serves both. --every takes every so many pictures of
Replay-Attack.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cv2
import numpy as np
import onnxruntime

import common
import measure
import net
from train import FIRST_FILE, MIDDLE, SECOND_FILE, SECOND_SIDE

TIGHT = 1.2  # what the second teacher likes best to see of Replay-Attack, times the face box
AIMS = {"replay": 0.06, "nuaa": 0.005}  # HTER at a fixed threshold


class Teacher:
    """Log odds of live by a public network, on one thread."""

    def __init__(self, path, second):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.net, self.second = onnxruntime.InferenceSession(path, options), second

    def __call__(self, bgr):
        x = bgr.astype(np.float32)
        if self.second:
            x = x[..., ::-1] / 255
        x = np.ascontiguousarray(x.transpose(2, 0, 1)[None])
        out = self.net.run(None, {self.net.get_inputs()[0].name: x})[0].ravel().astype(float)
        return float(np.clip(out[0] - out[1] if self.second else common.log_odds(out, 1), -12, 12))


def views(img, box):
    """What the second teacher is shown, by a name for it, at its own size."""
    near = common.cut(img, box, (SECOND_SIDE,) * 2, TIGHT, measure.SHAPE)
    wide = common.cut(img, box, (net.SIDE,) * 2, measure.SCALE, measure.SHAPE)
    low = (net.SIDE - MIDDLE) // 2
    middle = wide[low:low + MIDDLE, low:low + MIDDLE]
    out = {f"{TIGHT} x the box, {SECOND_SIDE} pixels": near,
           f"the middle of an input of {net.SIDE}": cv2.resize(middle, (SECOND_SIDE,) * 2)}
    for side in (96, 72):
        small = cv2.resize(near, (side, side), interpolation=cv2.INTER_AREA)
        out[f"{TIGHT} x the box, {side} pixels"] = cv2.resize(small, (SECOND_SIDE,) * 2)
    return wide, out


def allowed(scores, live, aim):
    """The lowest and the highest threshold with an HTER of at most aim, or None."""
    tries = np.unique(np.concatenate([scores, scores + 1e-6]))
    hter = [((scores[live] < t).mean() + (scores[~live] >= t).mean()) / 2 for t in tries]
    good = tries[np.array(hter) <= aim]
    return (good.min(), good.max()) if len(good) else None


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True)
    a.add_argument("--reference", required=True)
    a.add_argument("--every", type=int, default=2)
    o = a.parse_args()
    face = common.own_face()
    first, second = Teacher(os.path.join(o.reference, FIRST_FILE), False), Teacher(os.path.join(o.reference, SECOND_FILE), True)
    rows, scores = [], {}
    for n, (path, source, kind, _, recording) in enumerate(common.pictures(o.data)):
        if source not in AIMS or source == "replay" and n % o.every:
            continue
        img = cv2.imread(path)
        box = face.box(img)
        if box is None:
            continue
        wide, shown = views(img, box)
        one = first(wide)
        rows.append((source, kind == "live", recording))
        scores.setdefault("the first teacher alone", []).append(one)
        for name, view in shown.items():
            scores.setdefault("both, the second sees " + name, []).append(one + net.SECOND * second(view))
    source, live, recording = (np.array(c) for c in zip(*rows))
    for name, z in scores.items():
        for s, aim in AIMS.items():
            m = source == s
            z_, live_ = measure.by_recording(np.array(z)[m], live[m], recording[m])
            span = allowed(z_, live_, aim)
            print(f"{name:52} {s:7} EER {measure.eer(z_[live_], z_[~live_]):5.2f} %  "
                  + (f"HTER at most {100 * aim:g} % from {span[0]:.2f} to {span[1]:.2f}" if span else f"HTER above {100 * aim:g} % at every threshold"))


if __name__ == "__main__":
    main()
