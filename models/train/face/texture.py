"""Backgrounds that no camera took: what looks like eyes, blinds, text or skin."""

import cv2
import numpy as np


def colour(rng):
    return tuple(int(v) for v in rng.integers(0, 256, 3))


def skin(rng):
    value = rng.uniform(60, 240)
    return tuple(int(np.clip(value * k + rng.normal(0, 8), 0, 255)) for k in (0.62, 0.75, 1.0))


def stripes(rng, picture):
    h, w = picture.shape[:2]
    period, thick = int(rng.integers(3, 40)), rng.uniform(0.2, 0.8)
    paint = colour(rng)
    upright = rng.random() < 0.5
    for at in range(0, w if upright else h, period):
        end = at + max(int(period * thick), 1)
        picture[(slice(None), slice(at, end)) if upright else (slice(at, end),)] = paint


def checks(rng, picture):
    h, w = picture.shape[:2]
    side = int(rng.integers(3, 30))
    grid = (np.add.outer(np.arange(h) // side, np.arange(w) // side) % 2).astype(bool)
    picture[grid] = colour(rng)


def discs(rng, picture):
    """Round things, many in pairs, on skin or anything."""
    h, w = picture.shape[:2]
    for _ in range(rng.integers(2, 12)):
        r, at = int(rng.integers(2, 26)), rng.integers(0, [w, h])
        paint = skin(rng) if rng.random() < 0.4 else colour(rng)
        for i in range(rng.integers(1, 3)):
            middle = int(at[0] + i * r * 3), int(at[1])
            cv2.circle(picture, middle, r, paint, -1 if rng.random() < 0.6 else int(rng.integers(1, 4)))


def blobs(rng, picture):
    """Skin without a face: hands, arms, bald heads from behind."""
    h, w = picture.shape[:2]
    for _ in range(rng.integers(1, 6)):
        axes = tuple(int(v) for v in rng.integers(5, max(w // 3, 6), 2))
        at = tuple(int(v) for v in rng.integers(0, [w, h]))
        cv2.ellipse(picture, at, axes, float(rng.uniform(0, 180)), 0, 360, skin(rng), -1)
    picture[:] = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 5)))


def words(rng, picture):
    h, w = picture.shape[:2]
    size, paint = float(rng.uniform(0.2, 1.6)), colour(rng)
    for y in range(0, h, int(26 * size) + 4):
        line = "".join(chr(c) for c in rng.integers(33, 127, 40))
        at, font = (int(rng.integers(-20, 10)), y), int(rng.integers(0, 8))
        cv2.putText(picture, line, at, font, size, paint, 1 + int(size * 2))


def clouds(rng, picture):
    h, w = picture.shape[:2]
    coarse = rng.normal(0, 60, (int(rng.integers(2, 30)), int(rng.integers(2, 30)), 3)).astype(np.float32)
    picture[:] = np.clip(picture + cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC), 0, 255)


PAINTERS = (stripes, checks, discs, blobs, words, clouds)


def texture(rng, width, height):
    """A picture of one colour with up to three of the above, turned a little."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = colour(rng) if rng.random() < 0.7 else 0
    for _ in range(rng.integers(0, 4)):
        PAINTERS[rng.integers(len(PAINTERS))](rng, picture)
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-45, 45)), float(rng.uniform(1, 1.5)))
        picture = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return picture
