"""The public networks as PyTorch modules, so that what they see inside can be
learnt from, not only what they say in the end."""
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
import torch.nn.functional as F


SHAPES = ("Shape", "Gather", "Unsqueeze", "Concat")  # they only say that Reshape flattens


class Teacher(nn.Module):
    """Runs a fixed ONNX graph on batches of any size. forward returns the
    tensors named in taps, in their order. Input: what the network's spec says."""

    def __init__(self, path, taps):
        super().__init__()
        graph = onnx.load(path).graph
        self.nodes, self.taps, self.input = list(graph.node), taps, graph.input[0].name
        self.values = {}
        for i in graph.initializer:
            self.values[i.name] = torch.from_numpy(numpy_helper.to_array(i).copy())
        for n in self.nodes:
            if n.op_type == "Constant":
                self.values[n.output[0]] = torch.from_numpy(np.array(numpy_helper.to_array(n.attribute[0].t)))
            known = ("Conv", "PRelu", "Add", "Mul", "MatMul", "Relu", "Sigmoid", "Constant", "Reshape", "GlobalAveragePool", "BatchNormalization")
            if n.op_type not in known + SHAPES:
                raise ValueError(f"{path}: operation {n.op_type} is not known here")

    @torch.no_grad()
    def forward(self, x):
        v = dict(self.values)
        v[self.input] = x
        for n in self.nodes:
            if n.op_type not in SHAPES + ("Constant",):
                v[n.output[0]] = self.run(n, [v.get(i) for i in n.input])
        return [v[t] for t in self.taps]

    def run(self, n, i):
        a = {x.name: onnx.helper.get_attribute_value(x) for x in n.attribute}
        match n.op_type:
            case "Conv":
                pads = a.get("pads", [0, 0, 0, 0])
                return F.conv2d(i[0], i[1], i[2] if len(i) > 2 else None, a.get("strides", [1, 1]), pads[:2], 1, a.get("group", 1))
            case "PRelu":
                return F.prelu(i[0], i[1].flatten())
            case "Add":
                return i[0] + i[1]
            case "Mul":
                return i[0] * i[1]
            case "MatMul":
                return i[0] @ i[1]
            case "Relu":
                return F.relu(i[0])
            case "Sigmoid":
                return torch.sigmoid(i[0])
            case "GlobalAveragePool":
                return i[0].mean((2, 3), keepdim=True)
            case "Reshape":
                return i[0].flatten(1)
            case "BatchNormalization":
                return F.batch_norm(i[0], i[3], i[4], i[1], i[2], eps=a.get("epsilon", 1e-5))
