#!/bin/sh
# Installs Fedify, and a Node that it needs, into a cache folder, and prints that folder. About 270 MB, once.
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/archipel/fedify
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$cache"
if ! cmp -s "$here/package.json" "$cache/package.json" || [ ! -e "$cache/installed" ]; then
	rm -f "$cache/installed"
	cp "$here/package.json" "$cache/package.json"
	(cd "$cache" && npm install --no-audit --no-fund --loglevel=error >&2)
	touch "$cache/installed"
fi
echo "$cache"
