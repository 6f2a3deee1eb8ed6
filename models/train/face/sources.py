"""Where the pictures come from, and which are kept apart to measure with.

Kept apart: the last four clients of Replay-Attack, the last two people of NUAA,
one clip, some simulated persons, and by their names a tenth of the single pictures
and a quarter of the faceless ones.
"""

import hashlib
import pathlib
import re

import cv2

CLIP_STEP = 4  # every fourth frame of a clip
SCENE_STEP = 3  # and every third picture of a simulated person
LONGEST = 640  # pictures are kept no larger than this
HELD_SEED = 5000  # of simulated persons
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def among(path, percent):
    """Whether path's name falls into that share of all names."""
    digest = hashlib.sha256(path.name.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < percent


def shrink(picture):
    """picture, no larger than LONGEST."""
    scale = LONGEST / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(round(n * scale), 1) for n in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def read(path):
    """The picture at path in BGR, transparency on white, or None."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or min(picture.shape[:2]) < 16:
        return None
    if picture.dtype != "uint8":
        picture = (picture / 257).astype("uint8")
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:] / 255.0
        return (picture[..., :3] * alpha + 255 * (1 - alpha)).astype("uint8")
    return picture


def people(data, only_held=False):
    """Yields (source, name, held out, picture) of all pictures with people, or
    of those kept apart."""
    data = pathlib.Path(data)
    videos = sorted((data / "replay-train").glob("*"))
    clients = sorted({re.search(r"client\d+", v.name)[0] for v in videos})
    for video in videos:
        held = re.search(r"client\d+", video.name)[0] in clients[-4:]
        if only_held and not held:
            continue
        source = "replay-live" if "__real__" in video.name else "replay-attack"
        for path in sorted(video.iterdir()):
            yield source, str(path.relative_to(data)), held, read(path)
    for kind in ("Client", "Imposter"):
        persons = sorted((data / "nuaa-train" / kind).glob("*"))
        for path in sorted((data / "nuaa-train" / kind).rglob("*.jpg")):
            held = path.parent in persons[-2:]
            if only_held and not held:
                continue
            source = "nuaa-live" if kind == "Client" else "nuaa-attack"
            yield source, str(path.relative_to(data)), held, read(path)
    for folder in ("faces", "masks"):
        for path in sorted(p for p in (data / folder).rglob("*") if p.suffix.lower() in PICTURES):
            held = among(path, 10)
            picture = read(path) if held or not only_held else None
            if picture is not None:
                yield folder, str(path.relative_to(data)), held, shrink(picture)
    clips = sorted((data / "clips").glob("*.mp4"))
    for path in clips:
        if only_held and path != clips[-1]:
            continue
        for i, frame in enumerate(frames(path)):
            if i % CLIP_STEP == 0:
                yield "clips", f"{path.relative_to(data)}#{i}", path == clips[-1], shrink(frame)


def frames(path):
    """Yields the frames of a film."""
    film = cv2.VideoCapture(str(path))
    while True:
        good, frame = film.read()
        if not good:
            return
        yield frame


def scenes(folder, only_held=False):
    """The same of what cmd/scenes wrote; seeds from HELD_SEED on are kept apart."""
    folder = pathlib.Path(folder)
    for path in sorted(folder.rglob("*.jpg"))[::SCENE_STEP]:
        held = int(path.parent.name) >= HELD_SEED
        if held or not only_held:
            yield "scenes", str(path.relative_to(folder)), held, read(path)


def faceless(folder, only_held=False):
    """The same of pictures without faces."""
    folder = pathlib.Path(folder)
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES):
        held = among(path, 25)
        picture = read(path) if held or not only_held else None
        if picture is not None:
            yield "faceless", str(path.relative_to(folder)), held, shrink(picture)
