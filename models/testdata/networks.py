#!/usr/bin/env python3
"""Write the small networks beside this file that the tests run.

    networks.py        needs numpy and onnx 1.23

colours     5 logits that follow the mean colour of the picture
nan         2 logits that are not a number
no-such-op  a layer that OpenCV 4.6 does not have
crash       a convolution of 0 groups: OpenCV 4.6 divides by it and dies
slow        minutes of arithmetic
hungry      a layer of some 3 GB
"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
node = helper.make_node


def save(name, nodes, weights, side=16, logits=2):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, logits])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    with open(os.path.join(HERE, name + ".onnx"), "wb") as f:
        f.write(model.SerializeToString())


def head(of):
    """The mean of each plane, then a linear layer."""
    return [node("GlobalAveragePool", [of], ["mean"]), node("Flatten", ["mean"], ["flat"]),
            node("Gemm", ["flat", "w", "b"], ["output"], transB=1)]


def linear(w, b):
    return {"w": np.array(w, np.float32), "b": np.array(b, np.float32)}


two = linear(np.ones((2, 3)), [0, 0])
save("colours", head("input"),
     linear([[20, 0, 0], [0, 20, 0], [0, 0, 20], [0, 0, 0], [20, 20, 20]], [-10, -10, -10, -3, -30]), logits=5)
save("nan", head("input"), linear(np.full((2, 3), np.nan), [0, 0]))
save("no-such-op", [node("Einsum", ["input"], ["same"], equation="nchw->nchw")] + head("same"), two)
kernel = {"k": np.ones((3, 3, 3, 3), np.float32)}
save("crash", [node("Conv", ["input", "k"], ["c"], group=0, kernel_shape=[3, 3])] + head("c"), {**two, **kernel})
save("slow", [node("Conv", ["input" if i == 0 else f"c{i}", "k"], [f"c{i + 1}"], kernel_shape=[31, 31], pads=[15] * 4)
              for i in range(40)] + head("c40"), {**two, "k": np.zeros((3, 3, 31, 31), np.float32)}, side=1024)
save("hungry", [node("Concat", ["input"] * 3000, ["c"], axis=1), node("Concat", ["c"] * 350, ["d"], axis=2)] + head("d"), two)
