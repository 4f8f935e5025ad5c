#!/bin/bash
# Installs a real Nominatim, imports Andorra and serves it on loopback; prints its URL, and nothing else, on
# standard output:
#
#	export TEST_NOMINATIM_URL=$(scripts/nominatim/start.sh)
#	go test ./geo/geocode
#	scripts/nominatim/stop.sh
#
# For Debian 12, as root, with go; PostgreSQL, PostGIS and osm2pgsql come from Debian, Nominatim from PyPI. Running
# it again does only what is missing. Everything it makes is under NOMINATIM_DIR: a database cluster of its own, which
# listens on a socket there and nowhere else, so no other PostgreSQL of the machine is touched.
#
#	NOMINATIM_DIR    default /var/cache/archipel-nominatim; the user postgres must be able to enter it
#	NOMINATIM_PORT   default 8088
#	OSM_FILE         another extract to import (.osm.pbf, .osm.bz2); remove NOMINATIM_DIR to change it
#
# The data is © OpenStreetMap contributors, ODbL 1.0.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${NOMINATIM_DIR:-/var/cache/archipel-nominatim}
port=${NOMINATIM_PORT:-8088}
url=http://127.0.0.1:$port
log=$dir/log

say() { echo "nominatim: $*" >&2; }
fail() {
	[ -s "$log" ] && tail -n 25 "$log" >&2
	say "$*"
	"$here/stop.sh"
	exit 1
}
# step NAME SECONDS COMMAND...: its output goes to the log, and it ends by itself.
step() {
	local name=$1 limit=$2
	shift 2
	say "$name"
	timeout --kill-after=10 "$limit" "$@" >>"$log" 2>&1 || fail "$name: failed (log: $log)"
}
serving() { curl --silent --fail --max-time 3 "$url/status?format=json" 2>/dev/null | grep -q '"status": *0'; }

[ "$(id -u)" = 0 ] || { say "run as root: it installs Debian packages"; exit 1; }
command -v go >/dev/null || { say "go is needed, to fetch the extract"; exit 1; }
mkdir -p "$dir"
chmod 755 "$dir"
if command -v curl >/dev/null && serving && [ -f "$dir/server.pid" ]; then
	say "already running"
	echo "$url"
	exit 0
fi
[ ! -f "$dir/server.pid" ] || "$here/stop.sh" # one that is broken, or on another port
: >"$log"

# Packages.
packages="postgresql postgresql-15-postgis-3 postgresql-15-postgis-3-scripts osm2pgsql libicu-dev pkg-config g++ python3-venv python3-dev curl bzip2"
missing=
for p in $packages; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
if [ -n "$missing" ]; then
	step "package lists" 300 apt-get update
	# shellcheck disable=SC2086
	step "installing$missing" 900 env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi
pgbin=$(ls -d /usr/lib/postgresql/15/bin) || fail "PostgreSQL 15 is not there"

# Nominatim, in an environment of its own.
venv=$dir/venv
if [ ! -f "$venv/done-5.3.3" ]; then
	rm -rf "$venv"
	step "Python environment" 300 /usr/bin/python3 -m venv "$venv"
	step "Nominatim from PyPI" 900 "$venv/bin/pip" install --disable-pip-version-check \
		nominatim-db==5.3.3 nominatim-api==5.3.3 falcon==4.4.0 uvicorn==0.54.0
	touch "$venv/done-5.3.3"
fi

# A database cluster of its own. PostgreSQL refuses to run as root.
pg=$dir/postgres
as_postgres() { runuser -u postgres -- "$@"; }
reachable() { as_postgres test -x "$dir"; }
reachable || fail "the user postgres cannot enter $dir: set NOMINATIM_DIR to another folder"
if [ ! -f "$pg/done" ]; then
	rm -rf "$pg"
	install -d -o postgres -g postgres -m 700 "$pg"
	step "database cluster" 300 runuser -u postgres -- "$pgbin/initdb" -D "$pg/data" --auth=trust --encoding=UTF8 --locale=C.UTF-8
	cat >>"$pg/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$pg'
		fsync = off
		synchronous_commit = off
		full_page_writes = off
		shared_buffers = 256MB
		max_wal_size = 1GB
	CONF
	touch "$pg/done"
fi
if ! as_postgres "$pgbin/pg_ctl" -D "$pg/data" status >/dev/null 2>&1; then
	step "starting the database" 200 runuser -u postgres -- "$pgbin/pg_ctl" -D "$pg/data" -l "$pg/server.log" -w -t 180 start
fi
sql() { PGOPTIONS="-c client_min_messages=warning" psql -h "$pg" -U postgres -d postgres -v ON_ERROR_STOP=1 -qAt -c "$1"; }
[ -n "$(sql "SELECT 1 FROM pg_roles WHERE rolname = 'www-data'")" ] || sql 'CREATE ROLE "www-data" LOGIN'

# The extract, and the import.
export NOMINATIM_DATABASE_DSN="pgsql:host=$pg;user=postgres;dbname=nominatim"
export NOMINATIM_TOKENIZER=icu PGHOST=$pg PGUSER=postgres
project=$dir/project
mkdir -p "$project"
if [ ! -f "$project/done" ]; then
	osm=${OSM_FILE:-}
	if [ -z "$osm" ]; then
		say "extract of Andorra"
		module=$(cd "$here" && GOWORK=off GOFLAGS=-mod=mod go mod download -json github.com/paulmach/osm 2>>"$log") || fail "extract of Andorra: the Go module cannot be had"
		osm=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$module")/testdata/andorra-latest.osm.bz2
	fi
	[ -f "$osm" ] || fail "no extract: $osm"
	sql 'DROP DATABASE IF EXISTS nominatim'
	step "importing $(basename "$osm")" 1200 "$venv/bin/nominatim" import --project-dir "$project" --offline --no-partitions \
		--osm-file "$osm" --threads 2
	touch "$project/done"
fi

# Serve.
say "starting the server"
nohup setsid "$venv/bin/nominatim" serve --project-dir "$project" --server "127.0.0.1:$port" </dev/null >>"$dir/server.log" 2>&1 &
echo $! >"$dir/server.pid"
for _ in $(seq 360); do
	if serving; then
		say "serving $(basename "${OSM_FILE:-Andorra}")"
		echo "$url"
		exit 0
	fi
	kill -0 "$(cat "$dir/server.pid")" 2>/dev/null || break
	sleep 0.5
done
tail -n 25 "$dir/server.log" >"$log"
fail "the server does not answer at $url"
