"""Asks the teacher, YuNet, where the faces are, and keeps answers and pictures.

The teacher looks at each picture as the daemon would show it, and once more a
little smaller and shifted: what it says on average is steadier than what it says
once. It is not symmetric: mirroring a picture moves its noses by 2 pixels of 320
on average. So mirrored pictures have answers of their own. A second look at 640
pixels tells which faces it may have missed: those are neither face nor
background to the student.
"""

import json
import pathlib

import cv2
import numpy as np

from detector import Detector, overlap

SURE = 0.65  # mean score from which a face is one to learn from
TEACHER = 0.7  # the teacher's threshold in the daemon
HINT = 0.25  # score from which something may be a face
VIEWS = ((1.0, 0, 0), (0.95, 9, 5))  # scale, and shift in pixels of the teacher's input


def look(teacher, picture, scale, dx, dy, firm=0.0):
    """Faces that the teacher sees in one view of picture, in its pixels. firm is
    Detector.detect's."""
    if scale == 1:
        return teacher.detect(picture, HINT, firm)
    h, w = picture.shape[:2]
    fit = min(teacher.width / w, teacher.height / h) * scale
    size = max(round(w * fit), 1), max(round(h * fit), 1)
    view = np.zeros((teacher.height, teacher.width, 3), np.uint8)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    view[dy : dy + size[1], dx : dx + size[0]] = small[: teacher.height - dy, : teacher.width - dx]
    faces = teacher.detect(view, HINT, firm)
    faces[:, [1, 2]] -= [dx, dy]
    faces[:, 5:] -= np.tile([dx, dy], 5)
    faces[:, 1:] *= np.tile([w / size[0], h / size[1]], 7)
    return faces


def label(teacher, second, picture):
    """Faces to learn (n, 15) and boxes to leave alone (m, 4) in picture."""
    views = [look(teacher, picture, *v) for v in VIEWS]
    faces, ignored = [], []
    for face in views[0]:
        same = [face]
        for other in views[1:]:
            if len(other):
                match = overlap(face[1:5], other[:, 1:5])
                if match.max() > 0.5:
                    same.append(other[match.argmax()])
        score = sum(f[0] for f in same) / len(views)
        if score >= SURE:
            # The box of the first view, the landmarks of all: boxes move with the scale.
            faces.append(np.concatenate([[score], face[1:5], np.mean(same, axis=0)[5:]]))
        else:
            ignored.append(face[1:5])
    faces = np.array(faces).reshape(-1, 15)
    extra = [f[1:5] for v in views[1:] for f in v] + [f[1:5] for f in second.detect(picture, HINT)]
    for box in extra:
        if not len(faces) or overlap(box, faces[:, 1:5]).max() < 0.3:
            ignored.append(box)
    return faces, np.array(ignored).reshape(-1, 4)


def answers(teacher, second, picture):
    faces, ignored = label(teacher, second, picture)
    return {"faces": faces.round(3).tolist(), "ignored": ignored.round(2).tolist()}


class Shelf:
    """Pictures one after the other in a file, and what is known of each."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.entries = json.loads((self.folder / "index.json").read_text())
        self.pixels = np.memmap(self.folder / "pictures.bin", np.uint8, "r")

    def picture(self, entry):
        h, w = entry["size"]
        return self.pixels[entry["at"] : entry["at"] + 3 * h * w].reshape(h, w, 3)


def fill_shelf(folder, reference, pictures, log):
    """Labels pictures, (source, name, held out, picture) each, into folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    teacher = Detector(pathlib.Path(reference) / "yunet_n_320_320.onnx")
    second = Detector(pathlib.Path(reference) / "yunet_n_640_640.onnx")
    entries, at = [], 0
    with open(folder / "pictures.bin", "wb") as out:
        for source, name, held, picture in pictures:
            entries.append({"source": source, "name": name, "held": held, "at": at, "size": picture.shape[:2],
                            "plain": answers(teacher, second, picture),
                            "mirrored": answers(teacher, second, np.ascontiguousarray(picture[:, ::-1]))})
            at += out.write(np.ascontiguousarray(picture).tobytes())
            if len(entries) % 500 == 0:
                log(f"labelled {len(entries)} pictures")
    (folder / "index.json").write_text(json.dumps(entries))
