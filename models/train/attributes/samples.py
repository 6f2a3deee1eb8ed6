"""Pictures of faces with known attributes: real ones by labels.csv, and real ones with things drawn on.

Labels are 1 (has it), 0 (has it not) and -1 (cannot be said: neither learnt nor counted).
"""
import csv
import fnmatch
import hashlib
import os

import cv2
import numpy as np

import holds
import things
from head import Head, colour, noise

NAMES = ["mask", "sunglasses", "hat", "veil", "occlusion"]
MASK, SUNGLASSES, HAT, VEIL, OCCLUSION = range(5)
INPUT, SCALE = 48, 1.4  # pixels of the network's input; side of the crop in longer sides of the face box: tight, so that a near face looks as large as a far one
WORK = 64               # longer side of the face box, in pixels, in the pictures that are drawn on
FOLDS = 5
ALIKE = 0.9             # correlation above which two pictures are kept on one side of a split; nearly all pairs above it show one person

# How often a source is drawn on for training. Half of all pictures should be of people in front of a camera.
SHARE = {"with_mask": 0.18, "without_mask": 0.17, "faces": 0.24, "replay": 0.12, "nuaa": 0.12,
         "clips": 0.07, "replay-attack": 0.04, "nuaa-print": 0.03, "sim": 0.03}


class Sample:
    """One face: its picture (BGR, cut around the face), box and landmarks there, labels and who it is."""

    def __init__(self, name, source, who, img, face, labels):
        self.name, self.source, self.who, self.labels = name, source, who, labels
        x, y, w, h = face[:4]
        side, (ih, iw) = max(w, h), img.shape[:2]
        m = np.array([x + w / 2, y + h / 2])
        lo = np.clip(np.floor(m - 1.35 * side), 0, (iw, ih)).astype(int)
        hi = np.clip(np.ceil(m + 1.35 * side), 0, (iw, ih)).astype(int)
        part = img[lo[1]:hi[1], lo[0]:hi[0]]
        s = WORK / side
        # The pipeline's way of making pictures smaller is not for the network to rely on: half are made in each.
        how = cv2.INTER_AREA if int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 else cv2.INTER_LINEAR
        self.img = cv2.resize(part, None, fx=s, fy=s, interpolation=how if s < 1 else cv2.INTER_LINEAR)
        face = np.array(face, float)
        self.box = np.r_[(face[:2] - lo) * s, face[2:4] * s]
        self.marks = (face[4:].reshape(5, 2) - lo) * s
        self.plain = [cv2.resize(crop(img, face[:4]), (INPUT, INPUT), interpolation=i) for i in (cv2.INTER_AREA, cv2.INTER_LINEAR)]


def crop(img, box):
    """The part of img that the pipeline gives to the network: cropRect of package pipeline with shape "square"."""
    h, w = img.shape[:2]
    side = max(box[2], box[3])
    side *= min(SCALE, (w - 1) / side, (h - 1) / side)
    x = min(max(box[0] + box[2] / 2 - side / 2, 0), w - 1 - side)
    y = min(max(box[1] + box[3] / 2 - side / 2, 0), h - 1 - side)
    return img[int(y):int(y + side) + 1, int(x):int(x + side) + 1]


def read_labels(path):
    """Rows of labels.csv: (pattern of file names, {attribute: label}); what a row leaves empty is not changed by it."""
    mean = {"1": 1, "0": 0, "?": -1}
    with open(path, newline="") as f:
        return [(r["file"], {NAMES.index(n): mean[r[n]] for n in NAMES if r[n]}) for r in csv.DictReader(f)]


def label(rows, name, source):
    out = np.zeros(len(NAMES), np.int8)
    out[MASK] = source == "with_mask"
    for pattern, values in rows:
        if name == pattern or ("*" in pattern and fnmatch.fnmatchcase(name, pattern)):
            for i, v in values.items():
                out[i] = v
    return out


def alike(samples):
    """Gives pictures of masks that show the same picture, or the same one changed, one identity.

    Compared are faces laid on each other by their landmarks, 16×16 pixels of
    grey without mean and contrast, as they are and mirrored.
    """
    eyes = np.float32([[5.2, 5.5], [10.8, 5.5], [8, 11.5]])
    grid = []
    for s in samples:
        m = np.float32([s.marks[0], s.marks[1], (s.marks[3] + s.marks[4]) / 2])
        v = cv2.warpAffine(cv2.GaussianBlur(s.img, (0, 0), 2), cv2.getAffineTransform(m, eyes), (16, 16), borderMode=cv2.BORDER_REPLICATE)
        v = cv2.cvtColor(v, cv2.COLOR_BGR2GRAY).astype(np.float32)
        grid.append((v - v.mean()) / (v.std() + 1e-3))
    a = np.array(grid)
    flat, flipped = a.reshape(len(a), -1), a[:, :, ::-1].reshape(len(a), -1)
    near = np.maximum(flat @ flat.T, flat @ flipped.T) / 256 > ALIKE
    first = np.arange(len(samples))
    for i, j in zip(*np.nonzero(near)):
        a, b = first[i], first[j]
        first[first == max(a, b)] = min(a, b)
    for s, f in zip(samples, first):
        s.who = f"masks-{f}"
    return len(set(first))


def fold(who):
    return int(hashlib.sha256(("attributes" + who).encode()).hexdigest(), 16) % FOLDS


def dress(rng, s):
    """The sample's picture (float BGR) with things drawn on, its box, and its labels."""
    labels = s.labels.copy()
    img, box, marks = s.img.astype(np.float32), s.box.copy(), s.marks.copy()
    if rng.random() < 0.4:
        img, box, marks = _surround(rng, img, box, marks)
    head = Head(marks)
    if rng.random() < 0.3:
        img = holds.distract(rng, img, head)
    if (labels == 1).any() and rng.random() < 0.5:
        return img, box, labels  # real ones as they are
    free = labels == 0
    glasses = rng.random()
    if glasses < 0.2 and free[SUNGLASSES]:
        img, labels[SUNGLASSES] = things.sunglasses(rng, img, head), 1
    elif glasses < 0.4:
        img = things.spectacles(rng, img, head)
    if rng.random() < 0.25 and free[MASK] and free[OCCLUSION]:
        img, labels[MASK] = things.mask(rng, img, head), 1
    cover = rng.random()
    if cover < 0.22 and free[HAT] and labels[VEIL] != 1:
        img, labels[HAT] = things.hat(rng, img, head), 1
    elif cover < 0.34 and free[VEIL] and labels[HAT] != 1:
        niqab = rng.random() < 0.25 and labels[MASK] == 0
        img, labels[VEIL] = things.veil(rng, img, head, niqab), 1
        if niqab:
            labels[OCCLUSION], labels[MASK] = 1, -1
    if rng.random() < 0.2 and free[OCCLUSION]:
        img, share = holds.occlude(rng, img, head)
        if share > 0.15:
            labels[OCCLUSION] = 1
        elif share > 0.03 and labels[OCCLUSION] == 0:
            labels[OCCLUSION] = -1
        if share > 0.4:  # what lies under it cannot be told
            labels[labels == 1] = -1
            labels[OCCLUSION] = 1
    return img, box, labels


def _surround(rng, img, box, marks):
    """Puts a room around pictures that were cut tightly, or around any."""
    h, w = img.shape[:2]
    m = (rng.uniform(0.05, 0.5, 4) * WORK * (rng.random(4) < 0.7)).astype(int)
    if rng.random() < 0.5:
        out = cv2.copyMakeBorder(img, *m.tolist(), cv2.BORDER_REPLICATE)
        back = cv2.GaussianBlur(out, (0, 0), 6)
    else:
        back = np.empty((h + m[0] + m[1], w + m[2] + m[3], 3), np.float32)
        back[:] = colour(rng)
        back = np.clip(back * (1 + 0.5 * noise(rng, back.shape, rng.integers(2, 12)))[..., None], 0, 255)
    back[m[0]:m[0] + h, m[2]:m[2] + w] = img
    return back, box + (m[2], m[0], 0, 0), marks + (m[2], m[0])


def photograph(rng, img, box, hard=False):
    """What a camera makes of it, cut out as the pipeline does: INPUT×INPUT, BGR, uint8. hard: badly lit, far away, unsharp."""
    u = rng.uniform
    img = img.astype(np.float32)
    if rng.random() < 0.2:
        img = np.repeat(cv2.cvtColor(img, cv2.COLOR_BGR2GRAY)[..., None], 3, 2)
    elif rng.random() < 0.4:
        img = img * np.float32(u(0.75, 1.25, 3) if rng.random() < 0.75 else (u(0.2, 0.7), u(0.5, 0.9), 1))
    if hard or rng.random() < 0.6:
        img = 255 * np.clip(img / 255, 0, 1) ** u(0.7, 1.4) * (u(0.2, 0.5) if hard else np.exp(u(-0.7, 0.35)))
    s = np.exp(u(np.log(24 if hard else 30), np.log(40 if hard else 64))) / WORK
    img = cv2.resize(np.clip(img, 0, 255), None, fx=s, fy=s, interpolation=cv2.INTER_AREA)
    if hard or rng.random() < 0.35:
        img = cv2.GaussianBlur(img, (0, 0), u(0.4, 1.2))
    if hard or rng.random() < 0.5:
        img = img + rng.normal(0, u(1, 12 if hard else 7), img.shape)
    img = np.clip(img, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        img = cv2.imdecode(cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, int(u(30, 95))])[1], cv2.IMREAD_COLOR)
    box = box * s
    side = max(box[2:])
    box[:2] += u(-0.1, 0.1, 2) * side
    box[2:] *= np.exp(u(-0.1, 0.1, 2))
    how = cv2.INTER_AREA if rng.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(crop(img, box), (INPUT, INPUT), interpolation=how)


def build(samples, count, seed):
    """count pictures for training: uint8 (n, INPUT, INPUT, 3) BGR, int8 labels (n, 5), fold of each (n,)."""
    rng = np.random.default_rng(seed)
    by = {}
    for i, s in enumerate(samples):
        by.setdefault(s.source, []).append(i)
    sources = [k for k in SHARE if k in by]
    weights = np.array([SHARE[k] for k in sources])
    # Real sunglasses, hats and hands are few: they come four times as often.
    odds = {}
    for k in sources:
        p = np.array([4.0 if (samples[i].labels[1:] == 1).any() else 1.0 for i in by[k]])
        odds[k] = p / p.sum()
    x, y, f = np.empty((count, INPUT, INPUT, 3), np.uint8), np.empty((count, len(NAMES)), np.int8), np.empty(count, np.int8)
    for n in range(count):
        k = sources[rng.choice(len(sources), p=weights / weights.sum())]
        s = samples[rng.choice(by[k], p=odds[k])]
        img, box, y[n] = dress(rng, s)
        x[n], f[n] = photograph(rng, img, box), fold(s.who)
    return x, y, f
