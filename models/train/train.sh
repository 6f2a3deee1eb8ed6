#!/usr/bin/env bash
# One command from the data to the weights of one network: see README.md.
#   train.sh attributes|face|texture SHARED      SHARED holds data/ and reference-models/
set -euo pipefail
cd "$(dirname "$0")"
network=${1:?attributes, face or texture} shared=$(realpath "${2:?the folder that holds data and reference-models}")
data=$shared/data reference=$shared/reference-models
work=${WORK:-/tmp/livenessd-train}
out=$(realpath ../weights)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
mkdir -p "$work"

scenes() { # name, scenes, seeds, first seed: pictures of the simulated presenter
	[ -e "$work/$1/done" ] || { (cd ../.. && go run ./cmd/scenes -out "$work/$1" -scenes "$2" -seeds "$3" -first "$4" -frames 6) && touch "$work/$1/done"; }
}

case $network in
attributes)
	scenes scenes-attributes person 60 1000
	python3 attributes/make.py --data "$data" --detector "$reference/yunet_n_320_320.onnx" --scenes "$work/scenes-attributes" \
		--work "$work/attributes" --out "$out/attributes.onnx"
	python3 digests.py ../set.json:../weights
	;;
face)
	scenes scenes-face person,person-limited,print,tablet,two-people,nobody,too-far,too-near 12 5000
	[ -d "$work/faceless" ] || python3 face/faceless.py "$work/faceless"
	python3 face/train.py --data "$data" --reference "$reference" --faceless "$work/faceless" --scenes "$work/scenes-face" \
		--work "$work/face" --out "$work/face.onnx"
	;;
texture)
	scenes scenes-texture person,person-limited,print,tablet 75 1000
	cd texture
	common=(--data "$data" --reference "$reference" --scenes "$work/scenes-texture")
	python3 prepare.py "${common[@]}" --wide --out "$work/wide"
	python3 prepare.py "${common[@]}" --out "$work/samples"
	[ -e "$work/views.1.pt" ] || python3 distil.py --samples "$work/wide" --reference "$reference" --out "$work/views.pt"
	for without in replay nuaa none; do
		python3 train.py --samples "$work/samples" --reference "$reference" --views "$work/views.pt" --out "$work/texture-without-$without.onnx" \
			$([ $without = none ] || echo --without $without)
	done
	;;
*)
	echo "train.sh: there is no network $network; attributes, face and texture are there" >&2
	exit 2
	;;
esac
