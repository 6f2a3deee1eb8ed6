"""Learns the average head's depth and the weights of challenge.JudgeFlow, and
writes them as Go. README.md beside this file says from what."""
import argparse
import csv
import glob
import os

import cv2
import numpy as np

import pairs
from faces import Finder

cv2.setNumThreads(1)
X, Y = pairs.GRID.T
ONE = np.stack([np.ones_like(X), X, Y], 1)
TWO = np.column_stack([ONE, X * X, X * Y, Y * Y])
THREE = np.column_stack([TWO, X ** 3, X * X * Y, X * Y * Y, Y ** 3])
MOUTH = (X / .55) ** 2 + ((Y - .55) / .28) ** 2 < 1
MIRROR = np.array([np.argmin((X + a) ** 2 + (Y - b) ** 2) for a, b in zip(X, Y)])
_D = (X[:, None] - X) ** 2 + (Y[:, None] - Y) ** 2
NEAR = np.where(_D > .39 ** 2, 0, np.exp(-_D / (2 * .13 ** 2)))
LEAST_EYES, LEAST_TURN = 45, np.sin(np.radians(3))
FAVOUR = .5  # of people, in the logarithm of the odds: it costs sheets and photographs less than it gives people


def turns(path):
    """(recording, frame) -> where the nose points, x to the right and y down, as sines."""
    with open(path) as f:
        return {(r["recording"], int(r["frame"])): np.sin(np.radians([float(r["yaw"]), -float(r["pitch"])])) for r in csv.DictReader(f)}


def recordings(data, finder, known):
    """(kind, person, [(grey, landmarks, nose)]) of every recording; nose is None for photographs."""
    def frames(path):
        cap, i = cv2.VideoCapture(path), 0
        while True:
            ok, bgr = cap.read()
            if not ok:
                return
            yield "clips/" + os.path.basename(path), i, bgr
            i += 1

    def seen(pictures, live):
        out = []
        for recording, i, bgr in pictures:
            if live and (recording, i) not in known:
                continue
            points = finder.landmarks(bgr)
            if points is not None:
                # Around the face alone: all pictures are held in memory.
                near = 2.6 * pairs.eyes(points)
                x0, y0 = np.maximum(points.mean(0) - near, 0).astype(int)
                x1, y1 = (points.mean(0) + near).astype(int)
                out.append((cv2.cvtColor(bgr[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY), points - [x0, y0], known.get((recording, i))))
        return out

    for path in sorted(glob.glob(data + "/clips/*.mp4")):
        yield "clip", os.path.basename(path), seen(frames(path), True)
    for kind in ("Client", "Imposter"):
        takes = {}
        for path in sorted(glob.glob(f"{data}/nuaa-train/{kind}/*/*.jpg")):
            takes.setdefault("_".join(os.path.basename(path).split("_")[:4]), []).append((os.path.relpath(path, data), 0, cv2.imread(path)))
        for take, pictures in takes.items():
            yield kind, take[:4], seen(pictures, kind == "Client")


SHEETS = ("slide", "zoom", "rotate", "tilt", "tilt", "bend", "bend", "bend", "turn", "turn", "turn", "fold", "fold")


def flows(data, finder, known, rng):
    """Every pair as a dict of what is known of it."""
    def pair(kind, person, live, first, second, turned):
        move, miss = pairs.follow(first[:2], second[:2])
        return dict(kind=kind, person=person, live=live, move=move, miss=miss, turned=turned,
                    eyes=min(pairs.eyes(first[1]), pairs.eyes(second[1])))

    for kind, person, seen in recordings(data, finder, known):
        if len(seen) < 2:
            continue
        live = kind != "Imposter"
        for _ in range({"clip": 400, "Client": 80, "Imposter": 25}[kind]):
            for _ in range(8):  # people who turned, where there are some
                i, j = rng.integers(len(seen), size=2)
                turned = seen[j][2] - seen[i][2] if live else np.zeros(2)
                if i != j and (not live or np.hypot(*turned) >= np.sin(np.radians(4))):
                    break
            else:
                continue
            two = [seen[i], seen[j]]
            if live and rng.random() < .5:
                target = rng.uniform(32, 80)
                two = [pairs.shrink(*s[:2], target) for s in two]
                two = [(pairs.degrade(g, pairs.eyes(p), rng), p) for g, p in two]
            yield pair(kind, person, live, *two, turned)
        if not live:
            continue
        for how in SHEETS:
            for _ in range(24 if kind == "clip" else 12):
                grey, points = pairs.shrink(*seen[rng.integers(len(seen))][:2], rng.uniform(30, 110))
                ied, spoilt = pairs.eyes(points), rng.random() < .7
                edge = int(.4 * ied)
                grey = cv2.copyMakeBorder(grey, edge, edge, edge, edge, cv2.BORDER_REFLECT_101)
                two = []
                for _ in range(2):
                    g, p = pairs.render(grey, points + edge, pairs.sheet(how, rng))
                    two.append((pairs.degrade(g, ied, rng) if spoilt else g, p + rng.normal(0, .025 * pairs.eyes(p), p.shape)))
                yield pair(how, person, False, *two, np.zeros(2))


def weights(f):
    return ((f["miss"] < .1) & (np.abs(f["move"]).max(1) < .6)) * np.where(MOUTH, .3, 1) / (1 + (f["miss"] / .01) ** 2)


def solve(base, move, w):
    return np.linalg.solve((base * w[:, None]).T @ base + 1e-6 * np.eye(base.shape[1]), (base * w[:, None]).T @ move)


def robust(base, move, w, rounds=6):
    used = w
    for _ in range(rounds):
        of = solve(base, move, used)
        rest = move - base @ of
        size = (rest ** 2).sum(1)
        spread = max(1.48 * np.sqrt(np.median(size[w > 0]) / 2), .003)
        used = w / (1 + size / (4 * spread ** 2))
    return of, rest, used, spread


def without(base, z):
    return z - base @ np.linalg.lstsq(base, z, rcond=None)[0]


def factor(live, base, z, rounds):
    """The depth that explains best, as one factor, what base leaves: alternating least squares."""
    for _ in range(rounds):
        over, under, gains = np.zeros(len(X)), np.full(len(X), 1e-4), []
        for f in live:
            w = weights(f)
            if (w > 0).sum() < 30:
                continue
            of, rest, used, spread = robust(np.column_stack([base, z]), f["move"], w, 4)
            g = of[-1]
            u = min(1, (.02 / spread) ** 2) * used
            over += u * ((rest + z[:, None] * g) @ g)
            under += u * (g @ g) + 1e-7
            gains.append((g[0], f["turned"][0]))
        z = over / under
        z = without(base, (z + z[MIRROR]) / 2)
        g, yaw = np.array(gains).T
        z *= (g @ yaw) / (yaw @ yaw)  # a turn by a moves z by z·sin a
    return z


def head(live):
    nose = np.exp(-(X / .25) ** 2 - ((Y - .05) / .35) ** 2)
    whole = factor(live, ONE, without(ONE, .45 * nose - .6 * X * X - .3 * Y * Y), 5)
    fine = factor(live, TWO, without(TWO, nose), 6)
    coarse = whole - without(TWO, whole)
    return coarse + fine / fine.std() * without(TWO, whole).std()


def remains(f, z, base, w, u):
    deep, rest, used, _ = robust(np.column_stack([base, z]), f["move"], w)
    flat = f["move"] - base @ solve(base, f["move"], used)
    near = NEAR * used
    shared = near @ flat / (near.sum(1) + 1e-6)[:, None]
    explained = 1 - (used * (rest ** 2).sum(1)).sum() / (used * (flat ** 2).sum(1)).sum()
    rms = lambda v: np.log(np.sqrt((used * v ** 2).sum() / used.sum()) + 1e-4)
    return deep, deep[-1] @ u, explained, rms(shared @ u), rms(shared @ [-u[1], u[0]])


def traits(f, z):
    """challenge.surface.traits; None where nothing is said."""
    w = weights(f)
    if (w > 0).sum() < 30 or f["eyes"] < LEAST_EYES:
        return None
    g = robust(np.column_stack([ONE, z]), f["move"], w)[0][3]
    size = np.hypot(*g)
    if size < LEAST_TURN:
        return None
    bent, deep2, explained2, along2, across2 = remains(f, z, TWO, w, g / size)
    _, deep3, _, along3, _ = remains(f, z, THREE, w, g / size)
    scales = np.linalg.svd(np.eye(2) + bent[1:3].T)[1]
    return [np.log(np.sqrt((bent[3:6] ** 2).sum()) + 1e-6), np.log(1 - scales[1] / scales[0] + .005),
            deep2, deep2 / size, explained2, along2, across2, deep3, along3]


def logistic(x, y, ridge=1e-2):
    weight = np.where(y == 1, .5 / y.sum(), .5 / (1 - y).sum()) * len(y)
    mean, dev = x.mean(0), x.std(0)
    z = np.column_stack([(x - mean) / dev, np.ones(len(x))])
    of, pull = np.zeros(z.shape[1]), np.diag(np.r_[np.ones(x.shape[1]), 0]) * ridge * len(x) / 100
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(z @ of, -30, 30)))
        of -= np.linalg.solve((z * (weight * p * (1 - p))[:, None]).T @ z + pull + 1e-9 * np.eye(len(of)), z.T @ (weight * (p - y)) + pull @ of)
    return of[:-1] / dev, of[-1] - (of[:-1] * mean / dev).sum()


def report(all_, judged, x, y):
    """How many of each kind pass, each fold judged by the others; people who
    turned by 5 degrees and more."""
    fold = {p: i % 5 for i, p in enumerate(sorted({f["person"] for f in judged}))}
    of = np.array([fold[f["person"]] for f in judged])
    logit = np.zeros(len(judged))
    for k in range(5):
        w, b = logistic(x[of != k], y[of != k])
        logit[of == k] = x[of == k] @ w + b
    logit += FAVOUR
    for kind in sorted({f["kind"] for f in all_}):
        far = lambda f: not f["live"] or np.hypot(*f["turned"]) >= np.sin(np.radians(5))
        n = sum(f["kind"] == kind and f["eyes"] >= LEAST_EYES and far(f) for f in all_)
        said = [v >= 0 for v, f in zip(logit, judged) if f["kind"] == kind and far(f)]
        print(f"{kind:9} {n:4} pairs, {len(said):4} judged, {sum(said):4} pass")


def table(z):
    cells = {(round(a * 7.5), round(b * 7.5)): v for a, b, v in zip(X, Y, z)}
    for j in range(-9, 10):
        row = []
        for i in range(8):
            near = sorted(cells, key=lambda c: (c[0] - i) ** 2 + (c[1] - j) ** 2)
            row.append(cells[near[0]] if near[0] == (i, j) else np.mean([cells[c] for c in near[:4]]))
        yield row


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", required=True)
    args.add_argument("--network", required=True, help="the project's face.onnx")
    args.add_argument("--turns", required=True, help="turns.csv")
    args.add_argument("--out", required=True, help="the Go file whose numbers are replaced")
    args = args.parse_args()
    rng = np.random.default_rng(21)
    found = list(flows(args.data, Finder(args.network), turns(args.turns), rng))
    z = head([f for f in found if f["live"] and np.hypot(*f["turned"]) > np.sin(np.radians(5))][::2])
    judged = [(f, traits(f, z)) for f in found]
    x = np.array([t for _, t in judged if t])
    judged = [f for f, t in judged if t]
    y = np.array([float(f["live"]) for f in judged])
    report(found, judged, x, y)
    w, b = logistic(x, y)
    depths = "".join("\t{" + ", ".join(f"{v:.3f}" for v in row) + "},\n" for row in table(z))
    go = open(args.out).read()
    for start, numbers in (("headDepths = [19][8]float64{\n", depths),
                           ("traitWeights = [traitCount]float64{\n", "".join(f"\t{v:.4f},\n" for v in w))):
        at = go.index(start) + len(start)
        go = go[:at] + numbers + go[go.index("}\n\n" if "traitW" in start else "\n}\n", at) + ("traitW" not in start):]
    at = go.index("traitBias = ") + len("traitBias = ")
    with open(args.out, "w") as f:
        f.write(go[:at] + f"{b + FAVOUR:.4f}" + go[go.index("\n", at):])


if __name__ == "__main__":
    main()
