#!/usr/bin/env python3
"""Make the texture network's answer a calibrated probability.

    platt.py --weights FILE.pt --data DIR --samples DIR --set SET.json
             [--without replay|nuaa] [--hold N]

Fits p = 1/(1 + exp(−(a·x + b))) of being live to the network's log odds x
(Platt, "Probabilistic Outputs for Support Vector Machines", 1999) on the real
pictures, cut as the daemon cuts them, and the presenter's in SAMPLES/near, each
source and in it each class with a fixed share; then moves b so that at 0.5
APCER + BPCER, each the mean over the sources (drawn people count little) and
APCER that over the kinds of attack, are least together, or nearly, at the
strictest; and writes a and b into the set's fusion. --hold N uses only that
fifth of the people, to be those which training has left out.
"""
import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import numpy as np
import torch
import torch.nn.functional as F

import common
import measure
import net
from samples import Samples
from train import weights

DRAWN = 0.5  # what the presenter's people count, of a real source
STEEPEST = 1.5  # a is no more: people before known cameras are told apart too easily to be sure of others
EQUAL = 0.005  # costs that differ by no more are equal: a recording's worth
MOST = 12  # a logit counts between -MOST and MOST


def answers(path, x):
    """Log odds of live of inputs x."""
    model = net.Texture()
    model.load_state_dict(torch.load(path))
    model = model.eval().to(memory_format=torch.channels_last)
    out = []
    with torch.inference_mode():
        for i in range(0, len(x), 64):
            out.append(net.answer(*model(net.picture(x[i:i + 64].float()))))
    return torch.cat(out).double().numpy()


class Pictures:
    """Inputs of the network and what they show, as Samples has them."""

    def __init__(self, o):
        real = [r for r in measure.crops(o.data) if r[1] not in o.without]
        drawn = Samples(os.path.join(o.samples, "near"), ("replay", "nuaa", "clips", "faces", "masks"))
        small = F.interpolate(drawn.x.float(), size=(net.SIDE, net.SIDE), mode="bilinear").round().clamp(0, 255).to(torch.uint8)
        self.x = torch.cat([torch.from_numpy(np.stack([r[0] for r in real]).transpose(0, 3, 1, 2).copy()), small])
        self.source, self.kind, self.who = (np.concatenate([[r[i] for r in real], more])
                                            for i, more in ((1, drawn.source), (2, drawn.kind), (3, drawn.who)))
        self.live = torch.from_numpy((self.kind == "live").astype(np.float32))


def fit(x, live, share):
    """a and b by Newton's method."""
    design, th = np.c_[x, np.ones(len(x))], np.array([1.0, 0.0])
    for _ in range(100):
        p = 1 / (1 + np.exp(np.clip(-design @ th, -30, 30)))
        gradient = design.T @ (share * (p - live))
        hessian = (design * (share * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        th -= 0.7 * np.linalg.solve(hessian, gradient)
    return th


def operating_point(z, kind, source):
    """The score at which the mean APCER and BPCER are least together; where
    several are about as good, the strictest."""
    cost = []
    tries = np.arange(-12, 12, 0.02)
    for t in tries:
        each = []
        for s in sorted(set(source)):
            here = source == s
            apcer = np.mean([(z[here & (kind == k)] >= t).mean() for k in sorted(set(kind[here]) - {"live"})])
            each.append(apcer + (z[here & (kind == "live")] < t).mean())
        cost.append(np.average(each, weights=[DRAWN if s == "scenes" else 1 for s in sorted(set(source))]))
    cost = np.array(cost)
    return tries[cost <= cost.min() + EQUAL].max()


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--weights", required=True)
    a.add_argument("--data", required=True)
    a.add_argument("--samples", required=True)
    a.add_argument("--set", required=True)
    a.add_argument("--without", action="append", default=[], choices=["replay", "nuaa"])
    a.add_argument("--hold", type=int, choices=range(5))
    o = a.parse_args()
    torch.set_num_threads(1)
    data = Pictures(o)
    use = np.ones(len(data.kind), bool) if o.hold is None else common.fold_of(data.who) == o.hold
    share = weights(data, use)
    use = share > 0
    x = np.clip(answers(o.weights, data.x[torch.from_numpy(np.flatnonzero(use))]), -MOST, MOST)
    scale, bias = fit(x, data.live.numpy()[use], share[use])
    bias, scale = bias * min(1, STEEPEST / scale), min(scale, STEEPEST)
    point = operating_point(scale * x + bias, data.kind[use], data.source[use])
    print(f"a {scale:.4f} b {bias:.4f}, moved by {-point:.4f}")
    bias -= point
    said = scale * x + bias >= 0
    for s in sorted(set(data.source[use])):
        for k in sorted(set(data.kind[use][data.source[use] == s])):
            m = (data.source[use] == s) & (data.kind[use] == k)
            print(f"{s} {k}: {100 * said[m].mean():.1f} % of {m.sum()} said live")
    with open(o.set) as f:
        text = f.read()
    text = re.sub(r'("fusion": \{\s*"weights": )\[[^\]]*\](,\s*"bias": )[-\d.e]+', rf"\g<1>[{scale:.4f}]\g<2>{bias:.4f}", text)
    json.loads(text)
    with open(o.set, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
