#!/bin/sh
# The gates beside their peers, in one run, for docs/performance.md: Postfix' policy gate (requests a second and CPU per request
# on 1 and on 50 connections, with two limits on each login, and the same without the node around them), the milter (messages a
# second), `allow` beside nginx with a constant answer, and the start of ratter-checkpassword.
#
#   RATTER_SHARED=/path bench/gates.sh [SECONDS]
#
# RATTER_SHARED is a folder with bench/policyblast, a load generator, and policyecho in it, which answers everything alike: the
# ceiling. postfwd and policyd-rate-limit are taken where they are installed. All run one after the other; only the ratios of CPU
# per request mean something on a machine that has other things to do.
set -eu
: "${RATTER_SHARED:?is the folder with the load generator}"
seconds=${1:-5}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
# postfwd reads its rules as another user.
chmod 755 "$work"
target=${CARGO_TARGET_DIR:-$root/target}
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

[ -x "${RATTER:-$target/release/ratter}" ] || cargo build --manifest-path "$root/Cargo.toml" --release --locked --package ratter
ratter=${RATTER:-$target/release/ratter}
cargo build --manifest-path "$root/Cargo.toml" --release --locked --quiet --package ratter-gates --all-features --examples
cp -r "$RATTER_SHARED/bench/policyblast" "$work/policyblast"
chmod -R u+w "$work/policyblast"
(cd "$work/policyblast" && CARGO_TARGET_DIR=$work/blast cargo build --release --quiet)
blast=$work/blast/release/policyblast
echo "machine: $(nproc) cores, Linux $(uname -r), load $(cut -d' ' -f1-3 /proc/loadavg)"

# ready PORT: waits until somebody listens there.
ready() {
    for _ in $(seq 60); do
        ss -ltn | grep -q ":$1 " && return 0
        sleep 0.5
    done
    echo "nobody listens at $1:" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

# gone PORT: waits until nobody listens there.
gone() {
    for _ in $(seq 60); do
        ss -ltn | grep -q ":$1 " || return 0
        sleep 0.5
    done
}

# measure NAME PID PLACE
measure() {
    for connections in 1 50; do
        printf '%-28s %2s connections: ' "$1" "$connections"
        "$blast" --addr "$3" --conns "$connections" --secs "$seconds" --users 1000 --state RCPT --pid "$2" | tr '\n' ' '
        echo
    done
}

"$work/blast/release/policyecho" 127.0.0.1:10999 >/dev/null 2>&1 &
pids="$pids $!"
echo_pid=$!

cat >"$work/ratter.toml" <<TOML
[node]
name = "bench"
state = "$work/state"
[gate.postfix]
listen = ["127.0.0.1:10998"]
[gate.dovecot]
listen = "127.0.0.1:10996"
[gate.milter]
listen = ["127.0.0.1:10995"]
[gate.line]
listen = ["127.0.0.1:10992"]
[console]
listen = "127.0.0.1:10994"
[[limit]]
name = "per-user"
by = "login"
buckets = [{ burst = 1000000, rate = "1000 / 1s" }, { burst = 1000000, rate = "100000 / 1h" }]
TOML
"$ratter" --config "$work/ratter.toml" run >"$work/ratter.log" 2>&1 &
pids="$pids $!"
ratter_pid=$!
ready 10998
measure "policyecho (ceiling)" "$echo_pid" 127.0.0.1:10999
measure "ratter, two buckets" "$ratter_pid" 127.0.0.1:10998
measure "policyecho (again)" "$echo_pid" 127.0.0.1:10999
# The same gate and limits without the node around them.
"$target/release/examples/policy_alone" 127.0.0.1:10991 >"$work/alone.log" 2>&1 &
pids="$pids $!"
alone_pid=$!
ready 10991
measure "gate and limits alone" "$alone_pid" 127.0.0.1:10991

cat >"$work/postfwd.cf" <<RULES
id=one; action=rate(sasl_username/1000000/60/450 4.7.1 too much)
id=two; action=rate(sasl_username/10000000/3600/450 4.7.1 too much)
RULES
# One process, or several with a cache.
for name in postfwd1 postfwd2; do
    program=/usr/sbin/$name
    if [ -x "$program" ]; then
        "$program" --daemon --pidfile "$work/$name.pid" -f "$work/postfwd.cf" -i 127.0.0.1 -p 10997 -u nobody -g nogroup \
            >"$work/$name.log" 2>&1
        ready 10997
        peer=$(tr -d '[:space:]' <"$work/$name.pid")
        pids="$pids $peer"
        measure "$name, two rates" "$peer" 127.0.0.1:10997
        kill "$peer"
        gone 10997
    else
        echo "$name is not installed (apt-get install postfwd)"
    fi
done
if command -v policyd-rate-limit >/dev/null 2>&1; then
    cat >"$work/policyd.yaml" <<YAML
debug: false
user: root
group: root
pidfile: $work/policyd.pid
mysql_config: {}
sqlite_config: {database: $work/policyd.sqlite}
pgsql_config: {}
backend: 0
SOCKET: ["127.0.0.1", 10993]
socket_permission: "0666"
limits: [[1000000, 60], [10000000, 3600]]
limits_by_id: {}
limit_by_sasl: true
limit_by_sender: false
limit_by_ip: false
limited_networks: []
count_mode: 0
report: false
success_action: dunno
fail_action: "defer_if_permit too much"
db_error_action: dunno
YAML
    policyd-rate-limit -f "$work/policyd.yaml" >"$work/policyd.log" 2>&1 &
    peer=$!
    pids="$pids $peer"
    ready 10993
    measure "policyd-rate-limit, two" "$peer" 127.0.0.1:10993
else
    echo "policyd-rate-limit is not installed (apt-get install policyd-rate-limit)"
fi

echo; echo "== milter: two recipients, ten headers, two limits"
for connections in 1 50; do
    "$target/release/examples/milter_messages" 127.0.0.1:10995 "$ratter_pid" "$connections" "$seconds"
done

echo; echo "== allow, beside nginx with a constant answer"
"$target/release/examples/allow_beside_nginx" 5 "$seconds"

echo; echo "== ratter-checkpassword, before /bin/true"
make --directory "$root" --silent helpers
python3 "$root/bench/checkpassword.py" "$target/release/ratter-checkpassword" 127.0.0.1:10992
