"""The attributes network: how it is built, trained and written as ONNX."""
import time

import numpy as np
import onnx
import torch
from torch import nn

from samples import INPUT, NAMES

BATCH, RATE, DECAY = 64, 3e-3, 1e-3


def network():
    """Plain convolutions only: OpenCV 4.6 runs them fastest. The last block keeps its places: a hat is above, a mask below."""
    def conv(i, o, stride):
        return [nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
    return nn.Sequential(
        *conv(3, 16, 2), *conv(16, 32, 2), *conv(32, 32, 1), *conv(32, 64, 2), *conv(64, 64, 1), *conv(64, 96, 2),
        nn.Conv2d(96, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * (INPUT // 16) ** 2, len(NAMES)))


def tensor(pictures):
    """uint8 BGR pictures (n, INPUT, INPUT, 3) as the network's input: RGB planes, (value − 127.5) / 127.5."""
    x = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2)
    return (x.float() - 127.5) / 127.5


def train(x, y, epochs, seed, log):
    """Trains a network on uint8 pictures and their labels; -1 counts neither way."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = network().to(memory_format=torch.channels_last)
    steps = epochs * (len(x) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.15)
    started, total = time.process_time(), 0.0
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for i in range(len(x) // BATCH):
            take = np.sort(order[i * BATCH:(i + 1) * BATCH])
            batch = vary(tensor(x[take])).contiguous(memory_format=torch.channels_last)
            target = torch.from_numpy(y[take].astype(np.float32))
            known = (target >= 0).float()
            soft = target.clamp(min=0) * 0.96 + 0.02  # labels drawn by hand and by machine are not all right
            loss = (nn.functional.binary_cross_entropy_with_logits(net(batch), soft, reduction="none") * known).sum() / known.sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        log(f"  epoch {epoch + 1} of {epochs}: loss {total / (len(x) // BATCH):.4f}, {time.process_time() - started:.0f} s of processor time")
        total = 0.0
    return net.eval()


def vary(x):
    """Mirrors, shifts by up to two pixels, and changes light and contrast, each picture for itself."""
    n = len(x)
    x = torch.where((torch.rand(n, 1, 1, 1) < 0.5), x.flip(3), x)
    dx, dy = torch.randint(-2, 3, (2,)).tolist()
    x = nn.functional.pad(x, (2, 2, 2, 2), mode="replicate")[:, :, 2 + dy:2 + dy + INPUT, 2 + dx:2 + dx + INPUT]
    return ((x * torch.empty(n, 1, 1, 1).uniform_(0.8, 1.2)) + torch.empty(n, 1, 1, 1).uniform_(-0.1, 0.1)).clamp(-1, 1)


def logits(net, pictures):
    """Logits (n, 5) of uint8 BGR pictures."""
    with torch.no_grad():
        return np.concatenate([net(tensor(pictures[i:i + 512])).numpy() for i in range(0, len(pictures), 512)])


def export(net, shift, path):
    """Writes net with shift taken off its logits, so that 0.5 after the sigmoid is the decision.

    The graph is written node by node, batch norms folded, for OpenCV 4.6 to
    read: torch.onnx.export shares equal numbers through Identity nodes, which
    that version refuses.
    """
    nodes, numbers, last = [], [], "input"

    def number(name, value):
        numbers.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value.detach().numpy()), name))
        return name

    for i, layer in enumerate(net):
        if isinstance(layer, nn.Conv2d):
            flat = nn.utils.fusion.fuse_conv_bn_eval(layer, net[i + 1])
            wide, step, rim = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            nodes.append(onnx.helper.make_node("Conv", [last, number(f"w{i}", flat.weight), number(f"b{i}", flat.bias)], [f"conv{i}"],
                                               kernel_shape=[wide] * 2, strides=[step] * 2, pads=[rim] * 4))
            nodes.append(onnx.helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"]))
            last = f"relu{i}"
    nodes.append(onnx.helper.make_node("Flatten", [last], ["flat"]))
    bias = net[-1].bias - torch.tensor(shift, dtype=torch.float32)
    nodes.append(onnx.helper.make_node("Gemm", ["flat", number("w", net[-1].weight), number("b", bias)], ["output"], transB=1))
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(nodes, "attributes", [onnx.helper.make_tensor_value_info("input", kind, [1, 3, INPUT, INPUT])],
                                   [onnx.helper.make_tensor_value_info("output", kind, [1, len(NAMES)])], numbers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=6, producer_name="livenessd")
    onnx.checker.check_model(model)
    onnx.save(model, path)
