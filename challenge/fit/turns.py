"""Writes turns.csv: where the heads of ../../../shared/data point, by a measure
that has nothing to do with ours: the 468 places that MediaPipe Face Mesh
(0.10.14, `pip install mediapipe==0.10.14`) finds on a face. The rigid ones of
them are fitted to their own mean over all pictures of a person, once in space
and once as seen from afar; what is written is the mean of both. A face that
pulls its brows up moves these places too: by 4 degrees in d10.mp4."""
import argparse
import csv
import glob
import os

import cv2
import mediapipe
import numpy as np

from faces import Finder

RIGID = [168, 6, 197, 195, 5, 4, 1, 10, 151, 9, 8, 107, 336, 69, 299, 67, 297, 109, 338, 108, 337, 127, 356, 234, 454,
         116, 345, 117, 346, 50, 280, 33, 133, 362, 263, 103, 332, 54, 284, 21, 251, 162, 389]

WORST = .08  # people are .02 from their own mean, .06 when they grimace


def pictures(data):
    """(person, recording, frame, picture)"""
    for path in sorted(glob.glob(data + "/clips/*.mp4")):
        cap, i = cv2.VideoCapture(path), 0
        while True:
            ok, bgr = cap.read()
            if not ok:
                break
            if i % 2 == 0:
                yield os.path.basename(path), "clips/" + os.path.basename(path), i, bgr
            i += 1
    for path in sorted(glob.glob(data + "/nuaa-train/Client/*/*.jpg")):
        yield os.path.basename(path)[:4], os.path.relpath(path, data), 0, cv2.imread(path)


def mesh(net, bgr, points):
    """The places in pixels: x, y, and z towards the lens; None without a face."""
    eyes, middle = np.linalg.norm(points[1] - points[0]), points.mean(0)
    (x0, y0), (x1, y1) = np.maximum(middle - 2.6 * eyes, 0).astype(int), (middle + 2.6 * eyes).astype(int)
    crop = bgr[y0:y1, x0:x1]
    found = net.process(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)).multi_face_landmarks
    if not found:
        return None
    h, w = crop.shape[:2]
    return np.array([[p.x * w, p.y * h, -p.z * w] for p in found[0].landmark[:468]])


def rotation(a, b):
    """Takes a to b: Umeyama 1991."""
    u, _, vt = np.linalg.svd((b - b.mean(0)).T @ (a - a.mean(0)))
    return u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt


def afar(a, b):
    """The same under scaled orthography; b is flat."""
    u, _, vt = np.linalg.svd(np.linalg.lstsq(a - a.mean(0), b - b.mean(0), rcond=None)[0].T, full_matrices=False)
    q = u @ vt
    return np.vstack([q, np.cross(q[0], q[1])])


def mean_shape(places):
    ref = places[0]
    for _ in range(6):
        ref = np.mean([p @ rotation(p[RIGID], ref[RIGID]).T for p in places], 0)
    x = ref[263] - ref[33]
    y = ref[152] - ref[10]
    x /= np.linalg.norm(x)
    y -= x * (x @ y)
    y /= np.linalg.norm(y)
    return ref @ np.stack([x, y, np.cross(x, y)]).T


def apart(p, shape):
    """How far the places of p lie from the shape's: a face that was found wrongly is another shape."""
    return np.sqrt(((p[RIGID] @ rotation(p[RIGID], shape).T - shape) ** 2).sum())


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", required=True)
    args.add_argument("--network", required=True, help="the project's face.onnx")
    args.add_argument("--out", required=True)
    args = args.parse_args()
    finder = Finder(args.network)
    net = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=.3)
    people = {}
    for person, recording, frame, bgr in pictures(args.data):
        points = finder.landmarks(bgr)
        places = None if points is None else mesh(net, bgr, points)
        if places is not None:
            places -= places[RIGID].mean(0)
            people.setdefault(person, []).append((recording, frame, places / np.sqrt((places[RIGID] ** 2).sum())))
    with open(args.out, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["recording", "frame", "yaw", "pitch"])
        for seen in people.values():
            shape = mean_shape([p for _, _, p in seen])[RIGID]
            for recording, frame, p in seen:
                if apart(p, shape) > WORST:
                    continue
                nose = rotation(shape, p[RIGID])[:, 2] + afar(shape, p[RIGID, :2])[:, 2]
                nose /= np.linalg.norm(nose)
                yaw, pitch = np.degrees(np.arcsin([nose[0], -nose[1]]))
                out.writerow([recording, frame, f"{yaw:.1f}", f"{pitch:.1f}"])


if __name__ == "__main__":
    main()
