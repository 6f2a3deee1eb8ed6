"""Finds the largest face of a picture and its pose, as package pipeline does."""
import cv2
import numpy as np

SIDE = 320
# pipeline/pose.go: right eye, left eye, nose, right and left corner of the mouth.
HEAD = np.array([[-.5, 0, 0], [.5, 0, 0], [0, .591, .432], [-.434, 1.025, -.208], [.434, 1.025, -.208]])


class Finder:
    def __init__(self, path):
        self.net = cv2.dnn.readNetFromONNX(path)
        self.names = self.net.getUnconnectedOutLayersNames()

    def landmarks(self, bgr):
        """Five points, the mean of the candidates that agree; None without a face."""
        h, w = bgr.shape[:2]
        k = SIDE / max(h, w)
        small = cv2.resize(bgr, (round(w * k), round(h * k)), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
        canvas[:small.shape[0], :small.shape[1]] = small
        self.net.setInput(cv2.dnn.blobFromImage(canvas))
        out = dict(zip(self.names, self.net.forward(self.names)))
        found = []
        for s in (8, 16, 32):
            n = SIDE // s
            score = np.sqrt(np.clip(out[f"cls_{s}"].reshape(-1) * out[f"obj_{s}"].reshape(-1), 0, 1))
            for i in np.where(score > .5)[0]:
                points = (out[f"kps_{s}"].reshape(-1, 5, 2)[i] + [i % n, i // n]) * s / k
                found.append((score[i], points, np.exp(out[f"bbox_{s}"].reshape(-1, 4)[i, 2]) * s / k))
        if not found:
            return None
        best = max(found, key=lambda c: c[0] * c[2] ** .5)
        near = [c for c in found if np.linalg.norm(c[1].mean(0) - best[1].mean(0)) < .25 * best[2]]
        weight = np.array([c[0] for c in near])
        return (np.array([c[1] for c in near]) * weight[:, None, None]).sum(0) / weight.sum()


def project(fit):
    (sy, sp, sr), (cy, cp, cr) = np.sin(fit[:3]), np.cos(fit[:3])
    y, z = HEAD[:, 1] * cp - HEAD[:, 2] * sp, HEAD[:, 1] * sp + HEAD[:, 2] * cp
    x, s = HEAD[:, 0] * cy + z * sy, np.exp(fit[3])
    return np.stack([s * (x * cr - y * sr) + fit[4], s * (x * sr + y * cr) + fit[5]], 1)


def pose(points):
    """Yaw, pitch and roll in degrees: pipeline.EstimatePose."""
    right, left = points[:2]
    eyes, mouth = (right + left) / 2, (points[3] + points[4]) / 2
    a, d = left - right, mouth - eyes
    fit = np.array([0, 0, np.arctan2(a[1] - d[0], a[0] + d[1]), np.log(max(np.hypot(*a), np.hypot(*d))), *eyes])
    for _ in range(15):
        p = project(fit)
        j = np.stack([(project(fit + 1e-4 * e) - p).ravel() / 1e-4 for e in np.eye(6)], 1)
        n = j.T @ j
        step = np.linalg.solve(n + np.diag(1e-3 * np.diag(n) + 1e-9), j.T @ (points - p).ravel())
        step *= min(1, .35 / max(abs(step[0]), abs(step[1]), 1e-9))
        fit = fit + step
        fit[:2] = np.clip(fit[:2], -np.pi / 2, np.pi / 2)
        if np.abs(step[:3]).sum() < 1e-5:
            break
    return np.degrees(fit[:3])
