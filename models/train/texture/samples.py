"""The samples that prepare.py wrote, and what is changed in them on the way."""
import glob
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

import net


class Samples:
    """All samples of a folder but those of the sources that shall not be seen:
    x, uint8 N×3×H×W, and what each shows and is from. No more memory is taken
    than x needs: on a small machine several processes hold one each."""

    def __init__(self, folder, without=()):
        parts = [np.load(f) for f in sorted(glob.glob(os.path.join(folder, "*.npz")))]
        if not parts:
            sys.exit(f"{folder} has no samples: run prepare.py first")
        keep = [~np.isin(p["source"], without) for p in parts]
        take = lambda k: np.concatenate([p[k][m] for p, m in zip(parts, keep)])
        self.kind, self.source, self.who, self.recording = (take(k) for k in ("kind", "source", "who", "recording"))
        self.live = torch.from_numpy((self.kind == "live").astype(np.float32))
        n = 0
        for p, m in zip(parts, keep):
            x = torch.from_numpy(p["x"][m]).permute(0, 3, 1, 2)
            if n == 0:
                self.x = torch.empty((len(self.kind), *x.shape[1:]), dtype=torch.uint8)
            self.x[n:n + len(x)] = x
            n += len(x)


def squares(x, index, rng):
    """A float batch of net.SIDE squares cut from pictures x (uint8, N×3×H×W):
    anywhere, of any proportions near a face's, mirrored, in other light; some
    are two pictures in one."""
    n = len(index)
    w, h = (low + (1 - low) * torch.rand(n, generator=rng) for low in (0.45, 0.6))
    cx, cy = ((torch.rand(n, generator=rng) * 2 - 1) * (1 - s) for s in (w, h))
    mirror = (torch.rand(n, generator=rng) < 0.5).float() * 2 - 1
    m = torch.zeros(n, 2, 3)
    m[:, 0, 0], m[:, 0, 2], m[:, 1, 1], m[:, 1, 2] = w * mirror, cx, h, cy
    out = F.grid_sample(x[index].float(), F.affine_grid(m, (n, 3, net.SIDE, net.SIDE), align_corners=False), padding_mode="reflection", align_corners=False)
    return light(striped(worn(mixed(out, rng), rng), rng), rng)


def faces(x, index, rng):
    """A float batch of net.SIDE squares of near samples, about as the daemon cuts
    them: a little to the side, larger or smaller, mirrored, in other light."""
    n = len(index)
    m = torch.zeros(n, 2, 3)
    size = 0.97 + 0.08 * (torch.rand(n, generator=rng) * 2 - 1)
    m[:, 0, 0] = size * ((torch.rand(n, generator=rng) < 0.5).float() * 2 - 1)
    m[:, 1, 1] = size * (1 + 0.04 * (torch.rand(n, generator=rng) * 2 - 1))
    m[:, :, 2] = (torch.rand(n, 2, generator=rng) * 2 - 1) * 0.05
    out = F.grid_sample(x[index].float(), F.affine_grid(m, (n, 3, net.SIDE, net.SIDE), align_corners=False), padding_mode="reflection", align_corners=False)
    return light(worn(out, rng, 0.1), rng)


def mixed(x, rng):
    """A tenth with another picture shining through, a tenth with a piece of
    another one laid over."""
    n, side = len(x), x.shape[2]
    other = x.flip(0)
    a = torch.rand(n, 1, 1, 1, generator=rng) * 0.5
    kind = torch.rand(n, 1, 1, 1, generator=rng)
    c, r = torch.rand(2, n, 1, 1, 1, generator=rng), torch.rand(2, n, 1, 1, 1, generator=rng) * 0.3 + 0.1
    at = (torch.arange(side) + 0.5) / side
    inside = ((at.view(1, 1, -1, 1) - c[0]).abs() < r[0]) & ((at.view(1, 1, 1, -1) - c[1]).abs() < r[1])
    x = torch.where((kind < 0.1), x * (1 - a) + other * a, x)
    return torch.where((kind > 0.9) & inside, other, x)


def striped(x, rng):
    """A fifth with fine stripes, as of a screen's or a print's grid."""
    n, side = len(x), x.shape[2]
    angle, period = torch.rand(n, 1, 1, 1, generator=rng) * 3.1416, 2 ** (1 + 4 * torch.rand(n, 1, 1, 1, generator=rng))
    at = torch.arange(side).float()
    along = at.view(1, 1, -1, 1) * torch.sin(angle) + at.view(1, 1, 1, -1) * torch.cos(angle)
    shift = torch.rand(n, 3, 1, 1, generator=rng) * 6.2832 * (torch.rand(n, 1, 1, 1, generator=rng) < 0.5)
    amount = 0.15 * torch.rand(n, 1, 1, 1, generator=rng) * (torch.rand(n, 1, 1, 1, generator=rng) < 0.2)
    return x * (1 + amount * torch.sin(along * 6.2832 / period + shift))


def worn(x, rng, share=0.25):
    """A share of a batch seen by worse cameras: fewer pixels, noise, hard contrast."""
    n, side = len(x), x.shape[2]
    small = int(torch.randint(side // 3, side, (1,), generator=rng))
    coarse = F.interpolate(F.interpolate(x, size=(small, small), mode="bilinear"), size=(side, side), mode="bilinear")
    x = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < share, coarse, x)
    noise = torch.rand(n, 1, 1, 1, generator=rng) * 10 * torch.randn(x.shape, generator=rng)
    x = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < share, x + noise, x)
    hard = ((x - 127) * (1 + torch.rand(n, 1, 1, 1, generator=rng)) + 127).clamp(0, 255)
    return torch.where(torch.rand(n, 1, 1, 1, generator=rng) < share, hard, x)


def light(x, rng):
    n = len(x)
    x = x * (1 + 0.12 * torch.randn(n, 1, 1, 1, generator=rng)) * (1 + 0.05 * torch.randn(n, 3, 1, 1, generator=rng))
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * (1 + 0.15 * torch.randn(n, 1, 1, 1, generator=rng)) + mean + 10 * torch.randn(n, 1, 1, 1, generator=rng)
    return x.clamp(0, 255)
