"""What people wear or hold before their faces, drawn onto pictures of faces.

Every function takes a random generator, a float BGR picture and its Head, and
returns a new picture. Shapes are in the coordinates of Head; their ranges were
set by looking at the drawings beside real pictures.
"""
import cv2
import numpy as np

from head import area, blend, cloth, colour, curve, ellipse, light, lines, noise


def _mirror(half):
    """A closed outline from its right half, top to bottom."""
    return np.array(list(half) + [(-a, b) for a, b in reversed(half)])


def mask(rng, img, head):
    """A medical, FFP2 or cloth mask; one in eight sits below the nose."""
    u = rng.uniform
    low = rng.random() < 0.125
    bridge = u(0.62, 0.8) if low else u(0.12, 0.42)
    side = u(0.7, 0.85) if low else u(0.3, 0.62)
    pts = _mirror([(0, bridge), (u(0.3, 0.5), bridge + (side - bridge) * u(0.2, 0.6)), (u(0.8, 1.0), side),
                   (u(0.8, 0.95), u(1.0, 1.3)), (u(0.35, 0.6), u(1.55, 1.85)), (0, u(1.7, 1.95))])
    pts[:, 0] *= u(0.9, 1.05)
    outline = head.points(curve(pts[np.r_[0:6, 7:11]], 6))
    bases = [(240, 240, 238), (225, 195, 150), (35, 33, 32), (120, 120, 118), (200, 190, 235), (150, 190, 130)]
    base = np.float32(bases[rng.integers(len(bases))]) * u(0.8, 1.05) if rng.random() < 0.65 else colour(rng)
    layer = cloth(rng, img, head, np.clip(base, 8, 255))
    layer = _round(layer, head, u(0.15, 0.5))
    kind = rng.random()
    if kind < 0.45:  # pleats of a medical mask
        for b in (0.75, 1.0, 1.25):
            p = head.points([(a, b + 0.12 * (1 - a * a)) for a in np.linspace(-0.95, 0.95, 12)])
            layer = blend(layer, lines(img.shape, p, head.d * 0.03) * u(0.1, 0.45), layer.mean((0, 1)) * 0.5)
    elif kind < 0.7:  # fold of an FFP2
        layer = blend(layer, lines(img.shape, head.points([(0, bridge), (0, 1.8)]), head.d * 0.04) * u(0.2, 0.6), layer.mean((0, 1)) * 0.6)
    if rng.random() < 0.15:  # valve
        layer = blend(layer, area(img.shape, head.points(ellipse((u(-0.4, 0.4), 1.1), 0.2, 0.18))), colour(rng) * light(img, head))
    for s in (-1, 1):
        loop = head.points([(s * 0.9, side), (s * u(1.1, 1.3), u(0, 0.3)), (s * 1.2, u(0.4, 0.7)), (s * 0.85, 1.2)])
        img = blend(img, lines(img.shape, loop, head.d * u(0.02, 0.06)), layer.mean((0, 1)))
    return blend(img, area(img.shape, outline), layer)


def _round(layer, head, depth):
    """Darkens layer towards the sides of the head, as round things are."""
    h, w = layer.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    a = ((x - head.eyes[0]) * head.across[0] + (y - head.eyes[1]) * head.across[1]) / head.d - head.turn * 0.8
    return layer * (1 - depth * np.clip(a * a, 0, 1))[..., None]


def _lenses(rng, head):
    """Outlines of two lenses in pixels."""
    u = rng.uniform
    kind, w, h = rng.random(), u(0.34, 0.46), u(0.2, 0.36)
    y = u(-0.03, 0.12)
    if kind < 0.4:
        shape = ellipse((0, 0), w, h, square=u(2, 2.6))
    elif kind < 0.8:
        shape = ellipse((0, 0), w, h, square=u(3, 7))
    else:  # aviator: lower outside
        shape = ellipse((0, 0), w, h * 1.15, square=2.5)
        shape[:, 1] += 0.15 * shape[:, 0]
    x = u(0.48, 0.54)
    right = shape + (x, y)
    left = shape * (-1, 1) + (-x, y)
    return head.points(left), head.points(right), y, w, h, x


def _frame(rng, img, head, ink, width, lenses, y, w, x, rims=True):
    bridge = head.points([(-x + w, y - 0.03), (0, y - 0.08), (x - w, y - 0.03)])
    alpha = lines(img.shape, bridge, width)
    if rims:
        for outline in lenses:
            alpha = np.maximum(alpha, lines(img.shape, outline, width, True))
    for s in (-1, 1):
        alpha = np.maximum(alpha, lines(img.shape, head.points([(s * (x + w), y - 0.05), (s * 1.2, y - 0.1)]), width))
    return blend(img, alpha, ink)


def sunglasses(rng, img, head):
    """Dark, graded or mirrored glasses through which the eyes cannot be seen, or hardly."""
    u = rng.uniform
    left, right, y, w, h, x = _lenses(rng, head)
    lit = light(img, head)
    shape = img.shape[:2]
    if rng.random() < 0.2:  # one piece from temple to temple
        outline = head.points(curve(_mirror([(0, y - h), (0.7, y - h), (1.02, y - 0.1), (0.8, y + h * 0.7), (0.2, y + h * 0.5)]), 5))
        alpha = area(shape, outline)
        lenses = [outline]
    else:
        lenses = [left, right]
        alpha = np.maximum(area(shape, left), area(shape, right))
    rows = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
    down = ((rows[1] - head.eyes[0]) * head.down[0] + (rows[0] - head.eyes[1]) * head.down[1]) / (head.d * h)
    kind = rng.random()
    if kind < 0.5:
        layer, dense = np.float32((12, 12, 12)) + colour(rng, 0, 0.25), u(0.88, 1)
    elif kind < 0.75:  # lighter below
        layer, dense = colour(rng, 0.05, 0.3), np.clip(0.95 - u(0.05, 0.3) * (down + 1) / 2, 0, 1)
    else:  # mirrored
        t = np.clip((down + 1) / 2 + 0.3 * noise(rng, shape, 4), 0, 1)[..., None]
        layer, dense = colour(rng, 0.2, 0.9) * lit * (1 - t) + colour(rng, 0.1, 0.8) * lit * t, u(0.85, 1)
    img = blend(img, alpha * dense, layer)
    if rng.random() < 0.5:
        img = _glint(rng, img, head, alpha, u(0.1, 0.6))
    ink = colour(rng, 0, 0.3) if rng.random() < 0.7 else colour(rng) * lit
    return _frame(rng, img, head, ink, head.d * u(0.02, 0.1), lenses, y, w, x, rng.random() < 0.8)


def spectacles(rng, img, head):
    """Clear glasses, at times lightly tinted or with light mirrored in them: never sunglasses."""
    u = rng.uniform
    left, right, y, w, h, x = _lenses(rng, head)
    alpha = np.maximum(area(img.shape, left), area(img.shape, right))
    if rng.random() < 0.5:
        img = blend(img, alpha * u(0, 0.3), colour(rng))
    if rng.random() < 0.6:
        img = _glint(rng, img, head, alpha, u(0.2, 0.95))
    ink = colour(rng, 0, 0.35) if rng.random() < 0.7 else colour(rng) * light(img, head)
    return _frame(rng, img, head, ink, head.d * u(0.015, 0.1), [left, right], y, w, x, rng.random() < 0.85)


def _glint(rng, img, head, lens, strength):
    """Something bright mirrored in parts of the lenses."""
    spot = np.zeros(img.shape[:2], np.float32)
    for s in (-0.5, 0.5):
        if rng.random() < 0.85:
            c = (s + rng.uniform(-0.2, 0.2), rng.uniform(-0.15, 0.2))
            e = ellipse(c, rng.uniform(0.04, 0.25), rng.uniform(0.04, 0.2), square=rng.uniform(2, 8))
            e[:, 0] += rng.uniform(-0.6, 0.6) * (e[:, 1] - c[1])
            spot = np.maximum(spot, area(img.shape, head.points(e)))
    return blend(img, spot * lens * strength, np.float32((250, 245, 240)) - 60 * rng.random(3).astype(np.float32))


def hat(rng, img, head):
    """A cap, a knitted cap, a brimmed hat, a helmet or a hood."""
    kind = rng.choice(["cap", "knit", "brim", "helmet", "hood"], p=[0.4, 0.2, 0.13, 0.12, 0.15])
    u, shape = rng.uniform, img.shape
    base = colour(rng) if rng.random() < 0.6 else np.float32([25, 25, 25]) + u(0, 40)
    layer = cloth(rng, img, head, base)
    if kind == "hood":
        gap = ellipse((0, 0.35), u(1.1, 1.3), u(1.3, 1.55))
        gap = gap[gap[:, 1] < 1.5]
        order = np.argsort(np.arctan2(gap[:, 0], -(gap[:, 1] - 0.35)))
        gap = gap[order]
        out = np.array([(u(1.7, 2.1), 2.4), (u(1.75, 2.0), 0), (1.2, u(-1.7, -1.4)), (0, u(-2.2, -1.8)), (-1.2, -1.55), (-1.85, 0), (-1.9, 2.4)])
        img = blend(img, area(shape, head.points(np.r_[gap, out])), layer)
        return img
    edge = u(-0.75, -0.42)  # where it sits on the forehead
    top = u(-2.3, -1.75)
    side = u(1.12, 1.3)
    crown = [(0, edge), (0.7, edge + 0.05), (side, edge + u(0.1, 0.35)), (side * 1.02, (edge + top) / 2), (0.75, top + 0.15), (0, top)]
    pts = _mirror(crown)[np.r_[0:6, 7:11]]
    layer = _round(layer, head, u(0.2, 0.5))
    if rng.random() < 0.7:  # its shadow on the forehead, at times on the eyes
        y, x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
        b = ((x - head.eyes[0]) * head.down[0] + (y - head.eyes[1]) * head.down[1]) / head.h
        img = img * (1 - u(0.1, 0.6) * np.clip((u(-0.2, 0.4) - b) / 0.4, 0, 1))[..., None]
    img = blend(img, area(shape, head.points(curve(pts, 6))), layer)
    if kind == "cap" and rng.random() < 0.8:
        s = u(-0.3, 0.3)
        peak = [(-0.95, edge - 0.05), (0, edge - u(0.1, 0.3)), (0.95, edge - 0.05), (0.8 + s, edge + u(0.1, 0.3)), (s, edge + u(0.15, 0.4)), (-0.8 + s, edge + u(0.1, 0.3))]
        img = blend(img, area(shape, head.points(curve(peak, 6))), np.clip(layer * u(0.5, 1.1), 0, 255))
    elif kind == "knit":
        band = [(-side, edge + 0.25), (0, edge), (side, edge + 0.25), (side, edge - 0.15), (0, edge - 0.45), (-side, edge - 0.15)]
        img = blend(img, area(shape, head.points(curve(band, 5))), np.clip(layer * u(0.75, 1.2), 0, 255))
    elif kind == "brim":
        ring = ellipse((0, edge - 0.05), u(1.7, 2.3), u(0.15, 0.4))
        img = blend(img, area(shape, head.points(ring)), np.clip(layer * u(0.6, 1.1), 0, 255))
    elif kind == "helmet":
        img = blend(img, area(shape, head.points(ellipse((u(-0.5, 0.5), top * 0.75), 0.35, 0.15))) * u(0.2, 0.8), (250, 250, 250))
        for s in (-1, 1):
            img = blend(img, lines(shape, head.points([(s * 1.15, edge), (s * 1.0, 1), (s * 0.3, 1.85)]), head.d * 0.08), colour(rng, 0, 0.4))
    if rng.random() < 0.35:  # badge
        img = blend(img, area(shape, head.points(ellipse((u(-0.2, 0.2), (edge + top) / 2), u(0.1, 0.3), u(0.1, 0.25), square=4))), colour(rng) * light(img, head))
    return img


def veil(rng, img, head, niqab=False):
    """A headscarf that frames the face closely and covers hair and neck; as a niqab it covers the lower face too."""
    u = rng.uniform
    base = colour(rng) if rng.random() < 0.65 else np.float32([20, 20, 20]) + u(0, 40)
    layer = _round(cloth(rng, img, head, base, folds=0.25), head, u(0, 0.15))
    gap = ellipse((0, u(0.35, 0.5)), u(0.85, 1.02), u(1.2, 1.4))
    out = np.array([(0, -2.0 + u(-0.2, 0.3)), (1.1, u(-1.7, -1.3)), (u(1.35, 1.6), 0), (u(1.4, 1.8), 1.6), (u(1.6, 2.4), 3.2), (-u(1.6, 2.4), 3.2), (-u(1.4, 1.8), 1.6), (-u(1.35, 1.6), 0), (-1.1, -1.5)])
    alpha = np.clip(area(img.shape, head.points(curve(out, 5))) - area(img.shape, head.points(gap)), 0, 1)
    dark = cv2.GaussianBlur(alpha, (0, 0), head.d * 0.12)
    img = blend(img * (1 - 0.4 * dark * (1 - alpha))[..., None], alpha, layer)
    if niqab:
        lower = _mirror([(0, u(0.2, 0.4)), (1.1, u(0.2, 0.45)), (1.3, 1.8), (0, 3.0)])
        img = blend(img, area(img.shape, head.points(lower)), np.clip(layer * u(0.85, 1.1), 0, 255))
    return img
