"""Where the decisions lie and how good they are, by networks that have not seen the person."""
import hashlib
import json
import math

import cv2
import numpy as np
import onnxruntime

import net
import samples
from samples import INPUT, MASK, NAMES, SCALE

LIVE = ("replay", "nuaa", "clips")  # people in front of a camera, without anything on but spectacles and one headscarf
ALARMS = 0.005                      # of them may be said to wear something they do not


def interval(hits, n):
    """The exact (Clopper and Pearson 1934) 95 % interval of a share, by bisection of the binomial's tail."""
    def tail(k, p):  # of k or more hits out of n
        return sum(math.exp(math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p)) for i in range(k, n + 1))

    def solve(k, want):
        lo, hi = 1e-12, 1 - 1e-12
        for _ in range(60):
            mid = (lo + hi) / 2
            lo, hi = (mid, hi) if tail(k, mid) < want else (lo, mid)
        return lo
    return (0.0 if hits == 0 else solve(hits, 0.025)), (1.0 if hits == n else solve(hits + 1, 0.975))


class Unseen:
    """Logits of every picture by the network that has not learnt from its person, under three conditions."""

    def __init__(self, everyone, networks, seed):
        self.source = np.array([s.source for s in everyone])
        self.labels = np.array([s.labels for s in everyone])
        fold = samples.deal(everyone)
        rng = np.random.default_rng(seed)

        def judge(pictures, fold):
            z = np.empty((len(pictures), len(NAMES)), np.float32)
            for k, n in enumerate(networks):
                z[fold == k] = net.logits(n, pictures[fold == k])
            return z
        self.z = {"as taken": judge(np.array([s.plain[0] for s in everyone]), fold),
                  "as taken, shrunk linearly": judge(np.array([s.plain[1] for s in everyone]), fold),
                  "dark, unsharp, far": judge(np.array([samples.photograph(rng, s.img, s.box, True) for s in everyone]), fold)}
        drawn, self.drawn_labels, fold = samples.build(everyone, 4000, seed + 100)
        self.drawn = judge(drawn, fold)

    def shift(self):
        """For each attribute the smallest shift at or above 0 with which in every source of people, as taken, at most ALARMS are false."""
        out = np.zeros(len(NAMES))
        for i in range(len(NAMES)):
            for name in ("as taken", "as taken, shrunk linearly"):
                for source in LIVE:
                    v = np.sort(self.z[name][(self.source == source) & (self.labels[:, i] == 0), i])[::-1]
                    out[i] = max(out[i], v[int(ALARMS * len(v))] + 1e-3)
        return out

    def lines(self, shift):
        """The report as a Markdown table and a few lines."""
        yield "shift of the logits: " + ", ".join(f"{n} {s:.2f}" for n, s in zip(NAMES, shift))
        for name, z in self.z.items():
            yield ""
            yield f"**{name}**: false alarms in % of the pictures without it / found in % of those with it (number of them)"
            yield "| source | pictures | " + " | ".join(NAMES) + " |"
            yield "|---|---|" + "---|" * len(NAMES)
            for source in dict.fromkeys(self.source):
                m = self.source == source
                cells = []
                for i in range(len(NAMES)):
                    no, yes = m & (self.labels[:, i] == 0), m & (self.labels[:, i] == 1)
                    said = z[:, i] > shift[i]
                    cells.append((f"{100 * said[no].mean():.1f}" if no.any() else "–") + (f" / {100 * said[yes].mean():.1f} ({yes.sum()})" if yes.any() else ""))
                yield f"| {source} | {m.sum()} | " + " | ".join(cells) + " |"
            yield self.mask_line(z[:, MASK] > shift[MASK])
            for i in range(1, len(NAMES)):
                yes = self.labels[:, i] == 1
                if yes.sum() > 0:
                    hits = int((z[yes, i] > shift[i]).sum())
                    lo, hi = interval(hits, int(yes.sum()))
                    yield f"{NAMES[i]}: {hits} of {yes.sum()} real ones found, {100 * hits / yes.sum():.1f} % ({100 * lo:.1f} to {100 * hi:.1f})"
        yield ""
        yield "**drawn on people unseen**, in all conditions of training: " + ", ".join(
            f"{n} {100 * (self.drawn[self.drawn_labels[:, i] == 1, i] > shift[i]).mean():.1f} found, {100 * (self.drawn[self.drawn_labels[:, i] == 0, i] > shift[i]).mean():.1f} false"
            for i, n in enumerate(NAMES))

    def mask_line(self, said):
        real = np.isin(self.source, ("with_mask", "without_mask"))
        yes, no = real & (self.labels[:, MASK] == 1), real & (self.labels[:, MASK] == 0)
        hit, right = int(said[yes].sum()), int((~said[no]).sum())
        a, b = interval(hit, int(yes.sum())), interval(right, int(no.sum()))
        return (f"mask: {hit} of {yes.sum()} real masks found, {100 * hit / yes.sum():.1f} % ({100 * a[0]:.1f} to {100 * a[1]:.1f}); "
                f"{right} of {no.sum()} bare faces left alone, {100 * right / no.sum():.1f} % ({100 * b[0]:.1f} to {100 * b[1]:.1f}); "
                f"balanced accuracy {50 * (hit / yes.sum() + right / no.sum()):.2f} %")


def write_spec(onnx, path):
    """The network's entry for set.json."""
    with open(onnx, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    spec = {"name": "attributes-1", "role": "attributes", "file": "attributes.onnx", "sha256": digest, "runtime": "opencv",
            "input": {"name": "input", "width": INPUT, "height": INPUT, "colour": "rgb", "scale": 1 / 127.5, "mean": [127.5] * 3},
            "crop": {"scale": SCALE, "shape": "square"},
            "outputs": [{"name": "output", "shape": [len(NAMES)], "classes": NAMES}],
            "threshold": 0.5, "licence": "see the card: trained partly on pictures for research use", "card": "attributes.md"}
    with open(path, "w") as f:
        json.dump(spec, f, indent=2)
        f.write("\n")


def compare(onnx, network, shift, everyone, log):
    """Runs the ONNX file beside the network it was made of (less shift), in ONNX Runtime and in this machine's OpenCV."""
    pictures = np.array([s.plain[0] for s in everyone[::20]])
    want = net.logits(network, pictures) - shift
    x = net.tensor(pictures).numpy()
    runtime = onnxruntime.InferenceSession(onnx)
    one = np.concatenate([runtime.run(None, {"input": v[None]})[0] for v in x])
    dnn = cv2.dnn.readNetFromONNX(onnx)
    two = []
    for v in x:
        dnn.setInput(v[None])
        two.append(dnn.forward()[0])
    log(f"largest difference of logits on {len(x)} pictures: ONNX Runtime {abs(one - want).max():.2g}, OpenCV {cv2.__version__} {abs(np.array(two) - want).max():.2g}")
