"""Holds the face network against its teacher on pictures kept apart.

    python3 models/train/face/evaluate.py --data ../shared/data \\
        --reference ../shared/reference-models --faceless DIR --scenes DIR \\
        --model models/weights/face.onnx --threshold 0.5

Prints for each source: pictures in which the teacher (score >= 0.7) sees a face;
the share of them in which the network sees the largest one too; how far apart
the landmarks are, in distances between the eyes; how far apart the teacher's own
are when the picture is shown a little smaller and shifted; faces of which the
teacher has no idea. Then false faces in faceless pictures, and what
other thresholds would give.
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections import defaultdict

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import common
import sources
from confirmed import Confirmed
from detector import Detector, overlap
from label import HINT, TEACHER, VIEWS, look
from texture import texture

SAME = 0.4  # intersection over union from which a face is the teacher's
LOWEST = 0.2  # threshold from which on others are tried
TEXTURES = 300


def largest(faces):
    return faces[np.argmax(faces[:, 3] * faces[:, 4])]


def apart(a, b):
    """Mean distance of two faces' landmarks, in b's distance between the eyes."""
    points, wanted = a[5:].reshape(5, 2), b[5:].reshape(5, 2)
    return np.linalg.norm(points - wanted, axis=1).mean() / max(np.linalg.norm(wanted[0] - wanted[1]), 1)


def compare(own, again, sure, hints):
    """One picture: the score with which the teacher's largest face was found
    (0: not), its landmarks' distance, that of the teacher's when it looks again,
    and scores of faces without a hint."""
    score, distance, itself = None, None, None
    if len(sure):
        wanted, score = largest(sure), 0.0
        same, twin = (f[overlap(wanted[1:5], f[:, 1:5]) > SAME] for f in (own, again))
        if len(same):
            score, distance = same[0][0], apart(same[0], wanted)
        if len(twin):
            itself = apart(twin[0], wanted)
    alone = [f[0] for f in own if not len(hints) or overlap(f[1:5], hints[:, 1:5]).max() < 0.2]
    return score, distance, itself, alone


def people(args, own, teacher):
    rows = defaultdict(list)
    streams = [sources.people(args.data, True)] + ([sources.scenes(args.scenes, True)] if args.scenes else [])
    for source, name, _, picture in itertools.chain(*streams):
        hints = teacher.detect(picture, HINT, TEACHER)
        found = own.detect(picture, LOWEST, args.threshold)
        again = look(teacher, picture, *VIEWS[1], TEACHER)
        row = compare(found, again, hints[hints[:, 0] >= TEACHER], hints)
        rows[source].append(row)
        if args.missed and row[0] is not None and row[0] < args.threshold:
            print(f"missed {row[0]:.2f} {name}")
    return rows


def faceless(args, own, teacher):
    """Scores of false faces, the network's and the teacher's, and how many
    pictures there were."""
    def pictures():
        for _, _, _, picture in sources.faceless(args.faceless, True):
            h, w = picture.shape[:2]
            yield picture
            for y, x in itertools.product((0, h // 2), (0, w // 2)):  # and its quarters
                yield np.ascontiguousarray(picture[y : y + h // 2, x : x + w // 2])
        rng = np.random.default_rng(77)
        for _ in range(TEXTURES):
            yield texture(rng, 320, 240)

    mine, theirs, count = [], [], 0
    for picture in pictures():
        count += 1
        mine += list(own.detect(picture, LOWEST)[:, 0])
        theirs += list(teacher.detect(picture, LOWEST)[:, 0])
    return np.array(mine), np.array(theirs), count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "reference", "faceless", "model"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--scenes", type=pathlib.Path)
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--confirm", type=pathlib.Path, help="network that confirms the faces, fed as set.json says; the threshold is that of both")
    parser.add_argument("--missed", action="store_true", help="name the pictures whose face is missed")
    args = parser.parse_args()
    own, teacher = Detector(args.model), Detector(args.reference / "yunet_n_320_320.onnx")
    if args.confirm:
        with open(common.OWN) as f:
            known = json.load(f)
        own = Confirmed(own, known["face"]["threshold"], args.confirm, known["confirm"])
    rows = people(args, own, teacher)
    mine, theirs, count = faceless(args, own, teacher)
    print("| source | pictures | teacher's faces | found | landmarks apart: mean | 9 of 10 below | teacher from itself | alone |")
    print("|---|---|---|---|---|---|---|---|")
    everything = [r for group in rows.values() for r in group]
    for source, group in [*rows.items(), ("all", everything)]:
        scores = np.array([s for s, _, _, _ in group if s is not None])
        apart_by = np.array([d for s, d, _, _ in group if d is not None and s >= args.threshold])
        itself = np.array([i for _, _, i, _ in group if i is not None])
        alone = sum(s >= args.threshold for _, _, _, lonely in group for s in lonely)
        print(f"| {source} | {len(group)} | {len(scores)} | {np.mean(scores >= args.threshold):.2%} |"
              f" {apart_by.mean():.2%} | {np.quantile(apart_by, 0.9):.2%} | {itself.mean():.2%} | {alone} |")
    print(f"\n{count} faceless pictures: teacher {np.sum(theirs >= TEACHER)} false faces at {TEACHER}")
    scores = np.array([s for s, _, _, _ in everything if s is not None])
    for threshold in np.arange(0.25, 0.9, 0.05):
        print(f"threshold {threshold:.2f}: found {np.mean(scores >= threshold):.2%},"
              f" {np.sum(mine >= threshold)} false faces")


if __name__ == "__main__":
    main()
