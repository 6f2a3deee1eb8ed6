"""Follows a face between two pictures (pipeline/cutout.go, track.go), and
renders stills as sheets that are moved."""
import cv2
import numpy as np

from faces import HEAD

W, H, EYES, MIDDLE = 144, 176, 60, np.array([72, 84])
CORNERS = [0, 1, 3, 4]
PLACES = HEAD[:, :2] * EYES - [0, EYES / 2] + MIDDLE
_x, _y = (v.ravel() / EYES for v in np.meshgrid(np.arange(-7, 8) * 8, np.arange(-9, 10) * 8))
_in = ((_x / .95) ** 2 + ((_y + .05) / 1.15) ** 2 < 1) & (((np.abs(_x) - .5) / .24) ** 2 + ((_y + .5) / .15) ** 2 >= 1)
GRID = np.stack([_x, _y], 1)[_in]  # eye distances
PIXELS = (GRID * EYES + MIDDLE).astype(np.float32)
LK = dict(winSize=(17, 17), maxLevel=3, criteria=(3, 15, .03))


def cutout(grey, points):
    a, b = points[CORNERS] - points[CORNERS].mean(0), PLACES[CORNERS] - PLACES[CORNERS].mean(0)
    n = (a ** 2).sum()
    c, s = (a * b).sum() / n, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / n
    turn = np.array([[c, -s], [s, c]])
    place = np.hstack([turn, (PLACES[CORNERS].mean(0) - turn @ points[CORNERS].mean(0))[:, None]])
    scale = np.hypot(c, s)
    if scale < .7:
        grey = cv2.GaussianBlur(grey, (0, 0), .45 / scale)
    g = cv2.warpAffine(grey, place, (W, H), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    mean = cv2.boxFilter(g, -1, (25, 25))
    spread = np.sqrt(np.maximum(cv2.boxFilter(g * g, -1, (25, 25)) - mean * mean, 0))
    return np.clip(128 + 40 * (g - mean) / (spread + 6), 0, 255).astype(np.uint8)


def follow(first, second):
    """Moves and errors at GRID in eye distances; each picture is (grey, landmarks)."""
    a, b = cutout(*first), cutout(*second)
    there, found, _ = cv2.calcOpticalFlowPyrLK(a, b, PIXELS, None, **LK)
    back, again, _ = cv2.calcOpticalFlowPyrLK(b, a, there, None, **LK)
    miss = np.linalg.norm(back - PIXELS, axis=1) / EYES
    return (there - PIXELS) / EYES, np.where((found.ravel() > 0) & (again.ravel() > 0), miss, 9)


def eyes(points):
    return np.linalg.norm(points[1] - points[0])


def degrade(grey, ied, rng):
    """What a camera does: motion blur, little light, lens, noise, compression."""
    if rng.random() < .35:
        n = int(rng.integers(2, max(3, int(ied * .12)) + 1))
        kernel, a = np.zeros((n, n), np.float32), rng.uniform(0, np.pi)
        for t in np.linspace(-1, 1, 4 * n):
            kernel[round((n - 1) / 2 * (1 + t * np.sin(a))), round((n - 1) / 2 * (1 + t * np.cos(a)))] = 1
        grey = cv2.filter2D(grey, -1, kernel / kernel.sum())
    light = rng.uniform(.35, .8) if rng.random() < .25 else 1
    blur = rng.uniform(0, 1)
    if blur > .4:
        grey = cv2.GaussianBlur(grey, (0, 0), blur)
    noisy = grey * light * rng.uniform(.85, 1.15) + rng.normal(0, rng.uniform(1, 4), grey.shape)
    ok, jpeg = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 92))])
    return cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)


def shrink(grey, points, target):
    """The face's surroundings, with at most target pixels between the eyes."""
    k, c, reach = min(1.2, target / eyes(points)), points.mean(0), 2 * eyes(points)
    x0, y0 = np.maximum(c - reach, 0).astype(int)
    x1, y1 = (c + reach).astype(int)
    return cv2.resize(grey[y0:y1, x0:x1], None, fx=k, fy=k, interpolation=cv2.INTER_AREA), (points - [x0, y0]) * k


def sheet(kind, rng):
    """How a sheet is held; angles in radians, lengths in eye distances."""
    r = lambda a: rng.uniform(-a, a)
    p = dict(curve=0, fold=0, axis=0, off=0, turn=[0, 0, 0], far=rng.uniform(6, 14), zoom=1, slide=[0, 0])
    if kind == "slide":
        p.update(slide=[r(.5), r(.5)])
    elif kind == "zoom":
        p.update(zoom=rng.uniform(.75, 1.3))
    elif kind == "tilt":
        p.update(turn=[r(.65), r(.65), r(.1)])
    elif kind == "rotate":
        p.update(turn=[r(.1), r(.1), r(.5)])
    elif kind == "bend":
        p.update(curve=r(.5), axis=rng.choice([0, np.pi / 2, r(1.5)]), off=r(.5), turn=[r(.35), r(.35), r(.1)], slide=[r(.2), r(.2)])
    elif kind == "fold":
        p.update(fold=rng.uniform(.15, .5), turn=[r(.3), r(.4), r(.05)])
    elif kind == "turn":
        upright = rng.random() >= .4
        p.update(curve=rng.uniform(.1, .6), axis=0 if upright else np.pi / 2,
                 turn=[r(.1), r(.5), r(.05)] if upright else [r(.5), r(.1), r(.05)])
    return p


def render(grey, points, p):
    """The still as a sheet held like p, and where its landmarks come to lie."""
    h, w = grey.shape
    c, ied = points[CORNERS].mean(0), eyes(points)
    turn, _ = cv2.Rodrigues(np.array(p["turn"], float))
    along = np.array([np.cos(p["axis"]), np.sin(p["axis"])])
    across = np.array([-along[1], along[0]])

    def place(at):
        u = (np.asarray(at, float) - c) / ied
        s, t, k = u @ along - p["off"], u @ across, p["curve"]
        if p["fold"]:
            x, z = s * np.cos(p["fold"]), np.hypot(s, .05) * np.sin(p["fold"])
        elif abs(k) > 1e-6:
            x, z = np.sin(k * s) / k, (1 - np.cos(k * s)) / k
        else:
            x, z = s, 0 * s
        x = x + p["off"]
        q = np.stack([x * along[0] + t * across[0], x * along[1] + t * across[1], z], -1) @ turn.T
        f = p["far"] / (p["far"] + q[..., 2]) * p["zoom"]
        return np.stack([q[..., 0] * f, q[..., 1] * f], -1) * ied + c + np.array(p["slide"]) * ied

    want = np.stack(np.meshgrid(np.arange(0, w + 8, 8), np.arange(0, h + 8, 8)), -1).astype(float)
    back = np.linalg.inv(np.stack([place(c + [1, 0]) - place(c), place(c + [0, 1]) - place(c)], 1))
    clip = lambda v: np.clip(v, c - 2.6 * ied, c + 2.6 * ied)
    at = clip((want - place(c)) @ back.T + c)
    for _ in range(20):
        at = clip(at + .7 * (want - place(at)) @ back.T)
    fine = cv2.warpAffine(at.astype(np.float32), np.float32([[8, 0, 0], [0, 8, 0]]), (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.remap(grey, fine[..., 0], fine[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), place(points)
