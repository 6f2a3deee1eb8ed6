"""The face network: what it is made of, how it is written as ONNX.

It answers as YuNet does (Wu, Peng and Yu, Machine Intelligence Research 2023),
so that one decoder reads both: at strides 8, 16 and 32 each cell gives two
probabilities (their geometric mean is the score), a box (centre - cell, and the
logarithm of the size, in strides) and five landmarks (point - cell, in strides).
The layers are this project's own: full 3x3 convolutions, few channels where the
picture is large, which is what OpenCV 4.6 runs fast on a plain processor.
"""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

STRIDES = (8, 16, 32)
KINDS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
WIDTH, HEIGHT = 320, 256  # of the exported network; training uses any multiple of 32


class Unit(nn.Module):
    """A 3x3 or 1x1 convolution, batch norm, and a ReLU unless told otherwise."""

    def __init__(self, cin, cout, size=3, stride=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(cout)
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return torch.relu(x) if self.relu else x

    def write(self, graph, x):
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        bias = self.norm.bias - self.norm.running_mean * scale
        return graph.conv(x, self.conv.weight * scale[:, None, None, None], bias,
                          self.conv.stride[0], relu=self.relu)


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in."""

    def __init__(self, channels):
        super().__init__()
        self.first = Unit(channels, channels)
        self.second = Unit(channels, channels, relu=False)

    def forward(self, x):
        return torch.relu(x + self.second(self.first(x)))

    def write(self, graph, x):
        y = self.second.write(graph, self.first.write(graph, x))
        return graph.node("Relu", [graph.node("Add", [x, y])])


class Head(nn.Module):
    """One level's last convolution and its four answers, a 1x1 convolution each."""

    def __init__(self, channels):
        super().__init__()
        self.shared = Unit(channels, channels)
        self.answers = nn.ModuleDict({k: nn.Conv2d(channels, n, 1) for k, n in KINDS})
        for kind in ("cls", "obj"):  # start from "no face", as nearly all cells are
            nn.init.constant_(self.answers[kind].bias, -3.0)

    def forward(self, x):
        x = self.shared(x)
        with torch.autocast("cpu", enabled=False):  # places need more than bfloat16's eight bits
            x = x.float()
            return {k: a(x).permute(0, 2, 3, 1).flatten(1, 2) for k, a in self.answers.items()}

    def write(self, graph, x, stride):
        x = self.shared.write(graph, x)
        for kind, numbers in KINDS:
            answer = self.answers[kind]
            y = graph.node("Transpose", [graph.conv(x, answer.weight, answer.bias, 1)], perm=[0, 2, 3, 1])
            cells = (WIDTH // stride) * (HEIGHT // stride)
            shape = graph.constant(np.array([1, cells, numbers], np.int64))
            graph.answer(f"{kind}_{stride}", y, shape, kind in ("cls", "obj"), [1, cells, numbers])


class FaceNet(nn.Module):
    """Pictures (n, 3, h, w), BGR 0..255, h and w multiples of 32.

    Returns for each stride a dictionary: cls and obj (n, cells, 1) before the
    sigmoid, bbox (n, cells, 4), kps (n, cells, 10), cells row by row.
    """

    widths = (12, 20, 32, 64, 80)  # channels after each halving of the picture
    blocks = (0, 0, 1, 2, 1)  # residual blocks there
    neck = (32, 48, 64)  # channels of the three levels that answer

    def __init__(self):
        super().__init__()
        stages, channels = [], 3
        for width, count in zip(self.widths, self.blocks):
            stages.append(nn.Sequential(Unit(channels, width, 3, 2), *[Residual(width) for _ in range(count)]))
            channels = width
        self.stages = nn.ModuleList(stages)
        self.lateral = nn.ModuleList([Unit(w, n, 1, relu=False) for w, n in zip(self.widths[2:], self.neck)])
        self.down = nn.ModuleList([Unit(b, a, 1, relu=False) for a, b in zip(self.neck, self.neck[1:])])
        self.heads = nn.ModuleList([Head(n) for n in self.neck])

    def forward(self, x):
        x, features = x / 255, []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        levels = [lateral(f) for lateral, f in zip(self.lateral, features[2:])]
        levels[2] = torch.relu(levels[2])
        for i in (1, 0):
            above = nn.functional.interpolate(self.down[i](levels[i + 1]), scale_factor=2.0, mode="nearest")
            levels[i] = torch.relu(levels[i] + above)
        return [head(level) for head, level in zip(self.heads, levels)]

    def write(self, graph, x):
        features = []
        for stage in self.stages:
            for layer in stage:
                x = layer.write(graph, x)
            features.append(x)
        levels = [lateral.write(graph, f) for lateral, f in zip(self.lateral, features[2:])]
        levels[2] = graph.node("Relu", [levels[2]])
        for i in (1, 0):
            above = graph.double(self.down[i].write(graph, levels[i + 1]))
            levels[i] = graph.node("Relu", [graph.node("Add", [levels[i], above])])
        for head, level, stride in zip(self.heads, levels, STRIDES):
            head.write(graph, level, stride)


class Graph:
    """An ONNX graph in the making."""

    def __init__(self):
        self.nodes, self.constants, self.outputs = [], [], {}

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind, inputs, output=None, **attributes):
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(self, x, weight, bias, stride, relu=False):
        size = weight.shape[-1]
        w = self.constant(weight.detach().numpy().astype(np.float32))
        b = self.constant(bias.detach().numpy().astype(np.float32))
        y = self.node("Conv", [x, w, b], kernel_shape=[size, size], strides=[stride, stride],
                      pads=[size // 2] * 4)
        return self.node("Relu", [y]) if relu else y

    def double(self, x):
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        region = self.constant(np.zeros(0, np.float32))  # not used in this mode, but asked for
        return self.node("Resize", [x, region, scales], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")

    def answer(self, name, x, shape, probability, size):
        if probability:
            self.node("Sigmoid", [self.node("Reshape", [x, shape])], name)
        else:
            self.node("Reshape", [x, shape], name)
        self.outputs[name] = helper.make_tensor_value_info(name, TensorProto.FLOAT, size)


def write_onnx(net, path):
    """Writes net, batch norms folded in, for one picture of 1x3xHEIGHTxWIDTH."""
    graph = Graph()
    net.eval()
    net.write(graph, "input")
    outputs = [graph.outputs[f"{kind}_{stride}"] for kind, _ in KINDS for stride in STRIDES]
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    # The input is 0..255, the network was trained on 0..1: the first weights bear it.
    first = numpy_helper.to_array(graph.constants[0])
    graph.constants[0].CopyFrom(numpy_helper.from_array(first / np.float32(255), graph.constants[0].name))
    model = helper.make_model(
        helper.make_graph(graph.nodes, "face", [source], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", 11)], ir_version=6, producer_name="livenessd")
    onnx.checker.check_model(model)
    onnx.save(model, path)
