"""The texture network.

Input is N×3×80×80, BGR, (value − 127.5) / 127.5: the face and what is about it.
Output is three logits: print, live, screen. Its six stages end where those of
the public network that it learns from end (teacher.py), so that each can first
be learnt alone, as a small function with dense targets. Layers are plain 3×3
and 1×1 convolutions with ReLU, which OpenCV runs well on a small processor and
which are cheap to train.
"""
import torch
from torch import nn

SIDE = 80
CLASSES = ("print", "live", "screen")


def conv(i, o, kernel=3, stride=1, act=True):
    layers = [nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if act else nn.Sequential(*layers)


class Narrow(nn.Module):
    """A shortcut beside a narrow 3×3 convolution."""

    def __init__(self, wide, narrow):
        super().__init__()
        self.body = nn.Sequential(conv(wide, narrow, 1), conv(narrow, narrow), conv(narrow, wide, 1, act=False))

    def forward(self, x):
        return x + self.body(x)


class Texture(nn.Module):
    """Stages end with 64@20×20 twice, 128@10×10 twice, 128@5×5, and 256 numbers
    from which the logits are read."""

    def __init__(self):
        super().__init__()
        last = 256
        self.stages = nn.ModuleList([
            nn.Sequential(conv(3, 32, stride=2), conv(32, 32), conv(32, 80, stride=2), conv(80, 64, 1, act=False)),
            nn.Sequential(*(Narrow(64, 32) for _ in range(3))),
            nn.Sequential(conv(64, 96, stride=2), conv(96, 128, 1, act=False)),
            nn.Sequential(*(Narrow(128, 40) for _ in range(4))),
            nn.Sequential(conv(128, 80, stride=2), conv(80, 128, 1, act=False)),
            nn.Sequential(Narrow(128, 40), Narrow(128, 40), Narrow(128, 40), conv(128, last, 1),
                          nn.Conv2d(last, last, 5, groups=last, bias=False), nn.BatchNorm2d(last), nn.Flatten()),
        ])
        self.say = nn.Linear(last, len(CLASSES))
        self.also = nn.Linear(last, 1)
        self.amend = nn.Linear(last, 1)
        nn.init.zeros_(self.amend.weight)
        nn.init.zeros_(self.amend.bias)

    def forward(self, x):
        """The three logits, the second teacher's log odds of live, and what
        labels add to both."""
        for s in self.stages:
            x = s(x)
        return self.say(x), self.also(x)[:, 0], self.amend(x)[:, 0]


def log_odds(x):
    """log(p/(1-p)) of "live", the second of three logits."""
    return x[:, 1] - torch.logsumexp(x[:, [0, 2]], 1)


SECOND = 0.6  # what the second teacher's answer counts beside the first one's


def answer(logits, also, amend):
    """log(p/(1-p)) of "live", by both and by what was learnt from labels."""
    return log_odds(logits) + SECOND * also + amend


def picture(x):
    """The network's input from a batch of values 0..255."""
    return ((x - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)
