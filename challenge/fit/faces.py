"""Finds the face of a picture, as package pipeline does."""
import cv2
import numpy as np

W, H = 320, 256  # models/set.json
# pipeline/pose.go: right eye, left eye, nose, right and left corner of the mouth.
HEAD = np.array([[-.5, 0, 0], [.5, 0, 0], [0, .591, .432], [-.434, 1.025, -.208], [.434, 1.025, -.208]])


class Finder:
    def __init__(self, path):
        self.net = cv2.dnn.readNetFromONNX(path)
        self.names = self.net.getUnconnectedOutLayersNames()

    def landmarks(self, bgr):
        """Five points, the mean of the candidates that agree; None without a face."""
        h, w = bgr.shape[:2]
        k = min(W / w, H / h)
        small = cv2.resize(bgr, (min(round(w * k), W), min(round(h * k), H)), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        canvas = np.zeros((H, W, 3), np.uint8)
        canvas[:small.shape[0], :small.shape[1]] = small
        self.net.setInput(cv2.dnn.blobFromImage(canvas))
        out = dict(zip(self.names, self.net.forward(self.names)))
        found = []
        for s in (8, 16, 32):
            n = W // s
            score = np.sqrt(np.clip(out[f"cls_{s}"].reshape(-1) * out[f"obj_{s}"].reshape(-1), 0, 1))
            for i in np.where(score > .7)[0]:
                points = (out[f"kps_{s}"].reshape(-1, 5, 2)[i] + [i % n, i // n]) * s / k
                found.append((score[i], points, np.exp(out[f"bbox_{s}"].reshape(-1, 4)[i, 2]) * s / k))
        if not found:
            return None
        best = max(found, key=lambda c: c[0] * c[2] ** .5)
        near = [c for c in found if np.linalg.norm(c[1].mean(0) - best[1].mean(0)) < .25 * best[2]]
        weight = np.array([c[0] for c in near])
        return (np.array([c[1] for c in near]) * weight[:, None, None]).sum(0) / weight.sum()
