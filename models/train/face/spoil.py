"""What bad light, cheap cameras and things before a face do to a picture."""

import cv2
import numpy as np


def cover(rng, picture, face):
    """Sometimes puts a mask, dark glasses or anything else over a face."""
    kind = rng.random()
    eyes, nose, mouth = face[4:8].reshape(2, 2), face[8:10], face[10:14].reshape(2, 2)
    x, y, w, h = face[:4]
    if kind < 0.06:  # a mask: from the bridge of the nose over the chin
        top = (nose * 0.6 + eyes.mean(0) * 0.4)
        side = (eyes[1] - eyes[0]) * 0.85
        chin = mouth.mean(0) + (mouth.mean(0) - nose) * 1.3
        points = [top - side * 0.3, top + side * 0.3, nose + side, mouth[1] + side * 0.4, chin + side * 0.3,
                  chin - side * 0.3, mouth[0] - side * 0.4, nose - side]
        paint = [(235, 235, 230), (230, 200, 150), (30, 30, 30), tuple(int(v) for v in rng.integers(0, 256, 3))]
        cv2.fillPoly(picture, [np.array(points).astype(np.int32)], paint[rng.integers(4)], cv2.LINE_AA)
    elif kind < 0.11:  # dark glasses
        tint = tuple(int(v) for v in rng.integers(0, 70, 3))
        across = np.linalg.norm(eyes[1] - eyes[0])
        axes = int(across * rng.uniform(0.3, 0.48)), int(across * rng.uniform(0.22, 0.4))
        for eye in eyes:
            cv2.ellipse(picture, tuple(eye.astype(int).tolist()), axes, 0, 0, 360, tint, -1, cv2.LINE_AA)
        cv2.line(picture, *(tuple(e.astype(int).tolist()) for e in eyes), tint, max(axes[1] // 4, 1))
    elif kind < 0.15:  # a hand, a cup, a scarf over a third of it
        side = rng.integers(4)
        box = [x, y, x + w, y + h]
        box[side] = box[(side + 2) % 4] + (box[side] - box[(side + 2) % 4]) * rng.uniform(0.25, 0.38)
        corners = np.sort(np.array(box).reshape(2, 2), axis=0).astype(int).tolist()
        cv2.rectangle(picture, *corners, tuple(int(v) for v in rng.integers(0, 256, 3)), -1)


def spoil(rng, picture):
    """picture in other light, with another camera's faults."""
    chance = lambda p: rng.random() < p
    if chance(0.12):
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.8)))
    if chance(0.08):
        n = int(rng.integers(3, 8))
        line = np.zeros((n, n), np.float32)
        cv2.line(line, (0, int(rng.integers(n))), (n - 1, int(rng.integers(n))), 1)
        picture = cv2.filter2D(picture, -1, line / line.sum())
    x = picture.astype(np.float32)
    if chance(0.15):
        x[:] = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None]
    if chance(0.6):
        x = 255 * (x / 255) ** np.float32(np.exp(rng.normal(0, 0.3)))
        x = (x - 128) * np.float32(rng.uniform(0.6, 1.3)) + 128 + np.float32(rng.normal(0, 18))
    if chance(0.4):
        x = x * np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
    if chance(0.15):  # light from one side
        h, w = x.shape[:2]
        ramp = np.linspace(rng.uniform(0.2, 1), rng.uniform(0.6, 1.8), w if chance(0.6) else h, dtype=np.float32)
        ramp = ramp[:: rng.choice([-1, 1])]
        x = x * (ramp[None, :, None] if len(ramp) == w else ramp[:, None, None])
    if chance(0.1):
        x = x * np.float32(rng.uniform(0.12, 0.5))
    if chance(0.3):
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(1, 12))
    picture = np.clip(x, 0, 255).astype(np.uint8)
    if chance(0.4):
        good, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])
        assert good
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return picture
