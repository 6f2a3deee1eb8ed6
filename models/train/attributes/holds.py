"""Things that hide a part of a face, and things that only look as if they did."""
import cv2
import numpy as np

from head import area, blend, cloth, colour, curve, ellipse, light, lines, noise

# The part of a face that must be free: brow to chin, cheek to cheek.
INNER = [(-0.8, -0.3), (0.8, -0.3), (0.85, 0.5), (0.6, 1.35), (0, 1.65), (-0.6, 1.35), (-0.85, 0.5)]


def occlude(rng, img, head):
    """Puts a hand, telephone, cup, sheet, ball or hair before the face. Returns the picture and the covered share of INNER."""
    kind = rng.choice(["hand", "telephone", "cup", "sheet", "hair", "lump"], p=[0.4, 0.15, 0.12, 0.13, 0.12, 0.08])
    u = rng.uniform
    inner = area(img.shape, head.points(INNER))
    if kind == "hair":
        alpha, layer = _fringe(rng, img, head, u(0.05, 0.35))
    else:
        at = (u(-0.9, 0.9), u(-0.3, 1.6))
        alpha, layer = {"hand": _hand, "telephone": _slab, "sheet": _slab, "cup": _cup, "lump": _lump}[kind](rng, img, head, at)
    if rng.random() < 0.5:  # it throws a shadow
        img = img * (1 - 0.4 * cv2.GaussianBlur(alpha, (0, 0), max(1, head.d * 0.1)))[..., None]
    return blend(img, alpha, layer), float((alpha * inner).sum() / max(inner.sum(), 1))


def skin(img, head):
    """The colour of the cheeks."""
    x, y = np.round(head.points([(0, 0.45)])[0]).astype(int)
    r = max(2, int(0.25 * head.d))
    part = img[max(y - r, 0):y + r, max(x - r, 0):x + r].reshape(-1, 3)
    return np.median(part, 0) if len(part) else np.float32((110, 140, 190))


def _hand(rng, img, head, at):
    """A palm and fingers in the colour of the face, lit from one side."""
    u = rng.uniform
    turn = u(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    rot = np.array([[c, -s], [s, c]])
    size = u(0.55, 0.9)
    alpha = np.zeros(img.shape[:2], np.float32)
    edges = np.zeros_like(alpha)

    def put(pts):
        nonlocal alpha, edges
        p = head.points(np.asarray(pts) * size @ rot.T + at)
        alpha = np.maximum(alpha, area(img.shape, p))
        edges = np.maximum(edges, lines(img.shape, p, head.d * 0.03, True))

    put(ellipse((0, 0.1), 0.45, 0.5, square=2.6))
    spread = u(0, 0.25)
    for i in range(rng.integers(3, 5)):
        a = (i - 1.5) * spread
        x = (i - 1.5) * 0.25
        long = u(0.6, 1.0)
        put(np.array([(x - 0.11, -0.2), (x - 0.1 + long * np.sin(a), -0.2 - long), (x + long * np.sin(a), -0.28 - long), (x + 0.1 + long * np.sin(a), -0.2 - long), (x + 0.11, -0.2)]))
    if rng.random() < 0.6:
        put([(0.3, 0.3), (0.75, -0.1), (0.85, 0), (0.5, 0.5)])
    put([(-0.35, 0.4), (0.35, 0.4), (0.35, 2.5), (-0.35, 2.5)])  # wrist and arm
    y, x = np.mgrid[:img.shape[0], :img.shape[1]].astype(np.float32)
    t = u(0, 2 * np.pi)
    slope = ((x - head.eyes[0]) * np.cos(t) + (y - head.eyes[1]) * np.sin(t)) / (3 * head.d)
    tone = np.clip(skin(img, head) * u(0.75, 1.2) + rng.normal(0, 6, 3), 0, 255)
    layer = tone * np.clip(1 + 0.35 * slope + 0.06 * noise(rng, img.shape, 14), 0.4, 1.4)[..., None]
    layer = blend(layer, edges * u(0.2, 0.6), tone * 0.55)
    return alpha, np.clip(layer, 0, 255)


def _slab(rng, img, head, at):
    """A telephone or a sheet: a rectangle with something on it."""
    u = rng.uniform
    w, h, turn = u(0.35, 0.8), u(0.5, 1.1), u(-0.7, 0.7)
    box = np.array([(-w, -h), (w, -h), (w, h), (-w, h)])
    rot = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    alpha = area(img.shape, head.points(box @ rot.T + at))
    inner = area(img.shape, head.points(box * 0.88 @ rot.T + at))
    lit = light(img, head)
    layer = np.empty(img.shape, np.float32)
    layer[:] = colour(rng, 0, 0.25) if rng.random() < 0.5 else np.float32((240, 240, 240)) * min(lit, 1)
    face = colour(rng, 0, 1) * (1 + 0.4 * noise(rng, img.shape, rng.integers(2, 20)))[..., None]
    return alpha, np.clip(blend(layer, inner * u(0, 1), face), 0, 255)


def _cup(rng, img, head, at):
    """A cup or glass at the mouth."""
    u = rng.uniform
    x, y, w = at[0] * 0.3, u(0.7, 1.1), u(0.3, 0.5)
    pts = [(x - w, y), (x + w, y), (x + w * 0.75, y + u(1, 1.8)), (x - w * 0.75, y + 1.4)]
    alpha = area(img.shape, head.points(pts)) * u(0.75, 1)
    layer = cloth(rng, img, head, colour(rng, 0.2, 1))
    return alpha, layer


def _lump(rng, img, head, at):
    pts = ellipse(at, rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)) + rng.normal(0, 0.05, (28, 2))
    return area(img.shape, head.points(curve(pts, 3))), cloth(rng, img, head, colour(rng))


def _fringe(rng, img, head, down):
    """Hair from the top of the head to the given height, in strands."""
    u = rng.uniform
    x = np.linspace(-1.15, 1.15, 24)
    ends = down + rng.uniform(-0.18, 0.1, 24) - 0.1 * x ** 2
    pts = np.r_[np.c_[x, ends], [(1.3, -1.2), (0, -1.8), (-1.3, -1.2)]]
    tone = np.float32(((20, 22, 25), (30, 45, 65), (60, 100, 140), (120, 120, 125))[rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])])
    strands = cv2.resize(rng.uniform(-1, 1, (3, img.shape[1])).astype(np.float32), (img.shape[1], img.shape[0]))
    layer = tone * (min(light(img, head), 1) * (1 + 0.35 * strands))[..., None]
    return area(img.shape, head.points(pts)) * u(0.85, 1), np.clip(layer, 0, 255)


def distract(rng, img, head):
    """Something that is no attribute: hair, a beard, a scarf under the chin, shadow, the edge of a print or a screen, headphones."""
    kind = rng.choice(["fringe", "long hair", "beard", "scarf", "shadow", "print", "beside"])
    u = rng.uniform
    if kind == "fringe":
        alpha, layer = _fringe(rng, img, head, u(-0.75, -0.35))
        return blend(img, alpha, layer)
    if kind == "long hair":
        alpha, layer = _fringe(rng, img, head, -0.8)
        gap = area(img.shape, head.points(ellipse((u(-0.05, 0.05), 0.45), u(0.9, 1.1), u(1.3, 1.5))))
        whole = area(img.shape, head.points(curve([(0, -1.8), (1.2, -1.2), (1.5, 0.5), (u(1.2, 1.7), 2.6), (-1.4, 2.6), (-1.5, 0.5), (-1.2, -1.2)], 5)))
        strands = cv2.resize(rng.uniform(-1, 1, (3, img.shape[1])).astype(np.float32), (img.shape[1], img.shape[0]))
        layer = layer.mean((0, 1)) * (1 + 0.3 * strands)[..., None]
        neck = area(img.shape, head.points([(-0.6, 1.4), (0.6, 1.4), (0.9, 3), (-0.9, 3)]))
        return blend(img, np.clip(whole - gap - neck, 0, 1), np.clip(layer, 0, 255))
    if kind == "beard":
        jaw = area(img.shape, head.points(curve([(-0.95, 0.5), (-0.7, 0.85), (-0.35, 0.75), (0, 0.72), (0.35, 0.75), (0.7, 0.85), (0.95, 0.5), (0.8, 1.4), (0.3, u(1.75, 2.1)), (-0.3, 1.85), (-0.8, 1.4)], 5)))
        lips = area(img.shape, head.points(ellipse((0, 1), 0.33, 0.12)))
        grain = 0.7 + 0.3 * rng.random(img.shape[:2], np.float32)
        alpha = cv2.GaussianBlur(jaw, (0, 0), max(0.6, head.d * 0.06)) * (1 - lips) * grain * u(0.3, 0.95)
        return blend(img, alpha, np.float32(((25, 28, 32), (40, 60, 85), (150, 150, 150))[rng.choice(3, p=[0.6, 0.25, 0.15])]) * min(light(img, head), 1))
    if kind == "scarf":
        y = u(1.75, 2.0)
        return blend(img, area(img.shape, head.points(curve([(-1.5, y), (0, y + 0.25), (1.5, y), (2.2, 3.5), (-2.2, 3.5)], 5))), cloth(rng, img, head, colour(rng), 0.25))
    if kind == "shadow":
        t = u(0, 2 * np.pi)
        y, x = np.mgrid[:img.shape[0], :img.shape[1]].astype(np.float32)
        s = ((x - head.eyes[0]) * np.cos(t) + (y - head.eyes[1] - 0.4 * head.h) * np.sin(t)) / head.d + u(-0.6, 0.6)
        return img * (1 - u(0.3, 0.85) / (1 + np.exp(-s * u(1.5, 25))))[..., None]
    if kind == "print":  # outside a rectangle round the head the room goes on
        w, h = u(1.2, 1.9), u(1.7, 2.4)
        sheet = area(img.shape, head.points([(-w, 0.2 - h), (w, 0.2 - h), (w, 0.2 + h), (-w, 0.2 + h)]))
        rim = area(img.shape, head.points([(-w - 0.15, 0.1 - h), (w + 0.15, 0.1 - h), (w + 0.15, 0.3 + h), (-w - 0.15, 0.3 + h)]))
        room = colour(rng) * (1 + 0.5 * noise(rng, img.shape, rng.integers(2, 10)))[..., None]
        out = blend(np.clip(room, 0, 255), rim, colour(rng, 0, 0.3) if rng.random() < 0.5 else (240, 240, 240))
        return blend(out, sheet, img)
    side = rng.choice([-1, 1])  # a hand or a telephone beside the face, headphones over the ear
    at = (side * u(1.6, 2.0), u(-0.5, 1.8))
    if rng.random() < 0.5:
        alpha, layer = _slab(rng, img, head, at)
        keep = area(img.shape, head.points(ellipse((0, 0.4), 1.05, 1.5)))
        return blend(img, alpha * (1 - keep), layer)
    for s in (-1, 1):
        img = blend(img, area(img.shape, head.points(ellipse((s * 1.15, 0.2), 0.22, 0.4, square=3))), colour(rng, 0, 0.5))
    return img
