"""Runs the face network together with the one that confirms its faces, as the daemon does."""

import cv2
import numpy as np
import onnxruntime

MAX_LOOKS = 16  # in one picture


class Confirmed:
    """A face network and one that confirms its faces, as pipeline/confirm.go joins
    them. Its faces are Detector's, with the score of both."""

    def __init__(self, first, firm, path, spec):
        """firm is the face network's own threshold, spec set.json's for the other one."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.first, self.firm, self.spec = first, firm, spec
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def part(self, picture, box):
        """What the network sees about box, beyond the picture its edge; None when hardly anything of it is in the picture."""
        height, width = picture.shape[:2]
        size, side = self.spec["input"]["width"], max(box[2:4]) * self.spec["crop"]["scale"]
        left, top = (int(np.floor(m - side / 2)) for m in box[:2] + box[2:4] / 2)
        side = int(np.ceil(side))
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
        if x1 - x0 < 8 or y1 - y0 < 8:
            return None
        # Where the part that is in the picture lies in the input.
        a, c = (int(np.floor((x - left) * size / side + 0.5)) for x in (x0, x1))
        b, d = (int(np.floor((y - top) * size / side + 0.5)) for y in (y0, y1))
        if a == c or b == d:
            return None
        how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        part = cv2.resize(picture[y0:y1, x0:x1], (c - a, d - b), interpolation=how)
        return cv2.copyMakeBorder(part, b, size - d, a, size - c, cv2.BORDER_REPLICATE)

    def detect(self, picture, threshold, _=0.0):
        """Detector.detect's faces with a joint score of threshold or more. Those with
        the face network's own threshold have the daemon's landmarks."""
        faces = []
        for face in self.first.detect(picture, self.spec["candidate"], self.firm)[:MAX_LOOKS]:
            seen = self.part(picture, face[1:5])
            if seen is None:
                continue
            x = seen.astype(np.float32).transpose(2, 0, 1)[None]
            odds = self.session.run(None, {"input": (x - 127.5) / 127.5})[0][0, 0]
            score = np.sqrt(face[0] / (1 + np.exp(-odds)))
            if score >= threshold:
                faces.append(np.concatenate([[score], face[1:]]))
        faces.sort(key=lambda f: -f[0])
        return np.array(faces).reshape(-1, 15)
