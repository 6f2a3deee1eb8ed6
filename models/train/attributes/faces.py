"""Where the faces are in the pictures at hand: YuNet, fed as package pipeline does."""
import glob
import os
import re

import cv2
import numpy as np
import onnxruntime

SIDE, THRESHOLD = 320, 0.6  # a little below the pipeline's 0.7: covered faces score low, and they are what is learnt here


class Detector:
    """Finds faces with yunet_n_320_320.onnx."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.net = onnxruntime.InferenceSession(path, options)

    def largest(self, img):
        """The largest face in a BGR picture as 14 numbers in its pixels: x, y, w, h, five landmarks (x, y); None without one."""
        h, w = img.shape[:2]
        s = min(SIDE / w, SIDE / h)
        sw, sh = max(round(w * s), 1), max(round(h * s), 1)
        canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
        canvas[:sh, :sw] = cv2.resize(img, (sw, sh), interpolation=cv2.INTER_AREA if s < 1 else cv2.INTER_LINEAR)
        names = [f"{k}_{n}" for k in ("cls", "obj", "bbox", "kps") for n in (8, 16, 32)]
        out = self.net.run(names, {"input": canvas.astype(np.float32).transpose(2, 0, 1)[None]})
        boxes, scores = [], []
        for i, stride in enumerate((8, 16, 32)):
            cls, obj, box, kps = out[i].ravel(), out[3 + i].ravel(), out[6 + i].reshape(-1, 4), out[9 + i].reshape(-1, 10)
            score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
            for c in np.flatnonzero(score >= THRESHOLD):
                cell = np.array([c % (SIDE // stride), c // (SIDE // stride)], float)
                size = np.exp(box[c, 2:]) * stride
                centre = (cell + box[c, :2]) * stride
                marks = (cell + kps[c].reshape(5, 2)) * stride
                boxes.append(np.r_[centre - size / 2, size, marks.ravel()] / s)
                scores.append(float(score[c]))
        if not boxes:
            return None
        kept = cv2.dnn.NMSBoxes([b[:4].tolist() for b in boxes], scores, THRESHOLD, 0.3)
        return max((boxes[i] for i in np.ravel(kept)), key=lambda b: b[2] * b[3])


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
    for f in sorted(glob.glob(os.path.join(data, "clips", "*.mp4"))):
        video, n = cv2.VideoCapture(f), 0
        while True:
            ok, img = video.read()
            if not ok:
                break
            if n % step == 0:
                yield f"clips/{os.path.basename(f)}#{n}", img, "clip-" + os.path.basename(f)
            n += 1
        video.release()


def find(detector, img):
    """As Detector.largest; a face that fills its picture is looked for again with a margin."""
    face = detector.largest(img)
    if face is not None:
        return face
    h, w = img.shape[:2]
    m = max(h, w) // 3
    face = detector.largest(cv2.copyMakeBorder(img, m, m, m, m, cv2.BORDER_CONSTANT))
    if face is not None:
        face = face.copy()
        face[0:2] -= m
        face[4:] -= m
    return face
