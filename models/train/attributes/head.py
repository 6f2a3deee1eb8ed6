"""A plane laid on a face by its five landmarks, and paint that goes onto it."""
import cv2
import numpy as np


class Head:
    """Coordinates on a face: (0, 0) between the eyes, the eyes at (∓0.5, 0), the mouth at (0, 1).

    The first number is in eye distances to the right in the picture, the second
    in distances from eyes to mouth, downwards. The chin is near (0, 1.75), the
    hairline near (0, -1), the top of the head near (0, -1.6).
    """

    def __init__(self, marks):
        eye_r, eye_l, nose, mouth_r, mouth_l = np.asarray(marks, float).reshape(5, 2)
        self.eyes = (eye_r + eye_l) / 2
        down = (mouth_r + mouth_l) / 2 - self.eyes
        self.h = max(float(np.hypot(*down)), 1.0)
        self.down = down / self.h
        across = eye_l - eye_r
        d = max(float(np.hypot(*across)), 1e-3)
        self.across = across / d
        self.d = max(d, 0.65 * self.h)  # in a turned head the eyes are near each other, the head is as wide as before
        # How far the nose stands off the middle line: what is near the nose goes with it.
        self.turn = float(np.clip(((nose - self.eyes) @ self.across) / self.d, -0.6, 0.6))

    def points(self, ab):
        """Pixels of the given (across, down) pairs."""
        ab = np.asarray(ab, float).reshape(-1, 2)
        a = ab[:, 0] + self.turn * 0.8 * np.clip(1 - ab[:, 0] ** 2, 0, 1)
        return self.eyes + np.outer(a * self.d, self.across) + np.outer(ab[:, 1] * self.h, self.down)


def area(shape, pts):
    """The inside of a polygon as alpha 0..1 with soft edges."""
    m = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(m, [np.round(np.asarray(pts) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return m.astype(np.float32) / 255


def lines(shape, pts, width, closed=False):
    """A stroke through points as alpha 0..1."""
    m = np.zeros(shape[:2], np.uint8)
    cv2.polylines(m, [np.round(np.asarray(pts) * 16).astype(np.int32)], closed, 255, max(1, round(width)), cv2.LINE_AA, 4)
    return m.astype(np.float32) / 255


def curve(pts, n=8):
    """A closed smooth curve through points (Catmull-Rom), n steps between two."""
    p = np.asarray(pts, float)
    t = (np.arange(n) / n)[:, None]
    out = []
    for i in range(len(p)):
        a, b, c, d = p[i - 1], p[i], p[(i + 1) % len(p)], p[(i + 2) % len(p)]
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t ** 2 + (3 * b - a - 3 * c + d) * t ** 3))
    return np.concatenate(out)


def ellipse(centre, a, b, n=28, square=2.0):
    """Points of a superellipse: square 2 is an ellipse, larger is more like a box."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    return np.c_[centre[0] + a * np.sign(c) * abs(c) ** (2 / square), centre[1] + b * np.sign(s) * abs(s) ** (2 / square)]


def blend(img, alpha, layer):
    """img with layer (a colour or a picture, BGR) put over it where alpha says; img is not changed."""
    a = alpha[..., None].astype(np.float32)
    return np.asarray(img, np.float32) * (1 - a) + np.asarray(layer, np.float32) * a


def noise(rng, shape, cells):
    """Smooth noise in -1..1, about cells lumps along a side."""
    n = max(2, int(cells))
    small = rng.uniform(-1, 1, (n, n)).astype(np.float32)
    return cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def colour(rng, low=0.0, high=1.0):
    """A random BGR colour, 0..255, of a lightness between low and high."""
    hsv = np.uint8([[[rng.integers(180), int(255 * rng.beta(1.2, 1.5)), int(255 * rng.uniform(low, high))]]])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)


def light(img, head):
    """Mean brightness of the face, 0..1: what is put onto it stands in the same light."""
    x, y = np.round(head.points([(0, 0.5)])[0]).astype(int)
    r = max(2, int(head.d))
    part = img[max(y - r, 0):y + r, max(x - r, 0):x + r]
    return float(np.clip(part.mean() / 150, 0.12, 1.3)) if part.size else 1.0


def cloth(rng, img, head, base, folds=0.12):
    """A picture of cloth in the light of the face: folds, weave, and at times a pattern."""
    h, w = img.shape[:2]
    out = np.empty((h, w, 3), np.float32)
    out[:] = base
    kind = rng.random()
    if kind < 0.15:  # print of blots
        out = blend(out, (noise(rng, (h, w), rng.integers(8, 30)) > rng.uniform(0, 0.5)).astype(np.float32), colour(rng))
        out = blend(out, (noise(rng, (h, w), rng.integers(8, 40)) > rng.uniform(0.3, 0.7)).astype(np.float32), colour(rng))
    elif kind < 0.25:  # stripes or squares
        y, x = np.mgrid[:h, :w].astype(np.float32)
        t = rng.uniform(0, np.pi)
        step = rng.uniform(0.1, 0.4) * head.d
        s = np.sin((x * np.cos(t) + y * np.sin(t)) * 2 * np.pi / step)
        if rng.random() < 0.5:
            s = s * np.sin((y * np.cos(t) - x * np.sin(t)) * 2 * np.pi / step)
        out = blend(out, np.clip(s * 2, 0, 1) * rng.uniform(0.3, 1), colour(rng))
    shade = 1 + folds * noise(rng, (h, w), rng.integers(4, 12)) + 0.15 * noise(rng, (h, w), 2)
    weave = rng.normal(0, rng.uniform(0, 0.05), (h, w)).astype(np.float32)
    return np.clip(out * (shade + weave)[..., None] * min(light(img, head), 1.1), 0, 255)
