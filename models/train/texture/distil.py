#!/usr/bin/env python3
"""Teach the views of the texture network what two public networks see.

    distil.py --samples DIR --reference DIR --out FILE.pt [--steps N]

Only pictures of neither Replay-Attack nor NUAA are used, so that networks that
shall not have seen the one or the other can all start from here. What a
picture shows does not matter: the teachers have an opinion on any.

First every stage learns alone, from the teacher's own features before it to
those after it; then the whole view learns from the picture.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import torch

import net
from samples import Samples, squares
from teacher import Teacher

SEED, BATCH, RATE = 1, 64, 3e-3
FILES = ("minifasnet_v2_2.7_80.onnx", "minifasnet_v1se_4.0_80.onnx")
TAPS = ["/conv_23/project/conv/Conv_output_0", "/conv_3/model/model.3/Add_output_0", "/conv_34/project/conv/Conv_output_0",
        "/conv_4/model/model.5/Add_output_0", "/conv_45/project/conv/Conv_output_0", "output"]


def distance(said, meant):
    """Mean squared error, in parts of the target's own variance."""
    scale = meant.var((0, 2, 3), keepdim=True) + 1e-4 if meant.dim() == 4 else meant.var(0, keepdim=True) + 0.1
    return ((said - meant) ** 2 / scale).mean()


def picture(x):
    return ((x - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)


def step(view, taps, x, alone):
    loss, h = 0, picture(x)
    for k, stage in enumerate(view.stages):
        h = stage(h if k == 0 or not alone else taps[k - 1])
        out = view.say(h) if k == len(view.stages) - 1 else h
        d = distance(out.float(), taps[k].float())
        loss = loss + (1 if alone else (3 if out is not h else 0.3)) * d
    return loss, d


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--samples", required=True)
    a.add_argument("--reference", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--steps", type=int, default=4000)
    a.add_argument("--view", type=int, help="only this one of the two")
    a.add_argument("--start", help="FILE.pt of an earlier run to go on from")
    a.add_argument("--threads", type=int, default=2)
    o = a.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(SEED)
    rng = torch.Generator().manual_seed(SEED)
    data = Samples(o.samples, without=("replay", "nuaa"))
    print(f"{len(data.x)} pictures", flush=True)
    for k in range(2) if o.view is None else [o.view]:
        teacher = Teacher(os.path.join(o.reference, FILES[k]), TAPS)
        view = net.View()
        if o.start:
            view.load_state_dict(torch.load(o.start.replace(".pt", f".{k}.pt")))
        view = view.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(view.parameters(), RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=o.steps, pct_start=0.05)
        mean = torch.optim.swa_utils.AveragedModel(view, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True)
        start, total, n = time.time(), 0.0, 0
        for i in range(o.steps):
            x = squares(data.x, torch.randint(len(data.x), (BATCH,), generator=rng), rng)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                taps = teacher(x)
                loss, last = step(view, taps, x, alone=not o.start and i < 0.35 * o.steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            mean.update_parameters(view)
            total, n = total + last.item(), n + 1
            if (i + 1) % 200 == 0:
                print(f"view {k} step {i + 1}/{o.steps}: logits {total / n:.4f} of their variance ({time.time() - start:.0f} s)", flush=True)
                total, n = 0.0, 0
                torch.save(mean.module.state_dict(), o.out.replace(".pt", f".{k}.pt"))


if __name__ == "__main__":
    main()
