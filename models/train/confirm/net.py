"""The network that confirms faces: how it is built, trained and written as ONNX."""
import copy
import time

import cv2
import numpy as np
import onnx
import torch
from torch import nn

import spoil
from network import Graph, Residual, Unit
from samples import CUT, INPUT, ROOM

BATCH, RATE, DECAY, WARM_UP = 128, 2e-3, 2e-3, 200
JITTER = 0.06, 0.08, 5.0  # standard deviations: shift in boxes, logarithm of the scale, turn in degrees
SMOOTH = 0.02  # the teacher is not always right


class ConfirmNet(nn.Module):
    """Pictures (n, 3, INPUT, INPUT), BGR 0..255, to the log odds (n) that each is a face."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Unit(3, 16, 3, 2), Unit(16, 32, 3, 2), Residual(32), Unit(32, 64, 3, 2), Residual(64), Unit(64, 96, 3, 2))
        self.last = nn.Linear(96 * (INPUT // 16) ** 2, 1)

    def forward(self, x):
        x = self.layers((x - 127.5) / 127.5).float().flatten(1)
        return self.last(nn.functional.dropout(x, 0.2, self.training))[:, 0]


class Batches(torch.utils.data.IterableDataset):
    """Endless batches: pictures uint8 (n, 3, INPUT, INPUT), face or not (n)."""

    def __init__(self, samples, weights, seed):
        self.samples, self.weights, self.seed = samples, weights / weights.sum(), seed

    def __iter__(self):
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self.seed)
        while True:
            rows = rng.choice(len(self.weights), BATCH, p=self.weights)
            pictures = [vary(rng, self.samples["pixels"][row], self.samples["boxes"][row]) for row in rows]
            yield np.stack(pictures).transpose(0, 3, 1, 2), self.samples["face"][rows].astype(np.float32)


def vary(rng, picture, box):
    """What the network sees of a cut when the box is off, in other light, with another camera's faults."""
    off, bigger, turn = rng.normal(0, JITTER[0], 2), rng.normal(0, JITTER[1]), float(rng.normal(0, JITTER[2]))
    if rng.random() < 0.1:  # far off
        off, bigger = off * 2.5, bigger - abs(rng.normal(0, 0.15))
    side = CUT / ROOM * np.exp(bigger)
    place = cv2.getRotationMatrix2D((0, 0), turn, INPUT / side)
    place[:, 2] = INPUT / 2 - place[:, :2] @ (box[:2] + (0.5 + off) * box[2:4])
    seen = cv2.warpAffine(picture, place, (INPUT, INPUT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        seen = np.ascontiguousarray(seen[:, ::-1])
    return spoil.spoil(rng, seen) if rng.random() < 0.6 else seen


def train(samples, weights, steps, seed, out, log):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net = ConfirmNet()
    mean = copy.deepcopy(net)  # of the weights over the last steps
    net = net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    batches = iter(torch.utils.data.DataLoader(Batches(samples, weights, seed), batch_size=None, num_workers=1, prefetch_factor=8))
    total, start = 0.0, time.monotonic()
    for step in range(steps):
        pictures, face = map(torch.as_tensor, next(batches))
        for group in optimiser.param_groups:
            group["lr"] = RATE * min((step + 1) / WARM_UP, 1) * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * step / steps)))
        net.train()
        x = pictures.float().contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):  # halves the time where the processor knows it
            y = net(x)
        loss = nn.functional.binary_cross_entropy_with_logits(y.float(), face * (1 - 2 * SMOOTH) + SMOOTH)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimiser.step()
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for m, n in zip(mean.state_dict().values(), net.state_dict().values()):
                m.lerp_(n, 1 - keep) if m.is_floating_point() else m.copy_(n)
        total += loss.item()
        if (step + 1) % 200 == 0:
            log(f"step {step + 1}/{steps} loss {total / 200:.4f} seconds {time.monotonic() - start:.0f}")
            total = 0.0
        if (step + 1) % 2000 == 0 or step + 1 == steps:
            write(mean, out)


def write(net, path):
    """Writes net as ONNX, batch norms folded in, for OpenCV 4.6 to read. Its input is -1..1: the spec scales."""
    net.eval()
    graph, x = Graph(), "input"
    for layer in net.layers:
        x = layer.write(graph, x)
    x = graph.node("Flatten", [x])
    w, b = (graph.constant(p.detach().numpy().astype(np.float32)) for p in (net.last.weight, net.last.bias))
    graph.node("Gemm", [x, w, b], "output", transB=1)
    kind = onnx.TensorProto.FLOAT
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "confirm", [onnx.helper.make_tensor_value_info("input", kind, [1, 3, INPUT, INPUT])],
                               [onnx.helper.make_tensor_value_info("output", kind, [1, 1])], graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=6, producer_name="livenessd")
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
