#!/bin/sh
# The DNS server beside its peers, for docs/performance.md: CPU per query, queries a second, memory, time to start.
#
#   RATTER_SHARED=/path bench/dns.sh [ROUNDS]
#
# RATTER_SHARED is a folder with bench/dnsbl_bench.py and its load generator; rbldnsd, and for NSD=1 nsd, must be there.
# All servers of a table run in turns on one core, the client on the other; only the ratios mean something, and those
# only on a machine with nothing else to do. N=10000000 takes ten million addresses. At the end each bar is PASS or MISS. SECONDS_EACH
# is the length of a trial; on a busy machine BUSY=1 waits for no quiet moment, and the load is told with each table.
set -eu
seconds=${SECONDS_EACH:-4}
: "${RATTER_SHARED:?is the folder with the load generator}"
rounds=${1:-12}
count=${N:-1000000}
root=$(cd "$(dirname "$0")/.." && pwd)
work=${TMPDIR:-/tmp}/dnsbl-bench
target=${CARGO_TARGET_DIR:-$root/target}

command -v rbldnsd >/dev/null || { echo "dns.sh: rbldnsd is missing: apt-get install rbldnsd" >&2; exit 1; }
cargo build --manifest-path "$root/Cargo.toml" --release --package ratter-dnsbl --features io --examples
serve=$target/release/examples/serve_list
mkdir -p "$work"
said=$work/said-$count
: > "$said"
python3 "$RATTER_SHARED/bench/dnsbl_bench.py" build --work "$work"

bench() {
    what=$1
    shift
    echo "## $what" | tee -a "$said"
    echo "load $(cut -d' ' -f1-3 /proc/loadavg)" | tee -a "$said"
    python3 "$RATTER_SHARED/bench/dnsbl_bench.py" "$@" --work "$work" --n "$count" --duration "$seconds" \
        --nice 0 ${BUSY:+--quiet-wait 0 --retries 0} > "$said.part"
    tee -a "$said" < "$said.part"
}
ours="ours=$serve {port} {list} {zone}"
two="ours-2t=$serve {port} {list} {zone} 2"
keyed="keyed=$serve {port} {list} {zone} 1 {key}"
peers=rbldnsd-ip4set,rbldnsd-ip4tset,rbldnsd-ip4trie,echo-mmsg${NSD:+,nsd}

bench "saturated" qps --servers "$peers,ours" --add "$ours" --rounds "$rounds"
bench "50,000 a second" qps --servers rbldnsd-ip4set,echo-mmsg,ours --add "$ours" --rounds "$rounds" --rate 50000
bench "5,000 a second" qps --servers rbldnsd-ip4set,echo-mmsg,ours --add "$ours" --rounds "$rounds" --rate 5000
bench "EDNS, mixed letters, A 80 TXT 12 AAAA 8" qps --servers rbldnsd-ip4set,ours --add "$ours" --rounds "$rounds" \
    --edns --x20 --hit 0.3 --types A:80,TXT:12,AAAA:8
# rbldnsd has no keys: a run of its own, to be read beside `ours` without one.
bench "a key in the name" qps --servers keyed --add "$keyed" --rounds "$rounds" --key abcdefgh2345
bench "2,048 in flight" qps --servers rbldnsd-ip4set,ours --add "$ours" --rounds "$rounds" --window 2048
bench "two threads" qps --servers ours,ours-2t --add "$ours" --add "$two" --rounds "$rounds" --pin none
bench "start and memory" load --servers rbldnsd-ip4set,ours --add "$ours" --rounds 3
python3 "$root/bench/dns_bars.py" "$count" < "$said"
