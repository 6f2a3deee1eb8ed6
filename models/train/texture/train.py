#!/usr/bin/env python3
"""Train the texture network from views that distil.py taught.

    train.py --samples DIR --reference DIR --views FILE.pt --out FILE.onnx [--without replay|nuaa]

Learns what a sample is (live or attack) while it keeps to what the public
networks say of it: their opinion comes from far more doors than there are here,
and without it a network learns the rooms of two data sets. Every source counts
a fixed share; in it live and attack count the same, and among the attacks every
kind.

--without leaves a source out altogether. --hold N leaves a fifth of the people
out, so that measure.py --fold N can say how well others are judged.
"""
import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F

import export
import net
from distil import FILES, picture
from samples import Samples, light

SEED, BATCH = 1, 64
RATE, HEAD_RATE = 5e-4, 3e-3
TEACHER_CLIP = 8
PRIOR = 0.5  # how much the answer itself keeps to the teachers'
SHARES = {"replay": 1.0, "nuaa": 0.7, "clips": 0.3, "masks": 0.2, "faces": 0.0, "scenes": 0.2}
SIMULATED = 0.15  # what a simulated attack on a real picture counts of a real one


def weights(data, use):
    w = np.zeros(len(data.kind))
    for s in set(data.source[use]):
        here = use & (data.source == s)
        kinds = {k: (SIMULATED if k.startswith("simulated") and s != "scenes" else 1) for k in set(data.kind[here]) - {"live"}}
        for k in set(data.kind[here]):
            m = here & (data.kind == k)
            w[m] = SHARES[s] / m.sum() / 2 * (1 if k == "live" else kinds[k] / sum(kinds.values()))
    return w / w.sum()


def fold_of(who, folds=5):
    """A person's fold, the same whatever else there is."""
    return np.array([int.from_bytes(w.encode()[-6:], "big") * 2654435761 % 2**32 % folds for w in who])


def opinions(folder, reference):
    """What the teachers say of all samples: log odds of live, N×2. Kept beside
    the samples."""
    path = os.path.join(folder, "opinions.npy")
    if not os.path.exists(path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        nets = [onnxruntime.InferenceSession(os.path.join(reference, f), options) for f in FILES]
        x = Samples(folder).x.float().numpy()
        with ThreadPoolExecutor(2) as pool:
            said = pool.map(lambda n: np.concatenate([n.run(None, {"input": v[None]})[0] for v in x]), nets)
        np.save(path, np.stack([net.log_odds(torch.from_numpy(v)).numpy() for v in said], 1))
    return torch.from_numpy(np.load(path)).clamp(-TEACHER_CLIP, TEACHER_CLIP)


def augment(x, rng):
    n = len(x)
    x = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < 0.5, x.flip(3), x)
    dx, dy = (int(v) for v in torch.randint(-2, 3, (2,), generator=rng))
    return light(torch.roll(x, (dy, dx), (2, 3)), rng)


def train(model, data, said, use, epochs, per_epoch, log):
    rng = torch.Generator().manual_seed(SEED)
    mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True)
    optimiser = torch.optim.AdamW([{"params": model.views.parameters(), "lr": RATE}, {"params": model.live.parameters(), "lr": HEAD_RATE}], weight_decay=0.02)
    steps = epochs * (per_epoch // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [RATE, HEAD_RATE], total_steps=steps, pct_start=0.1)
    share = torch.from_numpy(weights(data, use))
    for epoch in range(epochs):
        model.train()
        order = torch.multinomial(share, per_epoch, replacement=True, generator=rng)
        start, sums = time.time(), np.zeros(3)
        for i in range(0, per_epoch - BATCH + 1, BATCH):
            b = order[i:i + BATCH]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                live, views = model(picture(augment(data.x[b].float(), rng)))
            hard = F.binary_cross_entropy_with_logits(live.float(), data.live[b] * 0.96 + 0.02)
            soft = sum(F.smooth_l1_loss(net.log_odds(v.float()).clamp(-TEACHER_CLIP, TEACHER_CLIP), said[b, k]) for k, v in enumerate(views)) / 4
            prior = F.smooth_l1_loss(live.float(), said[b].mean(1)) / 4
            optimiser.zero_grad(set_to_none=True)
            (hard + soft + PRIOR * prior).backward()
            optimiser.step()
            schedule.step()
            mean.update_parameters(model)
            sums += hard.item(), soft.item(), 1
        log(f"epoch {epoch + 1}/{epochs}: label {sums[0] / sums[2]:.4f} teachers {sums[1] / sums[2]:.4f} ({time.time() - start:.0f} s)")
    return mean.module.eval()


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--samples", required=True)
    a.add_argument("--reference", required=True)
    a.add_argument("--views", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--without", action="append", default=[], choices=["replay", "nuaa"])
    a.add_argument("--hold", type=int, choices=range(5))
    a.add_argument("--epochs", type=int, default=5)
    a.add_argument("--per-epoch", type=int, default=12800)
    a.add_argument("--threads", type=int, default=2)
    o = a.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(SEED)
    lines = open(o.out.removesuffix(".onnx") + ".log", "w", buffering=1)

    def log(line):
        print(line, flush=True)
        print(line, file=lines)

    data = Samples(o.samples, o.without)
    use = np.ones(len(data.kind), bool) if o.hold is None else fold_of(data.who) != o.hold
    log(f"{use.sum()} samples of {len(set(data.who[use]))} people; without {', '.join(o.without) or 'nothing'}; seed {SEED}; torch {torch.__version__}")
    model = net.Texture()
    for k, v in enumerate(model.views):
        v.load_state_dict(torch.load(o.views.replace(".pt", f".{k}.pt")))
    model = train(model.to(memory_format=torch.channels_last), data, opinions(o.samples, o.reference)[data.kept], use, o.epochs, o.per_epoch, log)
    torch.save(model.state_dict(), o.out.removesuffix(".onnx") + ".pt")
    export.write(model, o.out)


if __name__ == "__main__":
    main()
