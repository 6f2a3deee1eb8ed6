"""From a trained network to the file the daemon embeds."""
import copy
import warnings

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import net


class Shipped(nn.Module):
    """Two logits, attack and live, whose difference is the logit of live."""

    def __init__(self, texture):
        super().__init__()
        self.t = fold(copy.deepcopy(texture).eval())
        w, b = texture.live.weight.detach(), texture.live.bias.detach()
        self.out = nn.Linear(w.shape[1], 2)
        with torch.no_grad():
            self.out.weight.copy_(torch.cat([-w / 2, w / 2]))
            self.out.bias.copy_(torch.cat([-b / 2, b / 2]))

    def forward(self, x):
        return self.out(self.t.features(x))


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


def write(texture, path):
    m = Shipped(texture).eval()
    with warnings.catch_warnings():  # the exporter's talk about its successor, whose files OpenCV 4.6 cannot read
        warnings.simplefilter("ignore")
        torch.onnx.export(m, torch.zeros(1, 3, net.SIDE, net.SIDE), path, opset_version=11,
                          input_names=["input"], output_names=["output"], dynamo=False)
