#!/bin/bash
# Builds the package into bin/ and prints its path. The same commit gives the
# same bytes: times are the commit's, paths are cut off.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
VERSION=${DEB_VERSION:-$(packaging/version.sh)}
ARCH=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
umask 022
mkdir -p bin tmp
STAGE=$(mktemp -d -p tmp deb.XXXXXX)
trap 'rm -rf "$STAGE"' EXIT

"$GO" build -trimpath -buildvcs=false -buildmode=pie -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$STAGE/livenessd" ./cmd/livenessd

# dpkg-shlibdeps wants to stand in a source package.
mkdir -p "$STAGE/shlibs/debian"
touch "$STAGE/shlibs/debian/control"
DEPENDS=$(cd "$STAGE/shlibs" && dpkg-shlibdeps -O ../livenessd 2>/dev/null)
DEPENDS=${DEPENDS#shlibs:Depends=}

"$STAGE/livenessd" man | gzip -9n >"$STAGE/livenessd.8.gz"
"$STAGE/livenessd" completion >"$STAGE/completion"
"$GO" run ./packaging/licences ./cmd/livenessd >"$STAGE/copyright"
{
	echo "livenessd ($VERSION) stable; urgency=medium"
	echo
	git log -20 --format='%w(78,2,4)* %s'
	echo
	echo " -- livenessd maintainers <livenessd@localhost>  $(date -uR -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$STAGE/changelog.gz"

export VERSION ARCH SOURCE_DATE_EPOCH STAGE DEPENDS
deb=bin/livenessd_${VERSION}_$ARCH.deb
"$GO" tool -modfile=packaging/tools/go.mod nfpm package -f packaging/nfpm.yaml -p deb -t "$deb" >"$STAGE/said" 2>&1 || { cat "$STAGE/said" >&2; exit 1; }
ln -sfn "${deb#bin/}" bin/livenessd.deb
echo "$deb"
