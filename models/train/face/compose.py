"""Makes pictures to learn from: labelled people, placed, turned, lit and spoilt
at random on backgrounds without faces; or as a camera shows them.

A canvas is a uint8 picture with faces (n, 14: box x, y, w, h and five landmarks)
and boxes in which nothing is said. Everything follows from the generator given.
"""

import math

import cv2
import numpy as np

import spoil
from detector import letterbox, overlap
from label import HINT, TEACHER
from texture import texture

SMALLEST = 9  # pixels: a smaller face is neither face nor background
VISIBLE = 0.6  # share of a face's box inside the canvas below which the same holds
NEAR = 0.75  # a face's share of the picture's height from which it is a portrait
SHARES = {"replay-live": 0.16, "replay-attack": 0.13, "nuaa-live": 0.11, "nuaa-attack": 0.06,
          "faces": 0.22, "masks": 0.24, "clips": 0.10, "scenes": 0.08}


class Composer:
    """Draws canvases from labelled people and from faceless pictures (Shelves).

    The teacher has the last word on each canvas. Where it puts landmarks hangs
    on scale and place: labels moved with the picture lie 4 % of the distance
    between the eyes from what it says of the moved picture, as far as the student
    may be off in all.
    """

    def __init__(self, people, faceless, teacher, with_held_out=False):
        self.people, self.faceless, self.teacher = people, faceless, teacher
        use = lambda e: with_held_out or not e["held"]
        self.groups = {s: [e for e in people.entries if e["source"] == s and use(e) and e["plain"]["faces"]]
                       for s in SHARES}
        self.backgrounds = [e for e in faceless.entries if use(e)]
        self.anyone = [e for group in self.groups.values() for e in group]

    def canvas(self, rng, width, height, smallest, largest):
        """A canvas with faces of about smallest to largest pixels, or none."""
        picture = self.background(rng, width, height)
        faces, ignored = np.zeros((0, 14)), np.zeros((0, 4))
        for _ in range(rng.choice([0, 1, 2, 3], p=[0.24, 0.55, 0.15, 0.06])):
            picture, faces, ignored = self.add(rng, picture, faces, ignored, smallest, largest)
        for face in faces:
            spoil.cover(rng, picture, face)
        if rng.random() < 0.25:  # a camera's 4:3 picture leaves a black bar in the input
            picture[height - height // 16 :] = 0
        picture = spoil.spoil(rng, picture)
        return picture, *corrected(self.teacher, picture, faces, ignored)

    def frame(self, rng, width, height):
        """A canvas as the daemon shows a camera's picture; often moved a little."""
        source, faces, ignored = self.view(rng, self.entry(rng))
        small, (sx, sy) = letterbox(np.ascontiguousarray(source), width, height)
        place = np.array([[sx, 0, 0], [0, sy, 0]])
        size = faces[:, 3].max() * sy / height
        picture = np.zeros((height, width, 3), np.uint8)
        if size > NEAR or rng.random() < 0.5:
            # A portrait fills its picture; nobody stands that near to a camera.
            scale = rng.uniform(0.25, 0.7) / size if size > NEAR else math.exp(rng.normal(-0.05, 0.12))
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 4), scale)
            turn[:, 2] += rng.normal(0, 8, 2)
            place = turn @ np.concatenate([place, [[0, 0, 1]]])
            if size > NEAR:
                picture = self.background(rng, width, height)
            seen = warp(np.ones(source.shape[:2], np.float32), place, width, height)[..., None] > 0.99
            picture = np.where(seen, warp(source, place, width, height), picture)
        else:
            picture[: small.shape[0], : small.shape[1]] = small
        faces, ignored = transform(faces, place), transform(ignored, place)
        cut = np.array([visible(f, width, height) < VISIBLE or min(f[2:4]) < SMALLEST for f in faces], bool)
        faces, ignored = faces[~cut], np.concatenate([ignored, faces[cut, :4]])
        if rng.random() < 0.5:
            picture = spoil.spoil(rng, picture)
        return picture, *corrected(self.teacher, picture, faces, ignored)

    def entry(self, rng):
        sources = [s for s in SHARES if self.groups[s]]
        share = np.array([SHARES[s] for s in sources])
        group = self.groups[sources[rng.choice(len(sources), p=share / share.sum())]]
        return group[rng.integers(len(group))]

    def view(self, rng, entry):
        """The entry's picture, mirrored half of the time, and its answers."""
        mirrored = rng.random() < 0.5 and entry["mirrored"]["faces"]
        picture = self.people.picture(entry)
        known = entry["mirrored" if mirrored else "plain"]
        faces = np.array(known["faces"])[:, 1:]
        return (picture[:, ::-1] if mirrored else picture), faces, np.array(known["ignored"]).reshape(-1, 4)

    def background(self, rng, width, height):
        kind = rng.random()
        if kind < 0.25:
            return texture(rng, width, height)
        if kind < 0.7 and self.backgrounds:
            source = self.faceless.picture(self.backgrounds[rng.integers(len(self.backgrounds))])
            taken = np.zeros((0, 4))
        else:
            entry = self.anyone[rng.integers(len(self.anyone))]
            source = self.people.picture(entry)
            taken = np.array([f[1:5] for f in entry["plain"]["faces"]] + entry["plain"]["ignored"])
        h, w = source.shape[:2]
        for _ in range(6):
            scale = math.exp(rng.uniform(math.log(0.35), math.log(2.5)))
            cw, ch = int(min(width / scale, w)), int(min(height / scale, h))
            x, y = rng.integers(w - cw + 1), rng.integers(h - ch + 1)
            free = not len(taken) or overlap((x, y, cw, ch), taken).max() == 0
            if free and min(cw, ch) >= 12:
                crop = source[y : y + ch, x : x + cw]
                return cv2.resize(crop[:, :: rng.choice([-1, 1])], (width, height), interpolation=cv2.INTER_AREA)
        return texture(rng, width, height)

    def add(self, rng, picture, faces, ignored, smallest, largest):
        """Puts a person's picture onto the canvas."""
        height, width = picture.shape[:2]
        source, found, unsure = self.view(rng, self.entry(rng))
        place = placement(rng, source, found[rng.integers(len(found))], width, height, smallest, largest)
        boxed = rng.random() < 0.5
        soft = feather(source.shape[:2], found, boxed, rng)
        moved = warp(source, place, width, height)
        weight = warp(soft, place, width, height)[..., None]
        picture = (picture * (1 - weight) + moved * weight).astype(np.uint8)
        # What the new picture hides is not there any more.
        hidden = np.array([weight_in(weight, f) > 0.05 for f in faces], bool)
        ignored, faces = np.concatenate([ignored, faces[hidden, :4]]), faces[~hidden]
        for face in transform(found, place):
            small = math.sqrt(face[2] * face[3]) < SMALLEST
            if small or weight_in(weight, face) < 0.5 or visible(face, width, height) < VISIBLE:
                ignored = np.concatenate([ignored, face[None, :4]])
            else:
                faces = np.concatenate([faces, face[None]])
        if len(unsure):
            ignored = np.concatenate([ignored, transform(unsure, place)])
        return picture, faces, ignored


def corrected(teacher, picture, faces, ignored):
    """faces and ignored as the teacher, at its threshold, sees them in picture."""
    view = np.zeros((teacher.height, teacher.width, 3), np.uint8)
    view[: picture.shape[0], : picture.shape[1]] = picture
    seen = teacher.detect(view, HINT, TEACHER)
    sure = seen[:, 0] >= TEACHER
    # What it does not see here, though it did in the picture that this is made from, stays.
    kept = [f for f in faces if not len(seen[sure]) or overlap(f[:4], seen[sure, 1:5]).max() < 0.4]
    small = np.sqrt(seen[:, 3] * seen[:, 4]) < SMALLEST
    faces = np.concatenate([np.array(kept).reshape(-1, 14), seen[sure & ~small, 1:]])
    unsure = [f[1:5] for f in seen[~sure | small] if not len(faces) or overlap(f[1:5], faces[:, :4]).max() < 0.3]
    return faces, np.concatenate([ignored, np.array(unsure).reshape(-1, 4)])


def placement(rng, source, face, width, height, smallest, largest):
    """A 2x3 matrix that brings face to a random size, angle and place."""
    h, w = source.shape[:2]
    size = math.sqrt(face[2] * face[3])
    if rng.random() < 0.5:  # as a camera would have it
        scale = min(width / w, height / h) * rng.uniform(0.85, 1.15)
    else:
        scale = math.exp(rng.uniform(math.log(smallest), math.log(largest))) / size
    scale = min(scale, largest / size, 2.5)
    angle = math.radians(np.clip(rng.normal(0, 7), -20, 20))
    c, s = math.cos(angle), math.sin(angle)
    squeeze = math.exp(rng.normal(0, 0.06))
    turn = np.array([[c, -s], [s, c]]) @ np.array([[squeeze, rng.normal(0, 0.04)], [0, 1 / squeeze]]) * scale
    middle = face[:2] + face[2:4] / 2
    t = size * scale
    # Mostly inside, sometimes partly cut off at the border.
    reach = t * rng.choice([0.55, 0.3, 0.05], p=[0.7, 0.2, 0.1])
    where = [rng.uniform(reach, n - reach) if n > 2 * reach else rng.uniform(0.4, 0.6) * n for n in (width, height)]
    return np.concatenate([turn, (np.array(where) - turn @ middle)[:, None]], 1)


def feather(size, faces, boxed, rng):
    """How much of the picture shows: all of it to a soft border, or only people."""
    h, w = size
    soft = np.zeros((h, w), np.float32)
    if boxed:
        edge = int(rng.integers(0, 1 + min(h, w) // 12))
        soft[edge : h - edge, edge : w - edge] = 1
        return cv2.blur(soft, (2 * edge + 1, 2 * edge + 1)) if edge else soft
    for x, y, bw, bh in faces[:, :4]:
        middle, axes = (int(x + bw / 2), int(y + bh / 2)), (int(bw * 0.85) + 1, int(bh * 0.85) + 1)
        cv2.ellipse(soft, middle, axes, 0, 0, 360, 1, -1)
        below = [int(x - bw * 0.7), int(y + bh * 1.0), int(x + bw * 1.7), h]
        cv2.rectangle(soft, below[:2], below[2:], 1, -1)
    return cv2.blur(soft, (9, 9))


def warp(source, place, width, height):
    """source under place; shrunk by area first, as cameras' pictures are."""
    scale = math.sqrt(abs(np.linalg.det(place[:, :2])))
    if scale < 0.75:
        small = max(round(source.shape[1] * scale), 1), max(round(source.shape[0] * scale), 1)
        ratio = np.array([source.shape[1] / small[0], source.shape[0] / small[1]])
        source = cv2.resize(np.ascontiguousarray(source), small, interpolation=cv2.INTER_AREA)
        place = np.concatenate([place[:, :2] * ratio, place[:, 2:]], 1)
    return cv2.warpAffine(np.ascontiguousarray(source), place, (width, height), flags=cv2.INTER_LINEAR)


def transform(faces, place):
    """faces, or only boxes, under place: a box keeps its proportions' sense."""
    out = np.array(faces, float)
    turn, shift = place[:, :2], place[:, 2]
    middle = (out[:, :2] + out[:, 2:4] / 2) @ turn.T + shift
    out[:, 2:4] *= np.linalg.norm(turn, axis=0)
    out[:, :2] = middle - out[:, 2:4] / 2
    if out.shape[1] > 4:
        out[:, 4:] = (out[:, 4:].reshape(-1, 5, 2) @ turn.T + shift).reshape(-1, 10)
    return out


def visible(face, width, height):
    x, y, w, h = face[:4]
    inside = max(min(x + w, width) - max(x, 0), 0) * max(min(y + h, height) - max(y, 0), 0)
    return inside / (w * h)


def weight_in(weight, face):
    """Mean of a canvas-sized mask in the middle half of a face's box."""
    x, y, w, h = face[:4]
    top, left = max(int(y + h / 4), 0), max(int(x + w / 4), 0)
    part = weight[top : max(int(y + h * 3 / 4) + 1, 0), left : max(int(x + w * 3 / 4) + 1, 0)]
    return float(part.mean()) if part.size else 0.0
