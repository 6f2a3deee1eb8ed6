"""The texture network.

Input is 1×3×80×80, BGR, (value − 127.5) / 127.5: the face and what is about it.
Two views of it, each of six stages, learn what two public networks see
(teacher.py): stage by stage, so that each is a small function with dense
targets. Layers are plain 3×3 and 1×1 convolutions, which OpenCV runs well on a
small processor. `live` is what the views together say.
"""
import torch
from torch import nn

SIDE = 80


def conv(i, o, kernel=3, stride=1, act=True):
    layers = [nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, nn.PReLU(o)) if act else nn.Sequential(*layers)


class Narrow(nn.Module):
    """A shortcut beside a narrow 3×3 convolution."""

    def __init__(self, wide, narrow):
        super().__init__()
        self.body = nn.Sequential(conv(wide, narrow, 1), conv(narrow, narrow), conv(narrow, wide, 1, act=False))

    def forward(self, x):
        return x + self.body(x)


class View(nn.Module):
    """Stages end where the teachers' do: 64@20×20 twice, 128@10×10 twice,
    128@5×5, and three logits: print, live, screen."""

    def __init__(self, features=96):
        super().__init__()
        self.stages = nn.ModuleList([
            nn.Sequential(conv(3, 24, stride=2), conv(24, 32), conv(32, 64, stride=2), conv(64, 64, 1, act=False)),
            nn.Sequential(Narrow(64, 32), Narrow(64, 32)),
            nn.Sequential(conv(64, 64, stride=2), conv(64, 128, 1, act=False)),
            nn.Sequential(Narrow(128, 40), Narrow(128, 40)),
            nn.Sequential(conv(128, 40, stride=2), conv(40, 128, 1, act=False)),
            nn.Sequential(Narrow(128, 40), conv(128, features, 1),
                          nn.Conv2d(features, features, 5, groups=features, bias=False), nn.BatchNorm2d(features), nn.Flatten()),
        ])
        self.say = nn.Linear(features, 3)

    def features(self, x):
        for s in self.stages:
            x = s(x)
        return x


def log_odds(x):
    """log(p/(1-p)) of "live", the second of three logits."""
    return x[:, 1] - torch.logsumexp(x[:, [0, 2]], 1)


class Texture(nn.Module):
    def __init__(self, features=96):
        super().__init__()
        self.views = nn.ModuleList([View(features), View(features)])
        self.live = nn.Linear(2 * features, 1)

    def features(self, x):
        return torch.cat([v.features(x) for v in self.views], 1)

    def forward(self, x):
        """The logit of live, and each view's three logits."""
        f = self.features(x)
        n = f.shape[1] // 2
        return self.live(f)[:, 0], [v.say(f[:, k * n:(k + 1) * n]) for k, v in enumerate(self.views)]
