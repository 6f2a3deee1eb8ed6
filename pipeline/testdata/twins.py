#!/usr/bin/env python3
"""Write twins.onnx and twins.saved_model.pb: one small network of random weights
for both runtimes, with the kinds of layers that texture networks are made of.

    twins.py        needs numpy, onnx, onnxruntime and tensorflow-cpu (../../models/train/requirements.txt)
"""
import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 32
node, rng = helper.make_node, np.random.default_rng(1)


def main():
    weights = {
        "w1": rng.normal(0, 0.3, (8, 3, 3, 3)), "b1": rng.normal(0, 0.3, 8), "slope": rng.uniform(0, 0.5, (8, 1, 1)),
        "w2": rng.normal(0, 0.5, (8, 1, 3, 3)), "b2": rng.normal(0, 0.3, 8),
        "w3": rng.normal(0, 0.4, (16, 8, 1, 1)), "b3": rng.normal(0, 0.3, 16),
        "w4": rng.normal(0, 2.0, (2, 16)), "b4": rng.normal(0, 0.3, 2),
    }
    nodes = [
        node("Conv", ["input", "w1", "b1"], ["x1"], strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("PRelu", ["x1", "slope"], ["x2"]),
        node("Conv", ["x2", "w2", "b2"], ["x3"], group=8, pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("Add", ["x2", "x3"], ["x4"]),
        node("Conv", ["x4", "w3", "b3"], ["x5"], strides=[2, 2], kernel_shape=[1, 1]),
        node("Relu", ["x5"], ["x6"]),
        node("GlobalAveragePool", ["x6"], ["x7"]),
        node("Flatten", ["x7"], ["x8"]),
        node("Gemm", ["x8", "w4", "b4"], ["output"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "twins",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()])
    path = os.path.join(HERE, "twins.onnx")
    with open(path, "wb") as f:
        f.write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7).SerializeToString())
    convert = os.path.join(HERE, "..", "..", "models", "train", "savedmodel.py")
    sys.exit(subprocess.call([sys.executable, convert, path, os.path.join(HERE, "twins.saved_model.pb")]))


if __name__ == "__main__":
    main()
