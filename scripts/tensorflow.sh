#!/usr/bin/env bash
# Fetches TensorFlow's C library for builds with `-tags tensorflow`, unless it
# is there, and prints the folder that it lies in.
#
#   CGO_LDFLAGS="-O2 -g -L$dir -Wl,-rpath,$dir" go build -tags tensorflow …   with dir=$(scripts/tensorflow.sh)
#
# It is taken out of the tensorflow-cpu wheel, about 180 MB to fetch and 560 MB
# to keep; Python is not needed. 2.13.1 is the smallest wheel that has the C
# library in a file of its own. Any tag of Python will do. The headers come with
# the Go module.
set -euo pipefail

version=2.13.1
wheel=https://files.pythonhosted.org/packages/0c/3c/32bc54ef08d2e22ad3852f5018b6c9f5b95368d739b591b514f47a8caee5/tensorflow_cpu-$version-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
sha256=bfedeee206ccf8130d14d8990dbe991946324df92458ee1bdbeed1c21497beb3

cache=${XDG_CACHE_HOME:-$HOME/.cache}/livenessd
dir=$cache/tensorflow-$version/lib

fail() {
	echo "scripts/tensorflow.sh: $*" >&2
	exit 1
}

# The folder is renamed into place when it is whole, so what is there is whole.
if [ -d "$dir" ]; then
	echo "$dir"
	exit
fi

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "there is a library for Linux on x86-64 only, this is $(uname -s) on $(uname -m)"
for tool in curl unzip sha256sum ar; do
	command -v $tool >/dev/null || fail "$tool is missing: apt-get install curl unzip coreutils binutils"
done
mkdir -p "$cache" || fail "the folder $cache cannot be made: set XDG_CACHE_HOME to one that can"
free=$(df --output=avail -k "$cache" | tail -1)
[ "$free" -gt 1000000 ] || fail "$cache has $((free / 1000)) MB left, 1000 are needed for a while: make room, or set XDG_CACHE_HOME"

find "$cache" -maxdepth 1 -name 'new.*' -mmin +60 -exec rm -rf {} + # of one that was killed
new=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
echo "Fetching TensorFlow $version (180 MB) into $cache" >&2
curl -fsSL --retry 3 --connect-timeout 30 -o "$new/wheel" "$wheel" || fail "it could not be fetched from $wheel: is there a network?"
echo "$sha256  $new/wheel" | sha256sum --check --status || fail "what came from $wheel is not the file that is meant (SHA-256 $sha256): try again"
mkdir -p "$new/tensorflow/lib"
unzip -q -j "$new/wheel" 'tensorflow/libtensorflow_*.so.2' -d "$new/tensorflow/lib" || fail "the wheel could not be unpacked into $new"
unzip -q -j "$new/wheel" '*.dist-info/LICENSE' -d "$new/tensorflow" || fail "the wheel has no licence"
# What -ltensorflow finds. It is empty: the functions are found in the library
# when they are first needed, see pipeline/tensorflow_load.c.
ar rc "$new/tensorflow/lib/libtensorflow.a"
mv -T "$new/tensorflow" "$(dirname "$dir")" 2>/dev/null || [ -d "$dir" ] || fail "$(dirname "$dir") is in the way: remove it"
echo "$dir"
