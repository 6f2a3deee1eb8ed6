#!/bin/sh
# Prints the package's version: of the last tag vX.Y.Z and the commits since,
# or, without a tag, of the commit's time. Later commits compare higher.
set -eu
cd "$(dirname "$0")/.."
dirty=$(git status --porcelain --untracked-files=no | head -1)
if tag=$(git describe --tags --long --match 'v[0-9]*' 2>/dev/null); then
	tag=${tag#v}
	commit=${tag##*-g}; tag=${tag%-g*}
	since=${tag##*-}; version=${tag%-*}
	[ "$since" = 0 ] || version="$version+$since.g$commit"
else
	version=0.0~$(TZ=UTC git log -1 --date=format-local:%Y%m%d.%H%M%S --format=%cd.g%h --abbrev=7)
fi
echo "$version${dirty:++dirty}"
