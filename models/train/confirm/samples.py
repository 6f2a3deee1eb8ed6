"""Faces and what only looks like one, cut out of pictures as a camera shows them.

Each picture of face/sources.py is shown several times in a camera's size: as it
is, and moved, turned, scaled or mirrored. A face is what the teacher (YuNet) sees
in most of four looks at it. What the daemon's own face network takes for a face
where the teacher sees none in any look is none. A cut holds more than the network
will see, so that the learner can move the border about.
"""
import itertools
import math
import multiprocessing
import os

import cv2
import numpy as np

import sources
from compose import transform, visible, warp
from detector import Detector, letterbox, overlap
from label import TEACHER, look
from texture import texture

WIDTH, HEIGHT = 640, 480  # of a camera's picture
INPUT, SCALE = 48, 1.3  # pixels of the network, and how many times the box it sees
CUT, ROOM = 112, 1.35  # pixels of a cut, and how many times what the network sees it holds
VIEWS = ((1.0, 0, 0), (0.95, 9, 5), (0.97, 3, 11), (0.985, 6, 2))  # as label.VIEWS
PLACES = {"replay-live": 6, "replay-attack": 2, "nuaa-live": 4, "nuaa-attack": 2, "faces": 4, "masks": 6, "clips": 4, "scenes": 4}  # showings of each picture
CANDIDATE = 0.3  # the face network's score from which something is looked at again
DOUBTFUL = 0.2  # the same in pictures that nobody is in
SMALLEST = 24  # pixels of a camera's picture across the smallest face
MAX_FALSE = 6  # of one picture


def place(rng, picture, face, first):
    """A 2x3 matrix that brings picture into a camera's."""
    h, w = picture.shape[:2]
    fit = min(WIDTH / w, HEIGHT / h)
    middle = face[:2] + face[2:4] / 2
    tall = face[3] * fit / HEIGHT
    if first and tall < 0.75:  # as it is
        return np.array([[fit, 0, 0], [0, fit, 0]])
    scale = fit * math.exp(rng.normal(-0.05, 0.2))
    if tall >= 0.75:  # a portrait fills its picture; nobody stands that near to a camera
        scale = fit * rng.uniform(0.25, 0.7) / tall
    scale = max(scale, 1.2 * SMALLEST / min(face[2:4]))
    turn = cv2.getRotationMatrix2D((0, 0), float(np.clip(rng.normal(0, 7), -25, 25)), scale)
    size = np.array([WIDTH, HEIGHT])
    reach = 0.5 * face[2:4] * scale * rng.choice([1.1, 0.7])
    where = [rng.uniform(r, n - r) if n > 2 * r else n / 2 for r, n in zip(reach, size)]
    turn[:, 2] = np.array(where) - turn[:, :2] @ middle
    return turn


def show(rng, picture, matrix, behind):
    """picture under matrix; around it what is behind."""
    soft = warp(np.ones(picture.shape[:2], np.float32), matrix, WIDTH, HEIGHT)[..., None]
    shown = warp(picture, matrix, WIDTH, HEIGHT)
    return (shown + behind * (1 - np.clip(soft, 0, 1))).clip(0, 255).astype(np.uint8)


def taught(teacher, picture):
    """What the teacher says of picture: boxes (n, 4) of faces, and boxes (m, 4) of what may be one."""
    first, *others = (look(teacher, picture, *v, TEACHER) for v in VIEWS)
    faces, unsure = [], [f[1:5] for view in others for f in view]
    for face in first:
        again = sum(len(view) > 0 and overlap(face[1:5], view[:, 1:5]).max() > 0.5 for view in others)
        (faces if face[0] >= TEACHER and again > 1 else unsure).append(face[1:5])
    return np.array(faces).reshape(-1, 4), np.array(unsure).reshape(-1, 4)


def cut(picture, box):
    """The square about box of which the network sees the middle, CUT pixels
    wide, and the matrix from the picture to it."""
    side = max(box[2:4]) * SCALE * ROOM
    scale = CUT / side
    corner = box[:2] + box[2:4] / 2 - side / 2
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    if scale < 0.9:  # averaged, as the daemon shrinks it
        picture = cv2.blur(picture, (2 * round(0.4 / scale) + 1,) * 2)
    return cv2.warpAffine(picture, matrix, (CUT, CUT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), matrix


class Maker:
    """Makes samples of pictures: (cut, whether it is a face, score of the face
    network, its box in the cut's pixels)."""

    def __init__(self, face, reference):
        self.own = Detector(face)
        self.teacher = Detector(os.path.join(reference, "yunet_n_320_320.onnx"))

    def of(self, picture):
        faces, unsure = taught(self.teacher, picture)
        own = self.own.detect(picture, CANDIDATE)
        for face in faces:
            if min(face[2:4]) < SMALLEST or visible(face, WIDTH, HEIGHT) < 0.6:
                continue
            box, score = face, 0.0
            if len(own):
                match = overlap(face, own[:, 1:5])
                if match.max() > 0.4:
                    score, box = own[match.argmax()][0], own[match.argmax()][1:5]
            yield sample(picture, box, True, score)
        known = np.concatenate([faces, unsure])
        false = [f for f in own if not len(known) or overlap(f[1:5], known).max() < 0.1]
        for f in false[:MAX_FALSE]:
            yield sample(picture, f[1:5], False, f[0])


def sample(picture, box, face, score):
    pixels, matrix = cut(picture, box)
    return pixels, face, score, transform(box[None], matrix)[0]


def of_person(maker, rng, source, picture, backgrounds):
    """Samples of one picture with people."""
    for mirrored in (False, True):
        seen = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
        faces = maker.teacher.detect(seen, TEACHER)
        if not len(faces):
            faces = maker.own.detect(seen, 0.5)
        if not len(faces):
            continue
        largest = faces[np.argmax(faces[:, 3] * faces[:, 4])][1:]
        for n in range(-(-PLACES[source] // 2)):
            matrix = place(rng, seen, largest, n == 0)
            yield from maker.of(show(rng, seen, matrix, backgrounds(rng)))


def of_nobody(maker, picture):
    """Samples of one picture without faces, as it is, mirrored and in parts."""
    h, w = picture.shape[:2]
    parts = [picture, *(picture[y:y + h // 2, x:x + w // 2] for y, x in itertools.product((0, h // 4, h // 2), (0, w // 4, w // 2)))]
    for part in parts:
        for seen in (part, part[:, ::-1]):
            seen = np.ascontiguousarray(seen)
            size = letterbox(seen, WIDTH, HEIGHT)[0].shape[:2]
            shown = cv2.resize(seen, size[::-1], interpolation=cv2.INTER_AREA)
            own = maker.own.detect(shown, DOUBTFUL)[:MAX_FALSE]
            for f in own:
                yield sample(shown, f[1:5], False, f[0])


def worker(args, part, parts, queue):
    cv2.setNumThreads(1)
    maker = Maker(args.face, args.reference)
    empty = [p for _, _, held, p in sources.faceless(args.faceless) if not held]

    def backgrounds(rng):
        if rng.random() < 0.4:
            return texture(rng, WIDTH, HEIGHT)
        picture = empty[rng.integers(len(empty))]
        return cv2.resize(picture, (WIDTH, HEIGHT))

    def share(stream):
        return itertools.islice(stream, part * args.every, None, parts * args.every)

    for source, name, held, picture in share(itertools.chain(sources.people(args.data), sources.scenes(args.scenes))):
        if held and not args.everything:
            continue
        rng = np.random.default_rng([args.seed, *name.encode()])
        for s in of_person(maker, rng, source, picture, backgrounds):
            queue.put((source, *s))
    for picture in share(empty):
        for s in of_nobody(maker, picture):
            queue.put(("faceless", *s))
    rng = np.random.default_rng([args.seed, part, 3])
    for _ in range(1500 // parts // args.every):
        for s in of_nobody(maker, texture(rng, 320, 240)):
            queue.put(("texture", *s))
    queue.put(None)


def make(args, log):
    """All samples: cuts (n, CUT, CUT, 3), whether it is a face (n), scores (n), boxes
    (n, 4), sources (n). Two processes make them."""
    context = multiprocessing.get_context("fork")
    queue, parts = context.Queue(200), 2
    makers = [context.Process(target=worker, args=(args, i, parts, queue), daemon=True) for i in range(parts)]
    for m in makers:
        m.start()
    rows, running = [], parts
    while running:
        row = queue.get()
        if row is None:
            running -= 1
            continue
        rows.append(row)
        if len(rows) % 5000 == 0:
            log(f"{len(rows)} samples")
    for m in makers:
        m.join()
    source, pixels, face, scores, boxes = zip(*rows)
    order = sorted(range(len(rows)), key=lambda i: pixels[i].tobytes())  # not as the processes came in turn
    return {"pixels": np.stack(pixels)[order], "face": np.array(face)[order], "scores": np.array(scores, np.float32)[order],
            "boxes": np.stack(boxes).astype(np.float32)[order], "source": np.array(source)[order]}
