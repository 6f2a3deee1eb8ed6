#!/usr/bin/env python3
"""From trained weights to the file that the daemon embeds.

    export.py --weights FILE.pt --out FILE.onnx [--bias LOGIT]

The file gives three logits, print, live and screen; the second teacher's part of
the answer and the bias are in that of live, so that the softmax's probability
of live is the answer. --bias moves the decision at 0.5: more is laxer.
"""
import argparse
import copy
import warnings

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import net


class Shipped(nn.Module):
    """Three logits whose log odds of live are net.answer and a bias."""

    def __init__(self, texture, bias):
        super().__init__()
        self.stages = fold(copy.deepcopy(texture.stages).eval())
        self.say = copy.deepcopy(texture.say)
        live = net.CLASSES.index("live")
        with torch.no_grad():
            self.say.weight[live] += net.SECOND * texture.also.weight[0] + texture.amend.weight[0]
            self.say.bias[live] += net.SECOND * texture.also.bias[0] + texture.amend.bias[0] + bias

    def forward(self, x):
        for s in self.stages:
            x = s(x)
        return self.say(x)


def fold(module):
    """Moves every batch norm into the convolution before it."""
    if isinstance(module, nn.Sequential):
        layers = list(module)
        for i in range(len(layers) - 1):
            if isinstance(layers[i], nn.Conv2d) and isinstance(layers[i + 1], nn.BatchNorm2d):
                module[i] = fuse_conv_bn_eval(layers[i], layers[i + 1])
                module[i + 1] = nn.Identity()
    for child in module.children():
        fold(child)
    return module


def write(texture, path, bias=0.0):
    m = Shipped(texture, bias).eval()
    with warnings.catch_warnings():  # the exporter's talk about its successor, whose files OpenCV 4.6 cannot read
        warnings.simplefilter("ignore")
        torch.onnx.export(m, torch.zeros(1, 3, net.SIDE, net.SIDE), path, opset_version=11,
                          input_names=["input"], output_names=["output"], dynamo=False)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--weights", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--bias", type=float, default=0.0)
    o = a.parse_args()
    texture = net.Texture()
    texture.load_state_dict(torch.load(o.weights))
    write(texture, o.out, o.bias)


if __name__ == "__main__":
    main()
