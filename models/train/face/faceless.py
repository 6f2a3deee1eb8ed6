"""Gathers pictures without faces from Debian 12's packages, to be read while
training and measuring; none of them enters the repository.

    python3 models/train/face/faceless.py DIR

Desktop backgrounds (GPL, CC-BY-SA and others, see each package's copyright
file), and Tux Paint's photographs of animals, plants and things (GPL and public
domain).
"""

import pathlib
import subprocess
import sys
import tempfile

from sources import PICTURES

PACKAGES = ("mate-backgrounds", "gnome-backgrounds", "ukui-wallpapers", "plasma-workspace-wallpapers",
            "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "tuxpaint-stamps-default")
# Where people are drawn or stand about; and previews of what is there in full.
LEFT_OUT = ("/people/", "/seasonal/", "cartoon", "/hobbies/", "/military/", "screenshot", "tux_", "totem", "statue",
            "/medical/", "/doc/")
SMALLEST_FILE = 20_000  # bytes


def wanted(root):
    """The pictures under root; of those that differ in size only, the largest file."""
    best = {}
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in PICTURES and not p.is_symlink()):
        name = str(path.relative_to(root))
        if path.stat().st_size < SMALLEST_FILE or any(part in name for part in LEFT_OUT):
            continue
        parts = path.relative_to(root).parts
        sized = "contents" in parts  # Plasma: wallpapers/NAME/contents/images/WIDTHxHEIGHT.EXT
        key = parts[parts.index("contents") - 1] if sized else name
        if key not in best or path.stat().st_size > best[key].stat().st_size:
            best[key] = path
    return best


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=work, check=True)
        root = pathlib.Path(work) / "files"
        for package in sorted(pathlib.Path(work).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        for key, path in wanted(root).items():
            name = key.removeprefix("usr/share/").replace("/", "_").removesuffix(path.suffix)
            (out / (name + path.suffix.lower())).write_bytes(path.read_bytes())
    print(len(list(out.iterdir())), "pictures in", out)


if __name__ == "__main__":
    main()
