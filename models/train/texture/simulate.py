"""Presentation attacks and cameras, simulated on pictures of people.

Every function takes and gives a BGR uint8 picture and draws what it needs from
a numpy Generator. Sizes of patterns are in pixels of the picture given. The
physics is plain: a medium has a gamut, a black level and a structure of its
own, reflects the room, and is taken by a second camera whose exposure, lens,
noise and compression come on top of the first one's.
"""
import cv2
import numpy as np


def linear(img):
    return (img.astype(np.float32) / 255) ** 2.2


def display(lin):
    return (np.clip(lin, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def jpeg(img, quality):
    ok, b = cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not ok:
        raise ValueError("a picture could not be compressed")
    return cv2.imdecode(b, cv2.IMREAD_COLOR)


def grid(shape):
    y, x = np.mgrid[0:shape[0], 0:shape[1]].astype(np.float32)
    return x, y


def wave(rng, shape, low, high):
    """A bent sinusoid -1..1 with a period of low..high pixels, any direction."""
    x, y = grid(shape)
    a, f = rng.uniform(0, np.pi), 2 * np.pi / np.exp(rng.uniform(np.log(low), np.log(high)))
    h, w = shape[:2]
    bend = rng.normal(0, 0.15) * ((x / w - 0.5) ** 2 + (y / h - 0.5) ** 2) * w
    return np.sin(f * (x * np.cos(a) + y * np.sin(a) + bend) + rng.uniform(0, 2 * np.pi))


def glow(rng, shape):
    """A smooth spot 0..1 somewhere, as of a lamp or window."""
    x, y = grid(shape)
    h, w = shape[:2]
    cx, cy = rng.uniform(-0.1, 1.1) * w, rng.uniform(-0.1, 1.1) * h
    rx, ry = rng.uniform(0.05, 0.6) * w, rng.uniform(0.05, 0.6) * h
    return np.exp(-((x - cx) / rx) ** 2 - ((y - cy) / ry) ** 2)[..., None]


def slope(rng, shape, amount):
    """Light that falls off across the picture, about 1."""
    x, y = grid(shape)
    a = rng.uniform(0, 2 * np.pi)
    d = np.cos(a) * (x / shape[1] - 0.5) + np.sin(a) * (y / shape[0] - 0.5)
    return (1 + amount * d)[..., None]


def resize(img, w, h):
    shrink = w < img.shape[1]
    return cv2.resize(img, (max(int(w), 16), max(int(h), 16)), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)


def screen(rng, img):
    """The picture as shown by a phone, tablet or monitor: not yet a photograph
    of it."""
    h, w = img.shape[:2]
    if rng.random() < 0.6:  # the recording on the device has fewer pixels, and a codec
        s = rng.uniform(0.45, 1)
        img = jpeg(resize(img, w * s, h * s), rng.uniform(25, 85))
    img = resize(img, w, h)
    lin = linear(img) ** rng.uniform(0.85, 1.35)
    if rng.random() < 0.7:  # most devices saturate their colours
        grey = lin.mean(2, keepdims=True)
        lin = grey + (lin - grey) * rng.uniform(0.75, 1.5)
    lin *= np.float32([rng.uniform(0.95, 1.35), rng.uniform(0.95, 1.1), rng.uniform(0.75, 1.05)])  # b, g, r: a cold white
    lin = np.clip(lin, 0, 1.2) + rng.uniform(0, 0.06)  # black is not black
    if rng.random() < 0.55:  # the grids of screen and sensor beat
        amount = np.exp(rng.uniform(np.log(0.01), np.log(0.18)))
        for _ in range(rng.integers(1, 3)):
            pattern = np.stack([wave(rng, img.shape, 2.0, 40)] * 3, 2) if rng.random() < 0.5 else \
                np.stack([wave(rng, img.shape, 2.0, 40) for _ in range(3)], 2)
            lin = lin * (1 + amount * pattern)
    if rng.random() < 0.15:  # rolling bands of the back light
        lin *= 1 + rng.uniform(0.02, 0.12) * np.sin(grid(img.shape)[1] * 2 * np.pi / rng.uniform(30, 200) + rng.uniform(0, 7))[..., None]
    if rng.random() < 0.4:  # the glass reflects
        lin = lin + rng.uniform(0.02, 0.5) * glow(rng, img.shape) * np.float32(rng.uniform(0.8, 1, 3))
    if rng.random() < 0.15:
        lin = lin + rng.uniform(0.02, 0.12) * linear(cv2.GaussianBlur(img[:, ::-1], (0, 0), 9))
    return lin


def paper(rng, img):
    """The picture as printed and lit: linear light."""
    h, w = img.shape[:2]
    if rng.random() < 0.5:
        s = rng.uniform(0.5, 1)
        img = resize(resize(img, w * s, h * s), w, h)
    lin = linear(img) ** rng.uniform(0.75, 1.2)
    grey = lin.mean(2, keepdims=True)
    lin = grey + (lin - grey) * (0 if rng.random() < 0.1 else rng.uniform(0.5, 1.2))
    black, white = rng.uniform(0.01, 0.12), rng.uniform(0.7, 1)
    lin = black + np.clip(lin, 0, 1) * (white - black)  # ink is not black, paper not white
    if rng.random() < 0.5:  # halftone, seen by a camera that hardly resolves it
        amount = rng.uniform(0.01, 0.15)
        for c in range(3):
            lin[..., c] *= 1 + amount * wave(rng, img.shape, 1.8, 5) * wave(rng, img.shape, 1.8, 5)
    if rng.random() < 0.4:  # bands of the print head
        across = grid(img.shape)[rng.integers(0, 2)]
        lin *= 1 + rng.uniform(0.01, 0.08) * np.sin(across * 2 * np.pi / rng.uniform(2, 14) + rng.uniform(0, 7))[..., None]
    if rng.random() < 0.5:  # fibres
        lin *= 1 + rng.normal(0, rng.uniform(0.005, 0.04), img.shape[:2]).astype(np.float32)[..., None]
    lin *= slope(rng, img.shape, rng.uniform(0, 0.7))
    if rng.random() < 0.35:  # gloss
        lin = lin + rng.uniform(0.03, 0.4) * glow(rng, img.shape)
    return lin * np.float32(rng.uniform(0.85, 1.15, 3))


def retake(rng, lin, box):
    """A second camera's view of a medium: placed, lit, blurred; and where the
    face is then. The medium may end inside the picture."""
    h, w = lin.shape[:2]
    x, y, bw, bh = box
    c = np.float32([x + bw / 2, y + bh / 2])
    most = min(0.92 * h / bh, 0.92 * w / bw)
    scale = rng.uniform(0.9, 1.5) if rng.random() < 0.65 else rng.uniform(0.55, 0.95)
    scale = min(scale, max(most, 0.5))
    size = np.float32([bw, bh]) * scale / 2
    low, high = np.minimum(size, [w / 2, h / 2]), np.maximum(np.float32([w, h]) - size, [w / 2, h / 2])
    to = np.clip(c + rng.normal(0, 0.08, 2) * [w, h], low, high)
    a = np.deg2rad(rng.normal(0, 3))
    R = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) * scale
    src = np.float32([[0, 0], [w, 0], [w, h], [0, h]])
    dst = (src - c) @ R.T + to + rng.normal(0, 0.015 * w, (4, 2))
    M = cv2.getPerspectiveTransform(src, dst.astype(np.float32))
    room = cv2.GaussianBlur(lin[rng.integers(0, h // 2):, ::-1], (0, 0), 5)
    room = cv2.resize(room, (w, h)) * rng.uniform(0.1, 1) if rng.random() < 0.5 else \
        np.full_like(lin, rng.uniform(0, 0.8)) * slope(rng, lin.shape, 0.6) * np.float32(rng.uniform(0.8, 1, 3))
    out = cv2.warpPerspective(lin, M, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    mask = cv2.warpPerspective(np.ones((h, w), np.float32), M, (w, h))[..., None]
    if rng.random() < 0.6:  # a frame round it
        k = int(rng.uniform(3, 25)) | 1
        rim = cv2.dilate(mask[..., 0], np.ones((k, k)))[..., None] - mask
        room = room * (1 - rim) + rim * (rng.uniform(0, 0.05) if rng.random() < 0.6 else rng.uniform(0.5, 1))
    corners = np.float32([[x, y], [x + bw, y], [x + bw, y + bh], [x, y + bh]])[None]
    corners = cv2.perspectiveTransform(corners, M)[0]
    low, high = corners.min(0), corners.max(0)
    return out + room.astype(np.float32) * (1 - mask), (low[0], low[1], high[0] - low[0], high[1] - low[1])


def expose(rng, lin, strength=1.0):
    """A camera's exposure and tone: a recaptured picture has been through two."""
    if rng.random() < 0.8:
        level = np.percentile(lin, 60) + 1e-3
        lin = lin * (np.exp(rng.normal(np.log(0.25), 0.5 * strength)) / level) ** rng.uniform(0.3, 1)
    out = np.clip(lin, 0, 1) ** (1 / 2.2)
    if rng.random() < 0.6:  # contrast about the middle
        k = np.exp(rng.normal(0.15, 0.25) * strength)
        out = (out - 0.5) * k + 0.5 + rng.normal(0, 0.03)
    return out


def lens_and_sensor(rng, img):
    """Blur, noise, sharpening, compression of a cheap camera; img is 0..1."""
    if rng.random() < 0.6:
        img = cv2.GaussianBlur(img, (0, 0), np.exp(rng.uniform(np.log(0.3), np.log(1.8))))
    if rng.random() < 0.15:
        k = np.zeros((7, 7), np.float32)
        a = rng.uniform(0, np.pi)
        p = np.array([np.cos(a), np.sin(a)]) * rng.uniform(1, 3)
        cv2.line(k, tuple(np.int32(np.round(3 - p))), tuple(np.int32(np.round(3 + p))), 1)
        img = cv2.filter2D(img, -1, k / k.sum())
    if rng.random() < 0.5:
        n = rng.uniform(0.003, 0.04)
        noise = rng.normal(0, n, img.shape[:2] + (3,)).astype(np.float32)
        if rng.random() < 0.5:  # demosaicked, so it hangs together
            noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * 1.6
        img = img + noise
    if rng.random() < 0.3:
        img = img + rng.uniform(0.2, 1) * (img - cv2.GaussianBlur(img, (0, 0), 1.2))
    img = (np.clip(img, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.7:
        img = jpeg(img, rng.uniform(35, 95))
    return img


def attack(rng, img, box):
    """A photograph of a print or screen that shows img, its kind, and the box."""
    kind = "screen" if rng.random() < 0.6 else "paper"
    lin, box = retake(rng, screen(rng, img) if kind == "screen" else paper(rng, img), box)
    return lens_and_sensor(rng, expose(rng, lin)), kind, box


def camera(rng, img, strength):
    """The same scene by another camera in other light: bona fide stays bona
    fide, an attack an attack. strength 0 changes nothing."""
    if strength == 0:
        return img
    lin = linear(img)
    if rng.random() < 0.6:
        lin = lin * np.float32(np.exp(rng.normal(0, 0.10 * strength, 3)))  # white balance
    if rng.random() < 0.2:
        lin = lin.mean(2, keepdims=True) * (1 - (s := rng.uniform(0, 1))) + lin * s
    if rng.random() < 0.3:
        lin = lin * slope(rng, img.shape, rng.uniform(0, 0.6))
    lin = lin * np.exp(rng.normal(0, 0.35 * strength))
    out = np.clip(lin, 0, 1) ** (1 / 2.2)
    if rng.random() < 0.5:
        out = (out - 0.5) * np.exp(rng.normal(0, 0.2) * strength) + 0.5
    if rng.random() < strength:
        return lens_and_sensor(rng, out.astype(np.float32))
    return (np.clip(out, 0, 1) * 255).astype(np.uint8)
