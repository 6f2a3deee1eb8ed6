#!/usr/bin/env python3
"""Train the texture network: what two public networks see, and what is live.

    train.py --samples DIR --reference DIR --out FILE.pt [--without replay|nuaa]...
             [--start FILE.pt] [--steps N] [--settle] [--labels] [--hold N]

What a picture shows does not matter here: the teachers have an opinion on any,
and the first one's features are dense targets. The second sees the middle of
the picture only, as large as it likes it; it is slow, and asked of a quarter of
them. Pictures of neither Replay-Attack nor NUAA teach most of it, so that the
networks that shall not have seen the one or the other can start from the same
weights.

Without --start every stage first learns alone, from the teacher's features
before it to those after it; then the whole network learns from the picture. The
rate of learning stays as it is until --settle brings it down to nothing.

With --labels the network also learns what the pictures in DIR/near are. Every
source counts a fixed share; in it live and attack count the same, and among the
attacks every kind. --hold N keeps a fifth of the people out of these, so that
measure.py --fold N can say how well others are judged. Labels of one source do
not carry to another one: a network that shall be measured on a source which it
has not seen does better without.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import numpy as np
import torch
import torch.nn.functional as F
import torch.distributed as dist
import torch.multiprocessing as processes

import common
import net
from samples import Samples, faces, squares
from teacher import Teacher

SEED, BATCH, RATE, WARM_UP, ALONE = 1, 64, 2e-3, 100, 0.15
FIRST_FILE = "minifasnet_v2_2.7_80.onnx"
TAPS = ["/conv_23/project/conv/Conv_output_0", "/conv_3/model/model.3/Add_output_0", "/conv_34/project/conv/Conv_output_0",
        "/conv_4/model/model.5/Add_output_0", "/conv_45/project/conv/Conv_output_0", "output"]
SECOND_FILE, SECOND_SIDE, MIDDLE, QUARTER = "minifas_98.20_128.onnx", 128, 64, BATCH // 4
LOGITS, FEATURES, ALSO = 3.0, 0.3, 1.5  # what they count in the whole network's loss
LABELLED, LABELS = 32, 3.0  # samples with a label in a step, and what they count
SHARES = {"replay": 1.0, "nuaa": 0.7, "clips": 0.2, "masks": 0.15, "scenes": 0.5}


def distance(said, meant):
    """Mean squared error, in parts of the target's own variance."""
    scale = meant.var((0, 2, 3), keepdim=True) + 1e-4 if meant.dim() == 4 else meant.var(0, keepdim=True) + 0.1
    return ((said - meant) ** 2 / scale).mean()


def second_opinion(teacher, x):
    """Log odds of live of the middle of each picture, by the second teacher."""
    low = (net.SIDE - MIDDLE) // 2
    middle = x[:, [2, 1, 0], low:low + MIDDLE, low:low + MIDDLE] / 255
    said = teacher(F.interpolate(middle, size=(SECOND_SIDE, SECOND_SIDE), mode="bilinear", align_corners=False))[0].float()
    return (said[:, 0] - said[:, 1]).clamp(-10, 10)


def compare(model, taps, also, x, alone):
    """The loss, and each stage's distance from the teacher's; the last is the
    second teacher's."""
    h, apart = net.picture(x), []
    for k, stage in enumerate(model.stages):
        h = stage(h if k == 0 or not alone else taps[k - 1])
        out = model.say(h) if k == len(model.stages) - 1 else h
        apart.append(distance(out.float(), taps[k].float()))
    apart.append(distance(model.also(h[:len(also)]).float(), also[:, None]))
    if alone:
        return sum(apart), apart
    return FEATURES * sum(apart[:-2]) + LOGITS * apart[-2] + ALSO * apart[-1], apart


class Labels:
    """Draws samples of DIR/near with what they are."""

    def __init__(self, folder, without, hold, rng):
        self.data, self.rng = Samples(os.path.join(folder, "near"), without), rng
        use = np.ones(len(self.data.kind), bool) if hold is None else common.fold_of(self.data.who) != hold
        self.share = torch.from_numpy(weights(self.data, use))

    def loss(self, model):
        index = torch.multinomial(self.share, LABELLED, replacement=True, generator=self.rng)
        logits, also, amend = model(net.picture(faces(self.data.x, index, self.rng)))
        said = net.answer(logits.detach(), also.detach(), amend)  # what the teachers say stays theirs
        return F.binary_cross_entropy_with_logits(said.float(), self.data.live[index] * 0.96 + 0.02)


def weights(data, use):
    w = np.zeros(len(data.kind))
    for s in set(data.source[use]) & set(SHARES):
        here = use & (data.source == s)
        kinds = sorted(set(data.kind[here]))
        for k in kinds:
            m = here & (data.kind == k)
            w[m] = SHARES[s] / m.sum() / (2 if k == "live" else 2 * (len(kinds) - 1))
    return w / w.sum()


def together(model, jobs):
    """Makes every process's gradients the mean of all; what labels would teach
    has none without them."""
    if jobs == 1:
        return
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    for g, part in zip(grads, flat.div_(jobs).split([g.numel() for g in grads])):
        g.copy_(part.view_as(g))


def rate(step, o):
    return o.rate * min(1, (step + 1) / WARM_UP) * (1 - step / o.steps if o.settle else 1)


def work(job, o):
    torch.set_num_threads(1)
    if o.jobs > 1:
        dist.init_process_group("gloo", init_method=f"file://{o.out}.meet", rank=job, world_size=o.jobs)
    torch.manual_seed(o.seed)
    rng = torch.Generator().manual_seed(o.seed * 1000 + job)
    data = Samples(os.path.join(o.samples, "wide"), o.without)
    labels = Labels(o.samples, o.without, o.hold, rng) if o.labels else None
    batch = BATCH - LABELLED if labels else BATCH
    teacher, second = Teacher(os.path.join(o.reference, FIRST_FILE), TAPS), Teacher(os.path.join(o.reference, SECOND_FILE), ["output"])
    model = net.Texture()
    if o.start:
        model.load_state_dict(torch.load(o.start))
    model = model.to(memory_format=torch.channels_last)
    mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimiser = torch.optim.AdamW(model.parameters(), o.rate, weight_decay=0.01)
    if job == 0:
        print(f"{len(data.x)} pictures, {sum(p.numel() for p in model.parameters())} parameters, torch {torch.__version__}, {vars(o)}", flush=True)
    start, total, n = time.time(), torch.zeros(len(TAPS) + 2), 0
    for i in range(o.steps):
        for g in optimiser.param_groups:
            g["lr"] = rate(i, o)
        x = squares(data.x, torch.randint(len(data.x), (batch,), generator=rng), rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            taps, also = teacher(x), second_opinion(second, x[:QUARTER])
            loss, apart = compare(model, taps, also, x, alone=not o.start and i < ALONE * o.steps)
            label = labels.loss(model) if labels else torch.zeros(())
            loss = loss + LABELS * label
        optimiser.zero_grad(set_to_none=False)
        loss.backward()
        together(model, o.jobs)
        optimiser.step()
        mean.update_parameters(model)
        total, n = total + torch.stack([a.detach() for a in (*apart, label)]), n + 1
        if job == 0 and ((i + 1) % 200 == 0 or i + 1 == o.steps):
            *parts, label = (f"{v:.4f}" for v in total / n)
            print(f"step {i + 1}/{o.steps}: {' '.join(parts)} of the variance, label {label} ({time.time() - start:.0f} s)", flush=True)
            total, n = torch.zeros(len(TAPS) + 2), 0
            torch.save(model.state_dict(), o.out + ".last")
            torch.save(mean.module.state_dict(), o.out)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--samples", required=True)
    a.add_argument("--reference", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--without", action="append", default=[], choices=["replay", "nuaa"])
    a.add_argument("--start", help="weights of an earlier run to go on from")
    a.add_argument("--steps", type=int, default=12000)
    a.add_argument("--rate", type=float, default=RATE, help="of learning")
    a.add_argument("--settle", action="store_true", help="bring the rate of learning down to nothing")
    a.add_argument("--labels", action="store_true", help="learn also what is live")
    a.add_argument("--hold", type=int, choices=range(5), help="leave this fifth of the people out of the labels")
    a.add_argument("--seed", type=int, default=SEED)
    a.add_argument("--jobs", type=int, default=2, help="processes, each with batches of its own")
    o = a.parse_args()
    o.out = os.path.abspath(o.out)
    if os.path.exists(o.out + ".meet"):
        os.remove(o.out + ".meet")
    if o.jobs == 1:
        work(0, o)
    else:
        processes.spawn(work, (o,), nprocs=o.jobs)


if __name__ == "__main__":
    main()
