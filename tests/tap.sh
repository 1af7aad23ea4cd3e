# Sourced by the test scripts that judge with check: a folder of their own ($tmp, the current one), which goes with whatever they left running
# when they end; $here, where the script lies. They end with `exit $status`.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
n=0 status=0
check() { # what, condition as a command: a line of TAP; what the last run left in out, err and log when it is false
	local what=$1
	shift
	if "$@"; then echo "ok $((++n)) - $what"; else
		echo "not ok $((++n)) - $what"
		tail -n 20 out err log 2>/dev/null | cut -c1-200 | sed 's/^/# /'
		status=1
	fi
}
