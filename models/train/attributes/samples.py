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
import worn
from head import Head, colour, lines, noise

NAMES = ["mask", "sunglasses", "hat", "veil", "occlusion"]
MASK, SUNGLASSES, HAT, VEIL, OCCLUSION = range(5)
INPUT, SCALE = 64, 1.4  # pixels of the network's input; side of the crop in longer sides of the face box: tight, so that a near face looks as large as a far one
WORK = 96               # longer side of the face box, in pixels, in the pictures that are drawn on: a near face
FOLDS = 5
ALIKE = 0.9             # correlation above which two pictures are kept on one side of a split; nearly all pairs above it show one person

# How often a real mask gets another colour, and a mask that is put on is a real one of somebody else.
RECOLOUR, TRANSPLANT = 0.3, 0.6
# How often a grey picture gets colours, a mouth is moved, a picture is cut tightly, and is turned.
TINT, GRIMACE, TIGHTEN, TILT = 0.6, 0.3, 0.25, 0.5
# How often a face is so near that nothing is lost but by the last step to the network's input.
NEAR = 0.25

# How often a source is drawn on for training. Half of all pictures should be of people in front of a camera.
SHARE = {"with_mask": 0.19, "without_mask": 0.19, "faces": 0.25, "replay": 0.11, "nuaa": 0.11,
         "clips": 0.05, "replay-attack": 0.04, "nuaa-print": 0.03, "sim": 0.03}


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
        v = cv2.warpAffine(cv2.GaussianBlur(s.img, (0, 0), WORK / 32), cv2.getAffineTransform(m, eyes), (16, 16), borderMode=cv2.BORDER_REPLICATE)
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


def deal(samples):
    """Each sample's fold (n,). The people of each source are dealt out in turn, so
    that none has most of its few people in one fold; who is in two sources
    stays where the first puts them."""
    fold = {}
    for source in dict.fromkeys(s.source for s in samples):
        people = {s.who for s in samples if s.source == source} - fold.keys()
        for n, who in enumerate(sorted(people, key=lambda w: hashlib.sha256(("attributes" + w).encode()).hexdigest())):
            fold[who] = n % FOLDS
    return np.array([fold[s.who] for s in samples])


def dress(rng, s, cut, donors):
    """The sample's picture (float BGR) with things put on, its box, and its labels.

    cut is the outline of the mask that the sample wears, None where it is not
    known; donors are (sample, outline) of masks that may be put on.
    """
    labels = s.labels.copy()
    img, box, marks = s.img.astype(np.float32), s.box.copy(), s.marks.copy()
    if cut is not None and rng.random() < RECOLOUR:
        img = worn.recolour(rng, img, Head(marks), cut)
    if rng.random() < TINT and _grey(s.img):
        img = _tint(rng, img)
    if rng.random() < GRIMACE:
        img = _grimace(rng, img, Head(marks))
    if rng.random() < TIGHTEN:
        img, box, marks = _tighten(rng, img, box, marks)
    elif rng.random() < 0.4:
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
        if donors and rng.random() < TRANSPLANT:
            img = worn.transplant(rng, img, marks, *donors[rng.integers(len(donors))])
        else:
            img = things.mask(rng, img, head)
        labels[MASK] = 1
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


def _grey(img):
    """Whether a picture (uint8) has no colours."""
    return float(np.ptp(img, axis=2).mean()) < 4


def _tint(rng, img):
    """Gives a grey picture the colours of skin and hair, so that not all bare faces in colour are of the few sources that have it."""
    u = rng.uniform
    power = np.float32((u(1.3, 1.8), u(1.05, 1.3), u(0.7, 0.95)))
    return 255 * (np.clip(img, 0, 255) / 255) ** power


def _grimace(rng, img, head):
    """Moves the mouth and what is around it: wider, narrower, corners up or down, pulled to a side; at times with the folds of a smile."""
    y, x = np.mgrid[:img.shape[0], :img.shape[1]].astype(np.float32)
    u, (mx, my), d = rng.uniform, head.points([(0, 1)])[0], head.d
    near = np.exp(-((x - mx) ** 2 + (y - my) ** 2) / (2 * (u(0.3, 0.5) * d) ** 2))
    dx, dy = (x - mx) * u(-0.3, 0.3), (y - my) * u(-0.4, 0.7)
    dx += d * (u(-0.08, 0.08) + 0.06 * noise(rng, img.shape, 5))
    dy += d * (u(-0.12, 0.12) + 0.06 * noise(rng, img.shape, 5)) + u(-0.4, 0.4) * (x - mx) ** 2 / d
    if rng.random() < 0.5:
        folds = np.zeros(img.shape[:2], np.float32)
        for s in (-1, 1):
            side = head.points([(s * 0.22, u(0.5, 0.6)), (s * u(0.38, 0.5), 0.8), (s * u(0.42, 0.55), u(0.95, 1.15))])
            folds = np.maximum(folds, lines(img.shape, side, d * u(0.03, 0.08)))
        img = img * (1 - u(0.1, 0.5) * cv2.GaussianBlur(folds, (0, 0), d * u(0.02, 0.06)))[..., None]
    return cv2.remap(img, x + (near * dx).astype(np.float32), y + (near * dy).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _tighten(rng, img, box, marks):
    """Cuts the picture off near the face, on some sides into its box, as many pictures of the web are cut."""
    h, w = img.shape[:2]
    side = max(box[2:])
    rim = rng.uniform(-0.08, 0.4, 4) * side
    x, y = np.clip(np.round(box[:2] - rim[:2]), 0, None).astype(int)
    right, low = np.minimum(np.round(box[:2] + box[2:] + rim[2:]), (w, h)).astype(int)
    return img[y:low, x:right], box - (x, y, 0, 0), marks - (x, y)


def _surround(rng, img, box, marks):
    """Puts a room around pictures that were cut tightly, or around any."""
    h, w = img.shape[:2]
    m = (rng.uniform(0.05, 0.5, 4) * WORK * (rng.random(4) < 0.7)).astype(int)
    if rng.random() < 0.5:
        out = cv2.copyMakeBorder(img, *m.tolist(), cv2.BORDER_REPLICATE)
        back = cv2.GaussianBlur(out, (0, 0), WORK / 10)
    else:
        back = np.empty((h + m[0] + m[1], w + m[2] + m[3], 3), np.float32)
        back[:] = colour(rng)
        back = np.clip(back * (1 + 0.5 * noise(rng, back.shape, rng.integers(2, 12)))[..., None], 0, 255)
    back[m[0]:m[0] + h, m[2]:m[2] + w] = img
    return back, box + (m[2], m[0], 0, 0), marks + (m[2], m[0])


def tilt(rng, img, box):
    """The picture turned and stretched a little about the face: heads and boxes are never quite straight."""
    middle = box[:2] + box[2:] / 2
    turn, wide, slant = np.deg2rad(rng.normal(0, 10)), np.exp(rng.normal(0, 0.06)), rng.normal(0, 0.05)
    m = np.array([[np.cos(turn) * wide, slant - np.sin(turn)], [np.sin(turn), np.cos(turn) / wide]])
    return cv2.warpAffine(img, np.c_[m, middle - m @ middle], img.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


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
    s = 1 if not hard and rng.random() < NEAR else np.exp(u(np.log(24 if hard else 30), np.log(40 if hard else WORK))) / WORK
    how = cv2.INTER_AREA if hard or rng.random() < 0.5 else cv2.INTER_LINEAR  # cameras that leave out lines alias as the pipeline does
    img = cv2.resize(np.clip(img, 0, 255), None, fx=s, fy=s, interpolation=how)
    if hard or rng.random() < 0.35:
        img = cv2.GaussianBlur(img, (0, 0), u(0.4, 1.2))
    elif rng.random() < 0.35:  # cameras sharpen
        img = img + u(0.2, 1.2) * (img - cv2.GaussianBlur(img, (0, 0), u(0.7, 1.5)))
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
    """count pictures for training: uint8 (n, INPUT, INPUT, 3) BGR, int8 labels (n, 5), fold of each (n,).

    Real masks are put only on faces of their own fold: a network that has not
    seen a fold has seen none of its masks either.
    """
    rng = np.random.default_rng(seed)
    by = {}
    for i, s in enumerate(samples):
        by.setdefault(s.source, []).append(i)
    sources = [k for k in SHARE if k in by]
    weights = np.array([SHARE[k] for k in sources])
    # Real sunglasses, hats and hands are few, and so are pictures in colour where most are grey: they come four times as often.
    odds = {}
    for k in sources:
        p = np.array([(4.0 if (samples[i].labels[1:] == 1).any() else 1.0) * (1.0 if _grey(samples[i].img) else 4.0) for i in by[k]])
        odds[k] = p / p.sum()
    x, y, folds = np.empty((count, INPUT, INPUT, 3), np.uint8), np.empty((count, len(NAMES)), np.int8), np.empty(count, np.int8)
    cuts = [worn.outline(s.img, Head(s.marks)) if s.labels[MASK] == 1 and s.labels[OCCLUSION] == 0 else None for s in samples]
    fold = deal(samples)
    donors = [[(s, c) for s, c, f in zip(samples, cuts, fold) if c is not None and f == k] for k in range(FOLDS)]
    for n in range(count):
        k = sources[rng.choice(len(sources), p=weights / weights.sum())]
        i = rng.choice(by[k], p=odds[k])
        folds[n] = fold[i]
        img, box, y[n] = dress(rng, samples[i], cuts[i], donors[fold[i]])
        if rng.random() < TILT:
            img = tilt(rng, img, box)
        x[n] = photograph(rng, img, box)
    return x, y, folds
