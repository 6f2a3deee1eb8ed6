#!/usr/bin/env python3
"""Make the samples that the texture network learns from.

    prepare.py --data DIR --reference DIR --scenes DIR --out DIR [--faceless DIR] [--size N] [--jobs 2]

Two kinds, each a part of a picture, what it shows and where it is from:
DIR/wide, larger squares from real pictures, simulated attacks and what other
cameras would make of them, for the teachers to look at; and DIR/near, the face
as the network will see it, of each real picture as it is, to learn from what it
is. Written in shards, in random order; each sample is made by its own seeded
generator, so the number of jobs changes nothing.
"""
import argparse
import glob
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cv2
import numpy as np

import common
import detector
import simulate
from measure import SCALE, SHAPE

SEED = 1
WIDE = ((160, 160), 2.0, "square")
NEAR = ((96, 96), SCALE, SHAPE)
SHARD = 1000
LIMITS = 800  # pixels of a picture's longer side: larger ones are made smaller first

# How many samples a picture gives: (as it is or by other cameras, as a simulated attack).
PLAN = {
    ("replay", "live"): (4, 3), ("replay", "attack"): (1.5, 0),
    ("nuaa", "live"): (4, 3), ("nuaa", "attack"): (3, 0),
    ("clips", "live"): (4, 4),
    ("masks", "live"): (3, 3),
    ("faces", "live"): (0.8, 0.8),
    ("scenes", "live"): (1.5, 0.5), ("scenes", "attack"): (2, 0),
}


def bounded(img):
    s = LIMITS / max(img.shape[:2])
    return img if s >= 1 else cv2.resize(img, None, fx=s, fy=s, interpolation=cv2.INTER_AREA)


def find(rows):
    """Adds the box of the largest face; leaves out pictures without one."""
    out = []
    for picture, source, kind, who, recording in rows:
        img = cv2.imread(picture) if isinstance(picture, str) else picture
        img = bounded(img)
        box = STATE["face"].box(img)
        if box is None or min(box[2:]) < 30:
            continue
        ok, b = cv2.imencode(".png", img, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        name = picture if isinstance(picture, str) else recording
        out.append((os.path.basename(name), source, kind, who, recording, b, box))
    return out


def make(seed, face, picture, fake):
    name, source, kind, who, recording, data, box = picture
    rng = np.random.default_rng([SEED, seed])
    img, box = zoom(rng, cv2.imdecode(data, cv2.IMREAD_COLOR), box)
    if fake:
        attack = attacked(rng, face, img, box)
        if attack is None:
            return None
        img, medium, box = attack
        kind = "simulated-" + medium
    else:
        img = simulate.camera(rng, img, rng.choice([0, 0.5, 1.0], p=[0.4, 0.3, 0.3]))
    return common.cut(img, box, *WIDE), kind, source, who, recording, name


def attacked(rng, face, img, box):
    """A simulated attack with the face at box: picture, medium, and the box that
    face finds in it, or None where it finds none or another one."""
    img, medium, at = simulate.attack(rng, img, box)
    found = face.box(img)
    if found is None or detector.overlap(at, np.array([found]))[0] < 0.3:
        return None
    return img, medium, found


def near(found):
    """One sample a picture, as it is, where the daemon's own network sees the
    face: its boxes differ from the teacher's by two or three per cent, which is
    enough to tell attacks a little worse."""
    rows = []
    for name, source, kind, who, recording, data, _ in found:
        img = cv2.imdecode(data, cv2.IMREAD_COLOR)
        box = STATE["own"].box(img)
        if box is not None:
            rows.append((common.cut(img, box, *NEAR), kind, source, who, recording, name))
    return rows


def zoom(rng, img, box):
    """Half of all pictures are made smaller or larger, or lose some of the room
    about the face, so that neither the face's size nor the blur that comes with
    it tells anything."""
    x, y, w, h = box
    ih, iw = img.shape[:2]
    if rng.random() < 0.4:  # another distance: part of the picture
        s = rng.uniform(0.55, 1)
        cw, ch = max(iw * s, min(iw, 1.25 * w)), max(ih * s, min(ih, 1.25 * h))
        cx = np.clip(x + w / 2 - cw * rng.uniform(0.35, 0.65), 0, iw - cw)
        cy = np.clip(y + h / 2 - ch * rng.uniform(0.35, 0.65), 0, ih - ch)
        img = img[int(cy):int(cy + ch), int(cx):int(cx + cw)]
        x, y = x - int(cx), y - int(cy)
    if rng.random() < 0.5:  # another resolution, in both classes alike
        s = np.exp(rng.uniform(np.log(min(max(0.35, 70 / h), 1)), np.log(1.3)))
        img = simulate.resize(img, img.shape[1] * s, img.shape[0] * s)
        x, y, w, h = x * s, y * s, w * s, h * s
    return img, (x, y, w, h)


def faceless(folder, each=12):
    """Samples of pictures without faces, for what a teacher says of anything."""
    rng, rows = np.random.default_rng(SEED), []
    size = WIDE[0]
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.*"), recursive=True)):
        img = cv2.imread(path)
        if img is None or min(img.shape[:2]) < 64:
            continue
        img = bounded(img)
        for _ in range(each):
            n = int(rng.uniform(0.3, 1) * min(img.shape[:2]))
            y, x = rng.integers(0, img.shape[0] - n + 1), rng.integers(0, img.shape[1] - n + 1)
            part = cv2.resize(img[y:y + n, x:x + n], size, interpolation=cv2.INTER_AREA)
            rows.append((part, "none", "faceless", "", "", os.path.basename(path)))
    return rows


def save(path, rows):
    tmp = path + ".tmp"
    with open(tmp, "wb") as f:
        np.savez(f, x=np.stack([r[0] for r in rows]),
                 **{k: np.array([r[i] for r in rows]) for i, k in enumerate(("kind", "source", "who", "recording", "name"), 1)})
    os.rename(tmp, path)


STATE = {}


def start(reference):
    STATE["face"], _ = common.reference(reference)
    STATE["own"] = common.own_face()


def in_chunks(pool, work, rows):
    """What work makes of rows, two hundred at a time, in their order."""
    chunks = [rows[i:i + 200] for i in range(0, len(rows), 200)]
    return [r for chunk in pool.map(work, chunks) for r in chunk]


def shard(args):
    path, jobs = args
    if os.path.exists(path):
        return path, None
    rows = [make(seed, STATE["face"], picture, fake) for seed, picture, fake in jobs]
    rows = [r for r in rows if r is not None]
    save(path, rows)
    return path, len(rows)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True)
    a.add_argument("--reference", required=True)
    a.add_argument("--scenes")
    a.add_argument("--out", required=True)
    a.add_argument("--faceless", help="folder of pictures without faces")
    a.add_argument("--size", type=float, default=1.0, help="times as many samples")
    a.add_argument("--jobs", type=int, default=2)
    o = a.parse_args()
    for kind in ("wide", "near"):
        os.makedirs(os.path.join(o.out, kind), exist_ok=True)
    rows = list(common.pictures(o.data, o.scenes))
    rows += [(img, "clips", "live", "clips-" + n.split("#")[0], n) for n, img in common.clip_frames(o.data)]
    with ProcessPoolExecutor(o.jobs, initializer=start, initargs=(o.reference,)) as pool:
        cache = os.path.join(o.out, "faces.pickle")
        if os.path.exists(cache):
            with open(cache, "rb") as f:
                found = pickle.load(f)
        else:
            found = in_chunks(pool, find, rows)
            with open(cache, "wb") as f:
                pickle.dump(found, f)
        print(f"{len(found)} of {len(rows)} pictures with a face", flush=True)
        save(os.path.join(o.out, "near", "all.npz"), in_chunks(pool, near, found))
        if o.faceless:
            save(os.path.join(o.out, "wide", "faceless.npz"), faceless(o.faceless))
        rng, jobs = np.random.default_rng(SEED), []
        for p in found:
            plain, fake = PLAN[p[1], "live" if p[2] == "live" else "attack"]
            for n, is_fake in ((plain * o.size, False), (fake * o.size, True)):
                jobs += [(p, is_fake)] * int(n + rng.random())
        jobs = [(i, *jobs[k]) for i, k in enumerate(rng.permutation(len(jobs)))]
        shards = [(os.path.join(o.out, "wide", f"{i:04d}.npz"), jobs[s:s + SHARD]) for i, s in enumerate(range(0, len(jobs), SHARD))]
        print(f"{len(jobs)} samples in {len(shards)} shards", flush=True)
        for path, n in pool.map(shard, shards):
            print(path, n if n is not None else "was there", flush=True)


if __name__ == "__main__":
    main()
