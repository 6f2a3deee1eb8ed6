#!/usr/bin/env python3
"""Make TensorFlow SavedModels of the texture networks.

    savedmodel.py                 those of ../set.json, from ../weights, into
                                  ../tensorflow, with a set.json that names them
    savedmodel.py ONNX OUT.pb     one network

needs python3 with numpy, onnx, onnxruntime and tensorflow-cpu. The same ONNX
file and the same versions of these give the same bytes.

An operation of ONNX that is not in OPERATIONS below is refused by its name, and
nothing is written unless TensorFlow's answers to random pictures differ from
onnxruntime's by no more than TOLERANCE.

Pictures are N, C, H, W in ONNX and N, H, W, C here, which is what TensorFlow
runs on a processor; everything of four dimensions is held that way, weights of
an operation between pictures included. Weights are constants in the graph, so
that saved_model.pb is the whole network.
"""
import hashlib
import json
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import onnx
import onnxruntime
import tensorflow.compat.v1 as tf
from onnx import numpy_helper

TOLERANCE = 1e-4  # of an output's value, which are logits
PICTURES = 8
LAST = (0, 2, 3, 1)  # N, C, H, W to N, H, W, C
FIRST = (0, 3, 1, 2)
HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..")


class Refused(Exception):
    """This network cannot be converted; the message says why."""


class Node:
    """One operation of the ONNX graph and the values it works on: numpy arrays
    as ONNX has them where they are known, else tensors as described above."""

    def __init__(self, proto, values):
        self.name = proto.name or proto.output[0]
        self.kind, self.outputs = proto.op_type, list(proto.output)
        self.inputs = [values[i] if i else None for i in proto.input]
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        self.read = set()

    def attribute(self, name, default=None):
        self.read.add(name)
        return self.attributes.get(name, default)

    def input(self, i, default=None):
        given = i < len(self.inputs) and self.inputs[i] is not None
        return self.inputs[i] if given else default

    def known(self, i):
        """Input i, which has to be a constant of the graph."""
        v = self.input(i)
        if not isinstance(v, np.ndarray):
            raise Refused(f"{self.kind} {self.name}: its input {i} is not a constant")
        return v

    def refuse(self, why):
        raise Refused(f"{self.kind} {self.name}: {why}")

    def finish(self):
        """Refuses attributes that nobody looked at: they might matter."""
        if left := set(self.attributes) - self.read:
            self.refuse(f"attribute {', '.join(sorted(left))} is not known")


def tensor(v, rank):
    """A value for an operation between things of up to rank dimensions."""
    if not isinstance(v, np.ndarray):
        return v
    if rank == 4 and v.size > 1:
        v = v.reshape((1,) * (4 - v.ndim) + v.shape).transpose(LAST)
    return tf.constant(v.astype(np.float32))


def shape(t):
    return [int(d) for d in t.shape]


def flat(t):
    """A tensor of four dimensions in ONNX's own order."""
    if len(t.shape) == 4 and shape(t)[1:3] != [1, 1]:
        return tf.transpose(t, FIRST)
    return t


def place(axis, rank):
    """Where an axis of ONNX lies here."""
    axis = int(axis) % rank
    return LAST.index(axis) if rank == 4 else axis


def margins(pads):
    """ONNX's pads of a picture (top, left, bottom, right), for tf.pad."""
    top, left, bottom, right = (int(p) for p in pads)
    return [[0, 0], [top, bottom], [left, right], [0, 0]]


def window(n, size):
    """(strides, margins) of an operation that slides over a picture."""
    if n.attribute("auto_pad", b"NOTSET") != b"NOTSET":
        n.refuse("auto_pad is not supported")
    return list(n.attribute("strides", [1] * len(size))), margins(n.attribute("pads", [0] * 2 * len(size)))


def conv(n):
    x, w = n.input(0), n.known(1)
    if w.ndim != 4:
        n.refuse(f"a kernel of {w.ndim} dimensions")
    if list(n.attribute("kernel_shape", w.shape[2:])) != list(w.shape[2:]):
        n.refuse("kernel_shape is not that of the kernel")
    strides, pads = window(n, w.shape[2:])
    dilations, groups = list(n.attribute("dilations", [1, 1])), n.attribute("group", 1)
    how = dict(strides=[1, *strides, 1], dilations=[1, *dilations, 1])
    if groups == 1:
        if np.any(pads):
            how |= dict(padding="EXPLICIT", explicit_paddings=[int(p) for side in pads for p in side])
        y = tf.raw_ops.Conv2D(input=x, filter=tf.constant(w.transpose(2, 3, 1, 0)), **{"padding": "VALID"} | how)
    elif groups == shape(x)[3] and w.shape[1] == 1:  # O, 1, H, W to H, W, groups, O / groups
        k = w.reshape(groups, -1, *w.shape[2:]).transpose(2, 3, 0, 1)
        # With margins of its own TensorFlow 2.21 aborts while it optimises this.
        x = tf.pad(x, pads) if np.any(pads) else x
        y = tf.raw_ops.DepthwiseConv2dNative(input=x, filter=tf.constant(k), padding="VALID", **how)
    else:
        n.refuse(f"{groups} groups of {w.shape[1]} channels are not supported")
    return y if n.input(2) is None else tf.nn.bias_add(y, tf.constant(n.known(2)))


def batch_normalization(n):
    n.attribute("momentum")
    if n.attribute("training_mode", 0):
        n.refuse("it is still in training")
    scale, bias, mean, var = (n.known(i).astype(np.float64) for i in range(1, 5))
    a = scale / np.sqrt(var + n.attribute("epsilon", 1e-5))
    y = n.input(0)  # channels last, or features
    return y * tf.constant(a.astype(np.float32)) + tf.constant((bias - mean * a).astype(np.float32))


def average_pool(n):
    size = list(n.attribute("kernel_shape"))
    strides, pads = window(n, size)
    if n.attribute("ceil_mode", 0) or (np.any(pads) and not n.attribute("count_include_pad", 0)):
        n.refuse("ceil_mode, and margins that do not count, are not supported")
    n.attribute("count_include_pad")
    x = tf.pad(n.input(0), pads) if np.any(pads) else n.input(0)
    return tf.nn.avg_pool2d(x, size, strides, "VALID")


def max_pool(n):
    size = list(n.attribute("kernel_shape"))
    strides, pads = window(n, size)
    if n.attribute("ceil_mode", 0) or set(n.attribute("dilations", [1])) != {1} or n.attribute("storage_order", 0):
        n.refuse("ceil_mode, dilations and storage_order are not supported")
    x = tf.pad(n.input(0), pads, constant_values=np.finfo(np.float32).min) if np.any(pads) else n.input(0)
    return tf.nn.max_pool2d(x, size, strides, "VALID")


def reduce_mean(n):
    x = n.input(0)
    rank = len(x.shape)
    axes = n.attribute("axes", n.known(1).tolist() if n.input(1) is not None else range(rank))
    keep = bool(n.attribute("keepdims", 1))
    if rank == 4 and not keep and {int(a) % 4 for a in axes} != {2, 3}:
        n.refuse(f"a mean over axes {list(axes)} that drops them is not supported")
    return tf.reduce_mean(x, [place(a, rank) for a in axes], keepdims=keep)


def between(f):
    """An operation between two values of which either may be a constant."""
    def op(n):
        a, b = n.input(0), n.input(1)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            n.refuse("both inputs are constants: simplify the network first")
        ranks = [len(v.shape) for v in (a, b)]
        if 4 in ranks and any(r != 4 for v, r in zip((a, b), ranks) if not isinstance(v, np.ndarray)):
            n.refuse(f"between {ranks[0]} and {ranks[1]} dimensions is not supported")
        return f(tensor(a, max(ranks)), tensor(b, max(ranks)))
    return op


def clip(n):
    low, high = (n.attribute(k, n.input(i)) for k, i in (("min", 1), ("max", 2)))
    y = n.input(0)
    y = y if low is None else tf.maximum(y, float(low))
    return y if high is None else tf.minimum(y, float(high))


def concat(n):
    rank = len(n.input(0).shape)
    return tf.concat([tensor(v, rank) for v in n.inputs], place(n.attribute("axis"), rank))


def gemm(n):
    if n.attribute("transA", 0):
        n.refuse("transA is not supported")
    w = n.known(1) * np.float32(n.attribute("alpha", 1.0))
    y = tf.matmul(n.input(0), tf.constant(w.T if n.attribute("transB", 0) else w))
    beta = np.float32(n.attribute("beta", 1.0))
    return y if n.input(2) is None else y + tf.constant(n.known(2) * beta)


def matmul(n):
    if len(n.input(0).shape) != 2:
        n.refuse("only a row of features is multiplied")
    return tf.matmul(n.input(0), tf.constant(n.known(1)))


def flatten(n):
    if n.attribute("axis", 1) != 1:
        n.refuse("only axis 1 is supported")
    x = flat(n.input(0))
    return tf.reshape(x, [shape(x)[0], int(np.prod(shape(x)[1:]))])


def reshape(n):
    x, to = flat(n.input(0)), n.known(1).tolist()
    n.attribute("allowzero", 0)
    if 0 in to or len(to) == 4:
        n.refuse(f"to {to} is not supported")
    return tf.reshape(x, to)


def pad(n):
    if n.attribute("mode", b"constant") != b"constant":
        n.refuse("only a constant margin is supported")
    pads = n.attribute("pads", n.known(1).tolist() if n.input(1) is not None else None)
    if len(pads) != 8 or any(pads[i] for i in (0, 1, 4, 5)) or n.input(3) is not None:
        n.refuse("only a margin about a picture is supported")
    value = n.attribute("value", n.known(2) if n.input(2) is not None else 0)
    return tf.pad(n.input(0), margins([pads[2], pads[3], pads[6], pads[7]]), constant_values=float(value))


def cut(n):
    x = n.input(0)
    rank = len(x.shape)
    starts, ends = n.attribute("starts"), n.attribute("ends")
    if starts is None:
        starts, ends = n.known(1).tolist(), n.known(2).tolist()
    axes = n.attribute("axes", n.known(3).tolist() if n.input(3) is not None else range(len(starts)))
    steps = n.known(4).tolist() if n.input(4) is not None else [1] * len(starts)
    if min(steps) < 1:
        n.refuse("backwards is not supported")
    part = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps):
        part[place(axis, rank)] = slice(start, min(end, 2**31 - 1), step)
    return x[tuple(part)]


def prelu(n):
    x = n.input(0)
    return tf.nn.relu(x) + tensor(n.known(1), len(x.shape)) * tf.minimum(x, 0.0)


def of_one(f):
    return lambda n: f(n.input(0))


OPERATIONS = {
    "Add": between(tf.add), "Sub": between(tf.subtract), "Mul": between(tf.multiply), "Div": between(tf.divide),
    "AveragePool": average_pool, "MaxPool": max_pool, "ReduceMean": reduce_mean,
    "GlobalAveragePool": of_one(lambda x: tf.reduce_mean(x, [1, 2], keepdims=True)),
    "BatchNormalization": batch_normalization, "Conv": conv, "Gemm": gemm, "MatMul": matmul,
    "Clip": clip, "PRelu": prelu, "Relu": of_one(tf.nn.relu), "Sigmoid": of_one(tf.sigmoid), "Tanh": of_one(tf.tanh),
    "LeakyRelu": lambda n: tf.nn.leaky_relu(n.input(0), n.attribute("alpha", 0.01)),
    "HardSigmoid": lambda n: tf.clip_by_value(n.attribute("alpha", 0.2) * n.input(0) + n.attribute("beta", 0.5), 0.0, 1.0),
    "HardSwish": of_one(lambda x: x * tf.clip_by_value(x / 6 + 0.5, 0.0, 1.0)),
    "Concat": concat, "Flatten": flatten, "Identity": of_one(lambda x: x), "Pad": pad, "Reshape": reshape, "Slice": cut,
}


def build(model):
    """The network as a graph of TensorFlow: (graph, inputs, outputs), the two
    by their name in ONNX."""
    graph = model.graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    inputs, outputs = {}, {}
    made = tf.Graph()
    with made.as_default():
        for i in graph.input:
            if i.name in values:
                continue
            sides = [d.dim_value for d in i.type.tensor_type.shape.dim]
            if len(sides) != 4 or sides[0] > 1 or min(sides[1:]) < 1:
                raise Refused(f"input {i.name} has the shape {sides}, want 1, channels, height, width")
            sides = [1, sides[2], sides[3], sides[1]]
            inputs[i.name] = values[i.name] = tf.placeholder(tf.float32, sides, i.name)
        for proto in graph.node:
            if proto.op_type == "Constant":
                values[proto.output[0]] = numpy_helper.to_array(proto.attribute[0].t)
                continue
            if proto.op_type not in OPERATIONS or proto.domain not in ("", "ai.onnx"):
                raise Refused(f"operation {proto.op_type} ({proto.name}) is not known")
            n = Node(proto, values)
            if len(n.outputs) != 1 or isinstance(n.input(0), np.ndarray) and n.kind not in ("Add", "Sub", "Mul", "Div", "Concat"):
                n.refuse("more than one output, or nothing but constants to work on")
            values[n.outputs[0]] = OPERATIONS[n.kind](n)
            n.finish()
        for o in graph.output:
            outputs[o.name] = tf.identity(flat(values[o.name]), o.name)
    return made, inputs, outputs


def saved_model(made, inputs, outputs):
    """The bytes of saved_model.pb."""
    from tensorflow.core.protobuf import saved_model_pb2
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.graph_def.CopyFrom(made.as_graph_def())
    # Older runtimes know no attribute that came later: what is at its default
    # is left out, and they need not be of the version that wrote this.
    meta.graph_def.versions.min_consumer = 0
    for node in meta.graph_def.node:
        for a in made.get_operation_by_name(node.name).op_def.attr:
            if a.HasField("default_value") and node.attr[a.name] == a.default_value:
                del node.attr[a.name]
    info = lambda ts: {name: tf.saved_model.utils.build_tensor_info(t) for name, t in ts.items()}
    meta.signature_def["serving_default"].CopyFrom(
        tf.saved_model.build_signature_def(info(inputs), info(outputs), tf.saved_model.PREDICT_METHOD_NAME))
    return saved.SerializeToString(deterministic=True)


def difference(path, data, inputs, outputs):
    """The largest difference between what onnxruntime says of path and what
    TensorFlow, having loaded data, says, over random pictures."""
    net = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst, rng = 0.0, np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder, tf.Session(graph=tf.Graph()) as session:
        with open(os.path.join(folder, "saved_model.pb"), "wb") as f:
            f.write(data)
        tf.saved_model.load(session, ["serve"], folder)
        for k in range(PICTURES):
            scale = (1, 255)[k % 2]  # networks are fed -1..1 or 0..255
            x = {name: rng.uniform(-1 if scale == 1 else 0, scale, [1, s[3], s[1], s[2]]).astype(np.float32)
                 for name, s in ((name, shape(t)) for name, t in inputs.items())}
            want = net.run(list(outputs), x)
            got = session.run([t.name for t in outputs.values()], {inputs[n].name: v.transpose(LAST) for n, v in x.items()})
            for a, b in zip(want, got):
                if a.shape != b.shape or not np.isfinite(b).all():
                    raise Refused(f"an answer of shape {b.shape}, want {a.shape} of finite numbers")
                worst = max(worst, float((np.abs(a - b) / np.maximum(1, np.abs(a))).max()))
    return worst


def convert(path, out):
    """Writes the SavedModel of the ONNX file path. Returns its SHA-256, and the
    names of inputs and outputs as (ONNX, TensorFlow)."""
    model = onnx.load(path)
    onnx.checker.check_model(model)
    made, inputs, outputs = build(model)
    data = saved_model(made, inputs, outputs)
    worst = difference(path, data, inputs, outputs)
    if worst > TOLERANCE:
        raise Refused(f"TensorFlow and onnxruntime differ by {worst:.2g}, more than {TOLERANCE:g}")
    with open(out + ".tmp", "wb") as f:
        f.write(data)
    os.replace(out + ".tmp", out)
    sha = hashlib.sha256(data).hexdigest()
    print(f"{out}: {len(data)} bytes, SHA-256 {sha}, differs from onnxruntime by {worst:.2g}")
    return sha, {n: t.name for n, t in (inputs | outputs).items()}


def convert_set():
    """Converts the texture networks of the built-in set, and describes them as
    it does but for what TensorFlow has otherwise."""
    with open(os.path.join(MODELS, "set.json"), encoding="utf-8") as f:
        built_in = json.load(f)
    folder = os.path.join(MODELS, "tensorflow")
    os.makedirs(folder, exist_ok=True)
    now = {}
    for spec in built_in["texture"]:
        path = os.path.join(MODELS, "weights", spec["file"])
        with open(path, "rb") as f:
            if hashlib.sha256(f.read()).hexdigest() != spec["sha256"]:
                raise Refused(f"{path} is not the file that set.json means")
        spec["file"] = os.path.splitext(spec["file"])[0] + ".saved_model.pb"
        sha, names = convert(path, os.path.join(folder, spec["file"]))
        now[spec["sha256"]] = spec["sha256"] = sha
        spec["runtime"], spec["input"]["layout"] = "tensorflow", "nhwc"
        spec["input"]["name"] = names[spec["input"]["name"]]
        for o in spec["outputs"]:
            o["name"] = names[o["name"]]
    fusion = built_in["fusion"]
    if "fitted" in fusion:  # the networks are the same, their files are not
        fusion["fitted"] = [now[sha] for sha in fusion["fitted"]]
    with open(os.path.join(folder, "set.json"), "w", encoding="utf-8") as f:
        json.dump({"texture": built_in["texture"], "fusion": fusion}, f, indent=2, ensure_ascii=False)
        f.write("\n")


def main():
    tf.disable_eager_execution()
    tf.logging.set_verbosity(tf.logging.ERROR)
    try:
        if len(sys.argv) == 1:
            convert_set()
        elif len(sys.argv) == 3:
            convert(sys.argv[1], sys.argv[2])
        else:
            sys.exit(__doc__)
    except (Refused, OSError, KeyError, onnx.checker.ValidationError) as e:
        sys.exit(f"savedmodel.py: {type(e).__name__}: {e}" if not isinstance(e, Refused) else f"savedmodel.py: {e}")


if __name__ == "__main__":
    main()
