"""Real masks, cut out of the pictures that show them, laid on other faces or given another colour."""
import cv2
import numpy as np

from head import Head, area, blend, cloth, colour, curve, ellipse, light

# A mask that was cut out well covers so many times the middle of the lower face.
WHOLE = (1.0, 2.3)
# Where a mask can be, where it mostly is, and where it always is, in the coordinates of Head.
CAN = [(-1.25, 0.05), (-0.55, 0.12), (0, -0.05), (0.55, 0.12), (1.25, 0.05), (1.2, 1.3), (0.6, 2.05), (0, 2.2), (-0.6, 2.05), (-1.2, 1.3)]
MOSTLY = [(-0.8, 0.6), (0, 0.4), (0.8, 0.6), (0.75, 1.2), (0.4, 1.55), (0, 1.65), (-0.4, 1.55), (-0.75, 1.2)]
ALWAYS = ellipse((0, 0.95), 0.42, 0.38)
# Skin around the eyes, and how far from its colour (in CIELAB, lightness counting half) a mask's is at least.
BROW, OTHER = [(-0.55, -0.35), (0.55, -0.35), (0.8, 0.2), (-0.8, 0.2)], 20


def outline(img, head):
    """The mask in a picture (uint8) as alpha 0..1, by its colours; None where they do not tell it from the rest."""
    def inside(pts):
        return area(img.shape, head.points(pts)) > 0.5
    mostly = inside(curve(MOSTLY, 5))
    seed = np.full(img.shape[:2], cv2.GC_BGD, np.uint8)
    seed[inside(curve(CAN, 5))] = cv2.GC_PR_BGD
    seed[mostly] = cv2.GC_PR_FGD
    seed[inside(ALWAYS)] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    try:
        cv2.grabCut(cv2.GaussianBlur(img, (3, 3), 0), seed, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # all of one kind
        return None
    found = np.isin(seed, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
    n, parts, stats, _ = cv2.connectedComponentsWithStats(found)
    if n < 2:
        return None
    found = (parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.float32)
    if not WHOLE[0] < found.sum() / max(mostly.sum(), 1) < WHOLE[1]:
        return None
    if not _other(img, found, inside(BROW)):
        return None
    return cv2.GaussianBlur(found, (0, 0), 1)


def _other(img, mask, brow):
    """Whether what was found is of another colour than the skin around the eyes."""
    brow = brow & (mask < 0.5)
    if brow.sum() < 20:
        return False
    lab = cv2.cvtColor(np.float32(img) / 255, cv2.COLOR_BGR2LAB)
    l, a, b = np.median(lab[mask > 0.5], 0) - np.median(lab[brow], 0)
    return float(np.hypot(a, b) + abs(l) / 2) > OTHER


def transplant(rng, img, marks, donor, alpha):
    """The donor's mask, cut out by alpha, on the face in img (float) with the given landmarks, at times mirrored or of another colour."""
    head, other = Head(marks), Head(donor.marks)
    cut = np.dstack([recolour(rng, donor.img.astype(np.float32), other, alpha) if rng.random() < 0.5 else donor.img.astype(np.float32), alpha * 255])
    # Three points on each head; the middle one goes with the nose, so that a turned head gets what a turned one wore.
    grid = np.array([(-0.7, 0), (0.7, 0), (0, 1.0)])
    jitter = rng.normal(0, 0.04, (3, 2))
    source = other.points(grid)
    if rng.random() < 0.5:
        cut, w = cut[:, ::-1], cut.shape[1]
        source = np.float32([(w - 1 - x, y) for x, y in source])[[1, 0, 2]]
    m = cv2.getAffineTransform(np.float32(source), np.float32(head.points(grid + jitter)))
    cut = cv2.warpAffine(np.ascontiguousarray(cut), m, (img.shape[1], img.shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    u = rng.uniform
    jaw = curve([(-1.15, u(0, 0.2)), (0, -0.1), (1.15, u(0, 0.2)), (1.1, 1.1), (0.6, u(1.65, 1.9)), (0, u(1.8, 2.05)), (-0.6, 1.75), (-1.1, 1.1)], 5)
    alpha = cut[..., 3] / 255 * area(img.shape, head.points(jaw))
    lit = np.clip(light(img, head) / max(light(donor.img, other), 0.2), 0.3, 1.8) ** u(0.3, 1)
    if rng.random() < 0.5:
        img = img * (1 - u(0, 0.4) * cv2.GaussianBlur(alpha, (0, 0), max(1, head.d * 0.08)))[..., None]
    return blend(img, cv2.GaussianBlur(alpha, (0, 0), u(0.4, 1.4)), np.clip(cut[..., :3] * lit, 0, 255))


def recolour(rng, img, head, alpha):
    """The picture (float) with its mask in another colour or print, its folds and shadows kept."""
    grey = img.mean(2)
    mean = max(float((grey * alpha).sum() / max(alpha.sum(), 1)), 8.0)
    relief = grey / mean
    if mean > 160:  # a white mask's folds are faint in numbers and plain to the eye
        relief = relief ** rng.uniform(1, 2)
    base = colour(rng, 0.05, 1) if rng.random() < 0.7 else np.float32([255, 255, 255]) * rng.uniform(0.08, 0.95)
    layer = cloth(rng, img, head, np.clip(base, 12, 255), 0.05)
    return blend(img, alpha, np.clip(layer * np.clip(relief, 0.2, 1.8)[..., None], 0, 255))
