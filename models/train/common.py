"""What the training scripts share: the pipeline's way from a picture to a
network's input, and the pictures there are to learn from.

The crops and pixels are those of package pipeline (detect.go, texture.go), so
that a network sees in training what it will see at the door.
"""
import glob
import hashlib
import json
import os
import re
import sys

import cv2
import numpy as np
import onnxruntime

import detector

cv2.setNumThreads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
REFERENCE, OWN = (os.path.join(HERE, "..", name) for name in ("reference.json", "set.json"))


class Network:
    """A network of a spec, run by onnxruntime on one thread."""

    def __init__(self, spec, folder):
        path = checked(spec, folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.spec, self.net = spec, onnxruntime.InferenceSession(path, options)

    def run(self, bgr):
        """bgr fits into the input; it goes to the top left, the rest is black."""
        i = self.spec["input"]
        canvas = np.zeros((i["height"], i["width"], 3), np.uint8)
        canvas[:bgr.shape[0], :bgr.shape[1]] = bgr
        if i["colour"] == "rgb":
            canvas = canvas[..., ::-1]
        x = (canvas.astype(np.float32) - np.float32(i["mean"])) * np.float32(i["scale"])
        names = [o["name"] for o in self.spec["outputs"]]
        return self.net.run(names, {i["name"]: np.ascontiguousarray(x.transpose(2, 0, 1)[None])})


def reference(folder):
    """The public networks that serve as teachers: a Finder of faces, [texture...]."""
    with open(REFERENCE) as f:
        d = json.load(f)
    return Finder(d["face"], folder), [Network(s, folder) for s in d["texture"]]


def own_face():
    """The face network that the daemon carries."""
    with open(OWN) as f:
        return Finder(json.load(f)["face"], os.path.join(HERE, "..", "weights"))


class Finder:
    """A network that finds faces, with its spec's threshold."""

    def __init__(self, spec, folder):
        path = checked(spec, folder)
        self.threshold, self.net = spec["threshold"], detector.Detector(path)

    def box(self, img):
        """The largest face's x, y, w, h, or None."""
        face = self.net.largest(img, self.threshold)
        return None if face is None else tuple(float(v) for v in face[1:5])


def checked(spec, folder):
    """The path of a spec's file, whose bytes are those that it means."""
    path = os.path.join(folder, spec["file"])
    with open(path, "rb") as f:
        if hashlib.sha256(f.read()).hexdigest() != spec["sha256"]:
            sys.exit(f"{path} is not the file that its spec means")
    return path


def crop(img, box, scale, shape):
    """The part of a picture that a network sees: the box times scale about the
    same centre, kept inside the picture."""
    (x, y, w, h), (ih, iw) = box, img.shape[:2]
    mx, my = x + w / 2, y + h / 2
    if shape == "square":
        w = h = max(w, h)
    s = min(scale, (iw - 1) / w, (ih - 1) / h)
    w, h = w * s, h * s
    x, y = min(max(mx - w / 2, 0), iw - 1 - w), min(max(my - h / 2, 0), ih - 1 - h)
    return img[int(y):int(y + h) + 1, int(x):int(x + w) + 1]


def cut(img, box, size, scale, shape):
    """What crop gives, in the size (width, height) of a network's input."""
    return cv2.resize(crop(img, box, scale, shape), size)


def log_odds(logits, live):
    """log(p/(1-p)) of the class at index live."""
    return logits[live] - np.logaddexp.reduce(np.delete(logits, live))


def live_logit(net, img, box):
    """log(p/(1-p)) of the live class of a texture network."""
    c, i, o = net.spec["crop"], net.spec["input"], net.spec["outputs"][0]
    v = net.run(cut(img, box, (i["width"], i["height"]), c["scale"], c["shape"]))[0].ravel().astype(float)
    return log_odds(v, o["classes"].index("live"))


def fold_of(who, folds=5):
    """A person's fold, the same whatever else there is."""
    return np.array([int.from_bytes(w.encode()[-6:], "big") * 2654435761 % 2**32 % folds for w in who])


def pictures(data, scenes=None):
    """Yields (path, source, kind, identity, recording) of what there is; kind is
    "live" or that of the attack. Films are clip_frames'."""
    for folder in sorted(glob.glob(os.path.join(data, "replay-train", "*"))):
        name = os.path.basename(folder)
        who = "replay-" + re.search(r"client(\d+)", name).group(1)
        kind = "live"
        if "__attack__" in name:
            kind = re.search(r"attack_(print|mobile|highdef)", name).group(1) + "-" + re.search(r"_(photo|video)_", name).group(1)
        for f in sorted(glob.glob(os.path.join(folder, "*.jpg"))):
            yield f, "replay", kind, who, name
    for folder, kind in (("Client", "live"), ("Imposter", "held-print")):
        for f in sorted(glob.glob(os.path.join(data, "nuaa-train", folder, "*", "*.jpg"))):
            part = os.path.basename(f).split("_")
            yield f, "nuaa", kind, "nuaa-" + part[0], folder + "_".join(part[:4])
    for f in sorted(glob.glob(os.path.join(data, "faces", "*.jpg"))):
        who = re.sub(r"_\d+\.jpg$", "", os.path.basename(f))
        yield f, "faces", "live", "faces-" + who, f
    for folder in ("with_mask", "without_mask"):
        for f in sorted(glob.glob(os.path.join(data, "masks", folder, "*"))):
            yield f, "masks", "live", "masks-" + os.path.basename(f), f
    for scene, kind in (("person", "live"), ("person-limited", "live"), ("print", "simulated-print"), ("tablet", "simulated-tablet")):
        for f in sorted(glob.glob(os.path.join(scenes or "", scene, "*", "*.jpg"))) if scenes else ():
            who = os.path.basename(os.path.dirname(f))
            yield f, "scenes", kind, "scenes-" + who, scene + who


def clip_frames(data, every=6):
    """Yields (name, picture) of every sixth frame of the clips."""
    for path in sorted(glob.glob(os.path.join(data, "clips", "*.mp4"))):
        video, n = cv2.VideoCapture(path), 0
        while True:
            ok, img = video.read()
            if not ok:
                break
            if n % every == 0:
                yield f"{os.path.basename(path)}#{n}", img
            n += 1
