#!/usr/bin/env python3
"""Write into each set.json given the SHA-256 of the files it names.

    digests.py models/set.json[:models/weights] ...

The folder is that of the files; without one it is the set's own.
"""
import hashlib
import json
import os
import sys


def main():
    for arg in sys.argv[1:]:
        path, _, folder = arg.partition(":")
        with open(path) as f:
            text = f.read()
        d = json.loads(text)
        specs = [d[k] for k in ("face", "confirm", "attributes") if k in d] + d.get("texture", [])
        for s in specs:
            file = os.path.join(folder or os.path.dirname(path), s["file"])
            if not os.path.exists(file):
                print(f"{path}: {s['file']} is not there and stays as it is")
                continue
            with open(file, "rb") as f:
                digest = hashlib.sha256(f.read()).hexdigest()
            if digest != s["sha256"]:
                text = text.replace(s["sha256"], digest)  # also where the fusion says what it was fitted for
                print(f"{path}: {s['file']} is now {digest}")
        with open(path, "w") as f:
            f.write(text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
