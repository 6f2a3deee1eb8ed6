#!/usr/bin/env bash
# One command from the data to the weights of one network: see README.md.
#   train.sh attributes|face|confirm|texture SHARED      SHARED holds data/ and reference-models/
# QUICK=1 takes a hundredth of the steps of face, confirm and texture, with a folder WORK of its own: it shows that
# everything is there and fits together, and leaves networks that are good for nothing.
# All write over the weights of this checkout.
set -euo pipefail
cd "$(dirname "$0")"
network=${1:?attributes, face, confirm or texture} shared=$(realpath "${2:?the folder that holds data and reference-models}")
data=$shared/data reference=$shared/reference-models
work=${WORK:-/tmp/livenessd-train}
out=$(realpath ../weights)
quick=${QUICK:+1}
steps() { echo $((quick ? ($1 + 99) / 100 : $1)); }
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
mkdir -p "$work"

scenes() { # name, scenes, seeds, first seed: pictures of the simulated presenter
	[ -e "$work/$1/done" ] || { (cd ../.. && go run ./cmd/scenes -out "$work/$1" -scenes "$2" -seeds "$((quick ? ($3 + 9) / 10 : $3))" -first "$4" -frames 6) && touch "$work/$1/done"; }
}

faceless() { # pictures that nobody is in
	[ -d "$work/faceless" ] || python3 face/faceless.py "$work/faceless"
}

seen_by_face() { # what face and confirm learn from; seeds from 5000 on are kept apart (face/sources.py)
	scenes scenes-face person,person-limited,print,tablet,two-people,nobody,too-far,too-near 36 4976
	faceless
}

case $network in
attributes)
	scenes scenes-attributes person 60 1000
	python3 attributes/make.py --data "$data" --detector "$reference/yunet_n_320_320.onnx" --scenes "$work/scenes-attributes" \
		--work "$work/attributes" --out "$out/attributes.onnx"
	python3 digests.py ../set.json:../weights
	;;
face)
	seen_by_face
	python3 face/train.py --data "$data" --reference "$reference" --faceless "$work/faceless" --scenes "$work/scenes-face" \
		--steps "$(steps 10000)" --work "$work/face" --out "$out/face.onnx"
	python3 digests.py ../set.json:../weights
	;;
confirm)
	seen_by_face
	python3 confirm/make.py --data "$data" --reference "$reference" --faceless "$work/faceless" --scenes "$work/scenes-face" \
		--face "$out/face.onnx" --steps "$(steps 8000)" ${quick:+--every 20} --work "$work/confirm" --out "$out/confirm.onnx"
	python3 digests.py ../set.json:../weights
	;;
texture)
	scenes scenes-texture person,person-limited,print,tablet 130 1000
	faceless
	cd texture
	python3 prepare.py --data "$data" --reference "$reference" --scenes "$work/scenes-texture" --faceless "$work/faceless" ${quick:+--size 0.05} --out "$work/samples"
	train() { # name, steps, and what else train.py is told
		[ -e "$work/$1.done" ] || { python3 train.py --samples "$work/samples" --reference "$reference" --out "$work/$1.pt" --steps "$(steps "$2")" "${@:3}" && touch "$work/$1.done"; }
	}
	train base 3200 --without replay --without nuaa
	train without-replay 2800 --without replay --start "$work/base.pt.last" --rate 0.0018 --settle
	train without-nuaa 800 --without nuaa --start "$work/base.pt.last" --rate 0.0018 --settle
	train held 4000 --labels --hold 0 --start "$work/without-replay.pt.last" --rate 0.0012 --settle
	train texture 500 --labels --start "$work/held.pt.last" --rate 0.0006 --settle
	mkdir -p "$work/held-set" && cp ../../set.json "$work/held-set/"
	python3 export.py --weights "$work/held.pt" --out "$work/held-set/texture.onnx"
	python3 export.py --weights "$work/without-replay.pt" --out ../without-replay/texture.onnx
	python3 export.py --weights "$work/without-nuaa.pt" --out ../without-nuaa/texture.onnx
	python3 export.py --weights "$work/texture.pt" --out "$out/texture.onnx"
	python3 ../digests.py ../../set.json:../../weights ../without-replay/set.json ../without-nuaa/set.json "$work/held-set/set.json"
	platt() { python3 platt.py --data "$data" --set "$@"; }
	platt ../../set.json --networks "$work/held-set/set.json" --scenes "$work/scenes-texture" --hold 0 # the bias of the people kept out serves the network of all
	platt ../without-replay/set.json --without replay --simulated
	platt ../without-nuaa/set.json --without nuaa --simulated
	cd ..
	python3 savedmodel.py
	;;
*)
	echo "train.sh: there is no network $network; attributes, face, confirm and texture are there" >&2
	exit 2
	;;
esac
