"""Where the faces are in the pictures at hand: YuNet, fed as package pipeline does."""
import glob
import os
import re

import cv2

import common

THRESHOLD = 0.6  # a little below the pipeline's 0.7: covered faces score low, and they are what is learnt here


def pictures(data):
    """Yields (path relative to data, source, identity): what may not be torn apart by a split has one identity."""
    def every(pattern, step=1):
        return [os.path.relpath(f, data) for f in sorted(glob.glob(os.path.join(data, pattern)))[::step]]

    for kind in ("with_mask", "without_mask"):
        for f in every(f"masks/{kind}/*"):
            yield f, kind, f  # identities of masks are found by likeness, see groups.py
    for f in every("faces/*"):
        yield f, "faces", "faces-" + re.sub(r"_\d+\.\w+$", "", os.path.basename(f))
    for f in every("replay-train/*/*.jpg"):
        if "__attack__" in f and not f.endswith(("0.jpg", "5.jpg")):
            continue  # a third of the attacks is enough
        who = "replay-" + re.search(r"client(\d+)", f).group(1)
        yield f, "replay-attack" if "__attack__" in f else "replay", who
    for f in every("nuaa-train/Client/*/*.jpg"):
        yield f, "nuaa", "nuaa-" + os.path.basename(f).split("_")[0]
    for f in every("nuaa-train/Imposter/*/*.jpg", 3):
        yield f, "nuaa-print", "nuaa-" + os.path.basename(f).split("_")[0]


def clip_frames(data, step=10):
    """Yields (name, BGR picture, identity) of every step-th frame of the clips."""
    for name, img in common.clip_frames(data, step):
        yield "clips/" + name, img, "clip-" + name.split("#")[0]


def find(detector, img):
    """The largest face in a BGR picture as 14 numbers in its pixels: x, y, w, h, five landmarks (x, y); None without one.
    A face that fills its picture is looked for again with a margin."""
    face = detector.largest(img, THRESHOLD)
    if face is not None:
        return face[1:]
    h, w = img.shape[:2]
    m = max(h, w) // 3
    face = detector.largest(cv2.copyMakeBorder(img, m, m, m, m, cv2.BORDER_CONSTANT), THRESHOLD)
    if face is None:
        return None
    face = face[1:].copy()
    face[0:2] -= m
    face[4:] -= m
    return face
