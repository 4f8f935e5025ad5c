#!/bin/sh
# Measures what Archipel promises to be fast at and prints Markdown tables. Exits with 1 when a promise is not kept.
#
#   scripts/bench/run.sh                    # clusters at 100,000 and 1,000,000 points against npm supercluster
#   SIZES=100000 scripts/bench/run.sh       # only these sizes
#   SIZES= scripts/bench/run.sh             # only the federation, and the server: pages, tiles and writes with 100,000 entries
#
# Needs Go, and Node with npm, which installs supercluster into a temporary folder.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

(cd ../.. && go build -o "$tmp/bench" ./scripts/bench)
cp supercluster.mjs "$tmp/"
sizes=${SIZES-100000 1000000}
[ -z "$sizes" ] || (cd "$tmp" && npm init -y >/dev/null 2>&1 && npm install --silent --no-audit --no-fund supercluster@9.1.0 vt-pbf@3.1.3 >/dev/null 2>&1)

failed=0
for n in $sizes; do
	"$tmp/bench" points "$n" "$tmp/points.tsv" "$tmp/tiles.tsv"
	"$tmp/bench" index "$tmp/points.tsv" "$tmp/tiles.tsv" >"$tmp/ours.json"
	(cd ../.. && BENCH_POINTS="$tmp/points.tsv" BENCH_OUT="$tmp/ours-bare.json" go test ./geo -count=1 -run '^TestFigures$' >/dev/null)
	for what in full bare spaced; do
		(cd "$tmp" && node --expose-gc --max-old-space-size=8192 supercluster.mjs points.tsv tiles.tsv $what) >"$tmp/theirs-$what.json"
	done
	"$tmp/bench" table "$n" "$tmp" || failed=1
done
(cd ../.. && "$tmp/bench" federation) || failed=1
(cd ../.. && go build -o "$tmp/archipel" .)
"$tmp/bench" points 100000 "$tmp/points.tsv" "$tmp/tiles.tsv"
"$tmp/bench" server "$tmp/archipel" "$tmp/points.tsv" "$tmp/tiles.tsv" || failed=1
exit $failed
