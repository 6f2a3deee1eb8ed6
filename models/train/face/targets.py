"""Which cells answer for which face, and what a wrong answer costs."""

import numpy as np
import torch
from torch.nn import functional as F

from network import STRIDES

# Sizes of faces, root of the box's area in pixels, that a stride answers for.
# They overlap: the daemon takes the mean of the landmarks that agree.
RANGES = {8: (0, 52), 16: (36, 150), 32: (110, 1e9)}
REACH = 1.5  # strides from the middle of a face to a cell that answers for it
FACE, NOTHING, UNSAID = 1.0, 0.0, -1.0


def assign(faces, ignored, width, height):
    """For all cells of all strides, rows of: FACE, NOTHING or UNSAID; then, of
    a cell with a face, centre x, y, w, h and ten landmarks, in pixels."""
    rows = []
    for stride in STRIDES:
        ys, xs = np.mgrid[0 : height // stride, 0 : width // stride].reshape(2, -1) * stride
        out = np.zeros((len(xs), 15), np.float32)
        for x, y, w, h in ignored:
            out[(xs > x - stride) & (xs < x + w) & (ys > y - stride) & (ys < y + h), 0] = UNSAID
        low, high = RANGES[stride]
        for face in sorted(faces, key=lambda f: -f[2] * f[3]):
            x, y, w, h = face[:4]
            middle, size = (x + w / 2, y + h / 2), np.sqrt(w * h)
            away = np.maximum(abs(xs - middle[0]), abs(ys - middle[1])) / stride
            core = (abs(xs - middle[0]) < w * 0.35) & (abs(ys - middle[1]) < h * 0.35)
            if low <= size <= high:
                out[core | (away <= REACH + 1), 0] = UNSAID
                mine = (away <= min(REACH, max(0.45 * size / stride, 0.5))) | (away == away.min())
                out[mine, 0] = FACE
                out[mine, 1:5] = *middle, w, h
                out[mine, 5:] = face[4:]
            elif low / 1.25 <= size <= high * 1.25:
                out[core & (out[:, 0] != FACE), 0] = UNSAID
        rows.append(out)
    return np.concatenate(rows)


def quality_loss(logits, target, said):
    """Cross entropy, each cell weighted by the square of its error (Li et al.,
    "Generalized Focal Loss", 2020), summed over the cells that are said."""
    error = (torch.sigmoid(logits) - target).detach().square()
    return (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * error * said).sum()


def giou(a, b):
    """Intersection over union, and the generalised one (Rezatofighi et al.,
    2019), of boxes x, y, w, h given by their centres."""
    a0, a1 = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b0, b1 = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    both = (torch.minimum(a1, b1) - torch.maximum(a0, b0)).clamp(min=0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - both
    hull = (torch.maximum(a1, b1) - torch.minimum(a0, b0)).prod(1)
    iou = both / union
    return iou, iou - (hull - union) / hull


def losses(levels, target, width, height):
    """What the network's answers cost: presence, box, landmarks."""
    join = lambda kind: torch.cat([level[kind] for level in levels], 1)
    stride = torch.cat([torch.full(((height // s) * (width // s),), float(s)) for s in STRIDES])
    place = torch.cat([torch.stack(torch.meshgrid(torch.arange(width // s), torch.arange(height // s),
                                                  indexing="xy"), -1).reshape(-1, 2) * s for s in STRIDES])
    face = target[..., 0] == FACE
    said = (target[..., 0] != UNSAID).float()
    at = face.nonzero()[:, 1]
    wanted = target[face]
    count = max(len(wanted), 1)

    raw = join("bbox")[face]
    size = torch.exp(raw[:, 2:].clamp(max=6)) * stride[at, None]
    box = torch.cat([raw[:, :2] * stride[at, None] + place[at], size], 1)
    iou, generalised = giou(box, wanted[:, 1:5])
    points = join("kps")[face] * stride[at, None] + place[at].repeat(1, 5)
    scale = wanted[:, 3:5].prod(1).sqrt()[:, None]
    quality = torch.zeros_like(said)
    quality[face] = iou.detach().clamp(0, 1)
    presence = quality_loss(join("cls")[..., 0], face.float(), said) + quality_loss(join("obj")[..., 0], quality, said)
    apart = (points - wanted[:, 5:]).abs()
    turn = (nose(points) - nose(wanted[:, 5:])).abs()
    return (presence / count, (1 - generalised).sum() / count,
            ((apart.mean(1) + turn.mean(1)) / scale[:, 0]).sum() / count)


def nose(points):
    """Where the nose is, from the middle of eyes and mouth: what a head's turn
    is read from, and what a network that knows faces looking straight ahead
    would rather leave where it mostly is."""
    p = points.view(-1, 5, 2)
    return p[:, 2] - p[:, [0, 1, 3, 4]].mean(1)
