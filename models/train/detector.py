"""Runs a face network of YuNet's output convention as the daemon does.

The same steps as pipeline/detect.go: the picture is brought to the top left of
the input with its proportions kept, candidates above the threshold are joined
where they overlap, and a face's landmarks are what its candidates agree on.
"""

import cv2
import numpy as np
import onnxruntime

STRIDES = (8, 16, 32)
SAME_FACE = 0.3  # intersection over union above which two boxes are one face
AGREEING = 0.5  # and above which a candidate's landmarks count


def overlap(box, boxes):
    """Intersection over union of one box with many; boxes are x, y, w, h."""
    left, top = np.maximum(box[0], boxes[:, 0]), np.maximum(box[1], boxes[:, 1])
    right = np.minimum(box[0] + box[2], boxes[:, 0] + boxes[:, 2])
    bottom = np.minimum(box[1] + box[3], boxes[:, 1] + boxes[:, 3])
    both = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    return both / (box[2] * box[3] + boxes[:, 2] * boxes[:, 3] - both + 1e-9)


def letterbox(picture, width, height):
    """The picture, scaled to fit width x height, and its scale in x and in y."""
    h, w = picture.shape[:2]
    scale = min(width / w, height / h)
    size = min(max(round(w * scale), 1), width), min(max(round(h * scale), 1), height)
    if size == (w, h):
        return picture, (1.0, 1.0)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=how), (size[0] / w, size[1] / h)


class Detector:
    """A network read from an ONNX file. Not for use by several threads."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.height, self.width = self.session.get_inputs()[0].shape[2:]
        self.names = [f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES]

    def canvas(self, canvas, threshold):
        """Candidates in a picture of the input's own size: scores (n), boxes
        (n, 4), landmarks (n, 5, 2), in pixels, best first."""
        x = canvas.astype(np.float32).transpose(2, 0, 1)[None]
        outs = self.session.run(self.names, {"input": x})
        scores, boxes, points = [], [], []
        for i, stride in enumerate(STRIDES):
            cls, obj, box, kps = (outs[i + 3 * k].reshape(-1, n) for k, n in enumerate((1, 1, 4, 10)))
            score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))[:, 0]
            cells = np.flatnonzero(score >= threshold)
            at = np.stack([cells % (self.width // stride), cells // (self.width // stride)], 1)
            size = np.exp(box[cells, 2:]) * stride
            scores.append(score[cells])
            boxes.append(np.concatenate([(at + box[cells, :2]) * stride - size / 2, size], 1))
            points.append((at[:, None] + kps[cells].reshape(-1, 5, 2)) * stride)
        scores, boxes, points = map(np.concatenate, (scores, boxes, points))
        order = np.argsort(-scores, kind="stable")
        return scores[order], boxes[order], points[order]

    def detect(self, picture, threshold, firm=0.0):
        """Faces as rows: score, x, y, w, h, then five landmarks x, y (the
        person's right eye, left eye, nose, right and left corner of the
        mouth), in the picture's pixels, best first. Faces scored firm or more
        have the landmarks that the daemon, with this as its threshold, gives them."""
        small, (sx, sy) = letterbox(picture, self.width, self.height)
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        scores, boxes, points = self.canvas(canvas, threshold)
        faces, kept = [], np.zeros((0, 4))
        for score, box in zip(scores, boxes):
            if len(kept) and overlap(box, kept).max() > SAME_FACE:
                continue
            kept = np.concatenate([kept, box[None]])
            agreed = (overlap(box, boxes) > AGREEING) & (scores >= min(firm, score))
            landmarks = np.average(points[agreed], axis=0, weights=scores[agreed])
            faces.append(np.concatenate([[score], box / [sx, sy, sx, sy], (landmarks / [sx, sy]).ravel()]))
        return np.array(faces).reshape(-1, 15)

    def largest(self, picture, threshold):
        """The largest face of detect, or None."""
        faces = self.detect(picture, threshold)
        return max(faces, key=lambda f: f[3] * f[4], default=None)
