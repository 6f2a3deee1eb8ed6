"""Trains the face network from nothing, by a teacher, and writes it as ONNX.

    python3 models/train/face/train.py --data ../shared/data \\
        --reference ../shared/reference-models --faceless DIR --scenes DIR \\
        --work /tmp/face --out models/weights/face.onnx

DIRs: what faceless.py gathers and what cmd/scenes writes. Equal arguments on an
equal machine give equal weights.
"""

import argparse
import copy
import multiprocessing
import pathlib
import sys
import time

import cv2
import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import label
import sources
import targets
from compose import Composer
from detector import Detector
from network import FaceNet, write_onnx

# Batches, in turn: pictures, width, height, the sizes of the faces in them, and how
# many of the pictures are shown as the daemon would show them.
# Small pictures teach much and cost little; those of full size are the daemon's.
BATCHES = ((16, 192, 160, 10, 150, 0), *((8, 320, 256, 30, 240, 6),) * 3)
WARM_UP, DECAY = 100, 1e-4  # steps, weight decay
COST = (1.0, 1.5, 60.0)  # of presence, box, landmarks


def batch(composer, seed, step):
    """Batch number step: pictures, targets, width, height."""
    rng = np.random.default_rng([seed, step])
    count, width, height, smallest, largest, frames = BATCHES[step % len(BATCHES)]
    pictures, wanted = [], []
    for i in range(count):
        if i < frames:
            picture, faces, ignored = composer.frame(rng, width, height)
        else:
            picture, faces, ignored = composer.canvas(rng, width, height, smallest, largest)
        pictures.append(picture.transpose(2, 0, 1))
        wanted.append(targets.assign(faces, ignored, width, height))
    return np.stack(pictures), np.stack(wanted), width, height


def produce(work, reference, seed, count, everything, queue):
    """Makes the batches in order; runs in a process of its own."""
    cv2.setNumThreads(1)
    teacher = Detector(reference / "yunet_n_320_320.onnx")
    composer = Composer(label.Shelf(work / "people"), label.Shelf(work / "faceless"), teacher, everything)
    for step in range(count):
        queue.put(batch(composer, seed, step))


def label_all(args, log):
    def everybody():
        yield from sources.people(args.data)
        yield from sources.scenes(args.scenes)

    for name, pictures in (("people", everybody()), ("faceless", sources.faceless(args.faceless))):
        if not (args.work / name / "index.json").exists():
            log(f"labelling {name}")
            label.fill_shelf(args.work / name, args.reference, pictures, log)


def rate(step, steps, peak):
    warm = min((step + 1) / WARM_UP, 1)
    return peak * warm * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * step / steps)))


def train(args, log):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    net = FaceNet()
    if args.start:
        net.load_state_dict(torch.load(args.start))
    mean = copy.deepcopy(net)  # of the weights over the last steps
    net = net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), args.rate, weight_decay=DECAY)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(6)
    count = min(args.batches, (args.steps + 1) // 2)
    producer = context.Process(target=produce, daemon=True,
                               args=(args.work, args.reference, args.seed, count, args.everything, queue))
    producer.start()
    batches, parts, start = [], np.zeros(3), time.monotonic()
    again = np.random.default_rng([args.seed, args.steps])
    for step in range(args.steps):
        # One step in two, while there are any, learns from something new: making costs as much.
        if step % 2 == 0 and len(batches) < count:
            batches.append(queue.get())
            current = batches[-1]
        else:
            current = batches[again.integers(len(batches))]
        pictures, wanted, width, height = current
        for group in optimiser.param_groups:
            group["lr"] = rate(step, args.steps, args.rate)
        net.train()
        x = torch.from_numpy(pictures).float().to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):  # halves the time where the processor knows it
            levels = net(x)
        cost = targets.losses(levels, torch.from_numpy(wanted), width, height)
        optimiser.zero_grad()
        sum(c * weight for c, weight in zip(cost, COST)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimiser.step()
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for m, n in zip(mean.state_dict().values(), net.state_dict().values()):
                m.lerp_(n, 1 - keep) if m.is_floating_point() else m.copy_(n)
        parts += [c.item() for c in cost]
        if (step + 1) % 100 == 0:
            presence, box, landmarks = parts / 100
            log(f"step {step + 1}/{args.steps} presence {presence:.4f} box {box:.4f} landmarks {landmarks:.5f}"
                f" seconds {time.monotonic() - start:.0f}")
            parts[:] = 0
        if (step + 1) % 1000 == 0 or step + 1 == args.steps:
            write_onnx(mean, str(args.out))
            torch.save(mean.state_dict(), args.work / "mean.pt")
    producer.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "reference", "faceless", "scenes", "work", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at its peak")
    parser.add_argument("--batches", type=int, default=2400, help="made, at most; 3 MB each, kept in memory")
    parser.add_argument("--start", type=pathlib.Path, help="weights to go on from: mean.pt of an earlier run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--everything", action="store_true", help="learn from what is kept apart, too")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    journal = open(args.work / "train.log", "a")

    def log(line):
        print(line, flush=True)
        print(line, file=journal, flush=True)

    log(f"torch {torch.__version__}, numpy {np.__version__}, cv2 {cv2.__version__}, {vars(args)}")
    label_all(args, log)
    train(args, log)


if __name__ == "__main__":
    main()
