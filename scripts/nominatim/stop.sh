#!/bin/bash
# Stops what start.sh started: the server and its database. The data stays in NOMINATIM_DIR for the next start.
set -euo pipefail
dir=${NOMINATIM_DIR:-/var/cache/archipel-nominatim}
if [ -f "$dir/server.pid" ]; then
	pid=$(cat "$dir/server.pid")
	# A number of another program would be a mistake: look at what it is.
	if [ -d "/proc/$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "nominatim serve"; then
		kill -- "-$pid" 2>/dev/null || kill "$pid"
		for _ in $(seq 20); do
			[ -d "/proc/$pid" ] || break
			sleep 0.25
		done
	fi
	rm -f "$dir/server.pid"
fi
pgbin=/usr/lib/postgresql/15/bin
if [ -f "$dir/postgres/data/postmaster.pid" ]; then
	runuser -u postgres -- "$pgbin/pg_ctl" -D "$dir/postgres/data" -m fast -w stop >/dev/null
fi
echo "nominatim: stopped" >&2
