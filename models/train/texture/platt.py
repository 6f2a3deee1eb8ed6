#!/usr/bin/env python3
"""Make a texture network's answer a calibrated probability.

    platt.py --set SET.json [--networks SET.json] [--weights DIR] --data DIR
             [--scenes DIR] [--without replay|nuaa]... [--simulated] [--hold N]

Fits p = 1/(1 + exp(−(a·x + b))) of being live to its log odds x (Platt, "Probabilistic
Outputs for Support Vector Machines", 1999) on the pictures of real cameras and
the presenter's, cut as the daemon cuts them, each source and in it each class
with a fixed share; then moves b to the operating point, and writes a and b into
the set's fusion. --networks names another set whose network answers: that of a
run which has left out the people of --hold N.

Where the people and the attacks are those of the door that is meant, that is
where APCER + BPCER, each the mean over the sources (drawn people count little)
and APCER that over the kinds of attack, are least together, or nearly, at the
strictest. With --simulated it is where the bona fide of the real cameras, as
other simulated cameras would see them, and attacks simulated on the same pictures
err equally often: for a door that has not been seen, since its camera is none of
those at hand, and the attacks at hand say only how good those were. --hold N uses
only that fifth of the people, to be those which training has left out.
"""
import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cv2
import numpy as np

import common
import simulate
from prepare import attacked
from train import weights

SEED = 1
CAMERAS = ("replay", "nuaa")  # sources that are cameras at a door, with attacks
DRAWN = 0.5  # what the presenter's people count, of a real source
STEEPEST = 1.5  # a is no more: people before known cameras are told apart too easily to be sure of others
EQUAL = 0.005  # costs that differ by no more are equal: a recording's worth
TRIES = np.arange(-40, 40, 0.02)  # of a·x + b, with x up to a clip of 12 either way and b as large as that asks for


class Scores:
    """x of pictures, and what they are."""

    def __init__(self, o, description):
        self.face = common.own_face()
        self.network = common.Network(description["texture"][0], o.weights or os.path.dirname(o.networks or o.set))
        self.clip = description["fusion"]["clip"]
        rows, retaken, faked = [], [], []
        for n, (img, source, kind, who) in enumerate(pictures(o)):
            box = self.face.box(img)
            if box is None:
                continue
            rows.append((self.say(img, box), source, kind, who))
            if o.simulated and kind == "live" and source in CAMERAS:
                attack = attacked(np.random.default_rng([SEED, n]), self.face, img, box)
                if attack is not None:
                    faked.append((self.say(attack[0], attack[2]), source, attack[1]))
                # A simulated attack is taken by a camera of its own. The person has to
                # be, too: or the border lies between a good camera and poor ones.
                other = simulate.camera(np.random.default_rng([SEED, n, 1]), img, 1.0)
                box = self.face.box(other)
                if box is not None:
                    retaken.append((self.say(other, box), source))
        self.x, self.source, self.kind, self.who = (np.array(c) for c in zip(*rows))
        self.live = (self.kind == "live").astype(float)
        self.retaken, self.faked = retaken, faked

    def say(self, img, box):
        return float(np.clip(common.live_logit(self.network, img, box), -self.clip, self.clip))


def pictures(o):
    """Yields (picture, source, kind, identity) of cameras and drawn people, where
    o.hold is given of that fifth of them."""
    for path, source, kind, who, _ in common.pictures(o.data, o.scenes):
        kept = o.hold is None or common.fold_of([who])[0] == o.hold
        if kept and source in (*CAMERAS, "scenes") and source not in o.without:
            yield cv2.imread(path), source, kind, who


def fit(x, live, share):
    """a and b by Newton's method."""
    design, th = np.c_[x, np.ones(len(x))], np.array([1.0, 0.0])
    for _ in range(100):
        p = 1 / (1 + np.exp(np.clip(-design @ th, -30, 30)))
        gradient = design.T @ (share * (p - live))
        hessian = (design * (share * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        th -= 0.7 * np.linalg.solve(hessian, gradient)
    return th


def least(z, kind, source):
    """The score at which the mean APCER and BPCER are least together; where
    several are about as good, the strictest."""
    cost = []
    for t in TRIES:
        each = []
        for s in sorted(set(source)):
            here = source == s
            apcer = np.mean([(z[here & (kind == k)] >= t).mean() for k in sorted(set(kind[here]) - {"live"})])
            each.append(apcer + (z[here & (kind == "live")] < t).mean())
        cost.append(np.average(each, weights=[DRAWN if s == "scenes" else 1 for s in sorted(set(source))]))
    cost = np.array(cost)
    return TRIES[cost <= cost.min() + EQUAL].max()


def equal(live, faked):
    """The score at which as many bona fide are lost as simulated attacks pass,
    each the mean over the cameras and the latter that over the media. live has
    one array for each camera, faked one for each camera and medium."""
    bpcer = np.mean([[(z < t).mean() for t in TRIES] for z in live], 0)
    apcer = np.mean([[(z >= t).mean() for t in TRIES] for z in faked], 0)
    at = np.argmin(abs(apcer - bpcer))
    print(f"bona fide of {len(live)} cameras and attacks simulated on them err equally at {100 * bpcer[at]:.1f} %")
    return TRIES[at]


def groups(rows):
    """The scores of rows by what else they say."""
    by = {}
    for z, *names in rows:
        by.setdefault(tuple(names), []).append(z)
    return [np.array(v) for _, v in sorted(by.items())]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--set", required=True)
    a.add_argument("--networks", help="set of the network that answers, if it is another one")
    a.add_argument("--weights", help="folder with the network, if it is not the set's")
    a.add_argument("--data", required=True)
    a.add_argument("--scenes")
    a.add_argument("--without", action="append", default=[], choices=CAMERAS)
    a.add_argument("--simulated", action="store_true")
    a.add_argument("--hold", type=int, choices=range(5))
    o = a.parse_args()
    with open(o.networks or o.set) as f:
        d = Scores(o, json.load(f))
    share = weights(d, np.ones(len(d.kind), bool))
    scale, bias = fit(d.x, d.live, share)
    bias, scale = bias * min(1, STEEPEST / scale), min(scale, STEEPEST)
    z = scale * d.x + bias
    if o.simulated:
        point = equal(*(groups([(scale * x + bias, *rest) for x, *rest in rows]) for rows in (d.retaken, d.faked)))
    else:
        point = least(z, d.kind, d.source)
    print(f"a {scale:.4f} b {bias:.4f}, moved by {-point:.4f}")
    bias -= point
    for s in sorted(set(d.source)):
        for k in sorted(set(d.kind[d.source == s])):
            m = (d.source == s) & (d.kind == k)
            print(f"{s} {k}: {100 * (z[m] >= point).mean():.1f} % of {m.sum()} said live")
    with open(o.set) as f:
        text = f.read()
    text = re.sub(r'("fusion": \{\s*"weights": )\[[^\]]*\](,\s*"bias": )[-\d.e]+', rf"\g<1>[{scale:.4f}]\g<2>{bias:.4f}", text)
    json.loads(text)
    with open(o.set, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
