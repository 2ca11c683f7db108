#!/bin/sh
# Kernel sets: how long a start with a million listings takes, and one more; beside `nft -f` with the same elements. In a
# network namespace of its own, so that nothing of this machine's firewall is touched. Wants root.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --quiet -p ratter-actions --all-features --example kernel_sets
name=ratter-bench-$$
ip netns add "$name"
trap 'ip netns del "$name"; rm -f "$file"' EXIT
ip netns exec "$name" target/release/examples/kernel_sets "${1:-992000}"
file=$(mktemp)
{
    printf 'table inet peer {\n set s {\n  type ipv4_addr\n  flags timeout\n }\n}\n'
    awk 'BEGIN { printf "add element inet peer s { "; for (n = 0; n < 100000; n++) printf "11.%d.%d.%d timeout 1h, ", n / 65536, n / 256 % 256, n % 256; print "12.0.0.1 }" }'
} >"$file"
echo "nft -f with 100000 of them:"
ip netns exec "$name" sh -c "time nft -f $file"
