#!/usr/bin/env python3
"""Fit the fusion of the public texture networks in ../reference.json and report how good it is.

    calibrate.py --weights DIR --data DIR [--cache FILE] [--write]

needs python3 with numpy, opencv-python-headless and onnxruntime. It feeds the
networks as package pipeline does (same crops, same pixels), so it also stands
as a second implementation to hold the Go one against. Nothing is random but
the seeded assignment of identities to folds.

The model is a logistic regression over the networks' clipped live logits:
few numbers, none negative, so that a network can only speak for what it sees,
and drawn towards each other (EVEN), since a free fit learns which network the
sources at hand suit and does no better for people and sources it has not seen.
Every source counts the same, in it live people and attacks count the same, and
among the attacks every kind counts the same.
"""
import argparse
import json
import os
import pickle
import re

import cv2
import numpy as np

import common

SOURCES = ("replay", "nuaa")  # those that have attacks
SEED, FOLDS, L2, EVEN = 1, 5, 1e-3, 1.0


def score_all(desc, weights, data):
    face = common.Finder(desc["face"], weights)
    texture = [common.Network(s, weights) for s in desc["texture"]]
    rows, missed = [], 0
    for path, *labels in common.pictures(data):
        if labels[0] not in SOURCES:
            continue
        img = cv2.imread(path)
        box = face.box(img)
        if box is None:
            missed += 1
            continue
        rows.append((os.path.relpath(path, data), *labels, [common.live_logit(n, img, box) for n in texture]))
    print(f"{len(rows)} pictures scored, {missed} without a face")
    return rows


# ---- the fit ----------------------------------------------------------------

class Data:
    def __init__(self, rows, clip):
        self.source, self.kind, self.who, self.recording = (np.array([r[i] for r in rows]) for i in (1, 2, 3, 4))
        self.live = self.kind == "live"
        self.x = np.clip(np.array([r[5] for r in rows], float), -clip, clip)

    def weights(self, use):
        w = np.zeros(len(self.live))
        for s in set(self.source[use]):
            kinds = set(self.kind[use & (self.source == s)])
            for k in kinds:
                m = use & (self.source == s) & (self.kind == k)
                w[m] = 1 / m.sum() / (1 if k == "live" else len(kinds - {"live"}))
        return w / w.sum()


def fit(d, use):
    """Newton's method with the weights kept at or above 0; returns weights…, bias."""
    x, t, w = np.c_[d.x[use], np.ones(use.sum())], d.live[use].astype(float), d.weights(use)[use]
    n = d.x.shape[1]
    ridge = np.zeros((n + 1, n + 1))
    ridge[:n, :n] = L2 * np.eye(n) + EVEN * (np.eye(n) - np.full((n, n), 1 / n))
    ridge[n, n] = 1e-9
    th = np.r_[np.full(d.x.shape[1], 0.3), 0.0]
    for _ in range(300):
        p = 1 / (1 + np.exp(-x @ th))
        grad = x.T @ (w * (p - t)) + ridge @ th
        hess = (x * (w * p * (1 - p))[:, None]).T @ x + ridge
        free = ~((th <= 0) & (grad > 0))
        free[-1] = True
        th[free] -= 0.7 * np.linalg.solve(hess[np.ix_(free, free)], grad[free])
        th[:-1] = np.maximum(th[:-1], 0)
    return th


def out_of_fold(d):
    """Scores of each picture by a fit that has not seen its person."""
    people = sorted(set(d.who))
    np.random.default_rng(SEED).shuffle(people)
    fold = {p: i % FOLDS for i, p in enumerate(people)}
    of, s = np.array([fold[p] for p in d.who]), np.zeros(len(d.live))
    for k in range(FOLDS):
        th = fit(d, of != k)
        s[of == k] = d.x[of == k] @ th[:-1] + th[-1]
    return s


def operating_point(d, s, weight):
    """The score at which weight·APCER + BPCER, each the mean over the sources, is smallest."""
    best = (9.0, 0.0)
    for t in np.unique(np.round(s, 2)):
        cost = np.mean([weight * apcer(d, s >= t, src) + bpcer(d, s >= t, src) for src in set(d.source)])
        best = min(best, (cost, t))
    return best[1]


# ---- the report -------------------------------------------------------------

def apcer(d, said_live, source):
    """Mean over the kinds of attack in source of the share that passed."""
    m = (d.source == source) & ~d.live
    return np.mean([said_live[m & (d.kind == k)].mean() for k in set(d.kind[m])])


def bpcer(d, said_live, source):
    return (~said_live[(d.source == source) & d.live]).mean()


def eer(s, live):
    at = np.unique(s)
    miss = np.searchsorted(np.sort(s[live]), at) / live.sum()
    let = 1 - np.searchsorted(np.sort(s[~live]), at) / (~live).sum()
    i = np.argmin(abs(miss - let))
    return (miss[i] + let[i]) / 2


def by_recording(d, s, m):
    names = sorted(set(d.recording[m]))
    return (np.array([np.median(s[m & (d.recording == n)]) for n in names]),
            np.array([d.live[m & (d.recording == n)][0] for n in names]))


def line(name, d, s, threshold):
    cells = [name]
    for src in sorted(set(d.source)):
        m = d.source == src
        rs, rl = by_recording(d, s, m)
        yes = s >= threshold
        cells.append(f"{100 * eer(s[m], d.live[m]):.1f} / {100 * eer(rs, rl):.1f}")
        cells.append(f"{100 * apcer(d, yes, src):.1f} / {100 * bpcer(d, yes, src):.1f}")
        cells.append(f"{100 * (rs[~rl] >= threshold).mean():.1f} / {100 * (rs[rl] < threshold).mean():.1f}")
    print("| " + " | ".join(cells) + " |")


def report(d, s, bias, names):
    sources = sorted(set(d.source))
    print("\n| % | " + " | ".join(f"{x}: EER frame / recording | APCER / BPCER frame | APCER / BPCER recording" for x in sources) + " |")
    print("|" + "---|" * (1 + 3 * len(sources)))
    for i, n in enumerate(names):
        line(n + " at 0", d, d.x[:, i], 0)
    line("mean of the first two at 0", d, d.x[:, :2].mean(1), 0)
    line("fused, people unseen", d, s + bias, 0)
    for src in sources:
        use = d.source != src
        th = fit(d, use)
        q = d.x @ th[:-1] + th[-1]
        q -= operating_point(Subset(d, use), q[use], 1)
        m = d.source == src
        yes = q >= 0
        print(f"left out {src}: EER {100 * eer(q[m], d.live[m]):.1f}, APCER {100 * apcer(d, yes, src):.1f}, BPCER {100 * bpcer(d, yes, src):.1f} at the others' threshold")
    for k in sorted(set(d.kind)):
        for src in sources:
            m = (d.kind == k) & (d.source == src)
            if m.any():
                print(f"{src} {k}: {100 * (s[m] + bias >= 0).mean():.1f} % of {m.sum()} said live")


class Subset:
    def __init__(self, d, use):
        self.source, self.kind, self.live = d.source[use], d.kind[use], d.live[use]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weights", required=True, help="folder with the networks")
    p.add_argument("--data", required=True, help="folder with replay-train and nuaa-train")
    p.add_argument("--cache", help="file that keeps the logits between runs")
    p.add_argument("--attack-weight", type=float, default=1.0, help="how much an attack that passes weighs against a person turned away")
    p.add_argument("--write", action="store_true", help="write the fusion into reference.json")
    a = p.parse_args()
    with open(common.REFERENCE) as f:
        desc = json.load(f)
    if a.cache and os.path.exists(a.cache):
        with open(a.cache, "rb") as f:
            rows = pickle.load(f)
    else:
        rows = score_all(desc, a.weights, a.data)
        if a.cache:
            with open(a.cache, "wb") as f:
                pickle.dump(rows, f)
    clip = desc["fusion"]["clip"]
    d = Data(rows, clip)
    s = out_of_fold(d)
    bias = -operating_point(d, s, a.attack_weight)
    th = fit(d, np.ones(len(d.live), bool))
    print(f"seed {SEED}, {FOLDS} folds of {len(set(d.who))} people, L2 {L2}, EVEN {EVEN}, attack weight {a.attack_weight}, clip {clip}")
    print("weights", th[:-1].round(3), "bias", round(th[-1], 3), "moved by", round(bias, 3))
    report(d, s, bias, [t["name"] for t in desc["texture"]])
    if a.write:
        desc["fusion"] = {
            "weights": [round(float(v), 4) for v in th[:-1]], "bias": round(float(th[-1] + bias), 4),
            "clip": clip, "threshold": 0.5,
            "note": "models/train/calibrate.py on " + ", ".join(f"{src} ({(d.source == src).sum()} pictures)" for src in sorted(set(d.source))),
            "fitted": [t["sha256"] for t in desc["texture"]],
        }
        write(desc)


def write(desc):
    """reference.json with one line for each small object, as it is read by people."""
    text = json.dumps(desc, indent=2)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r",\s+", ", ", m.group(1)) + "]", text)
    text = re.sub(r"\{\s+([^{}]*?)\s+\}", lambda m: "{" + re.sub(r",\n\s+", ", ", m.group(1)) + "}" if len(m.group(1)) < 170 else m.group(0), text)
    with open(common.REFERENCE, "w") as f:
        f.write(text + "\n")


if __name__ == "__main__":
    main()
