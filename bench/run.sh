#!/bin/sh
# The figures of docs/performance.md, one after the other, on a machine that should have nothing else to do.
# Peers (nginx) are measured in the same run; quote the ratios, not the microseconds.
set -eu
cd "$(dirname "$0")/.."

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg)"
cargo build --release --locked --quiet --package ratter
cargo build --release --locked --quiet --package ratter-bench

echo; echo "== a question at Dovecot's gate, beside nginx with a constant answer"
cargo run --release --locked --quiet --package ratter-gates --features io --example allow_beside_nginx 7 1

echo; echo "== observe and ask: time, bytes a subject"
cargo run --release --locked --quiet --package ratter-rules --example observe

echo; echo "== log line written -> listed in DNS"
./target/release/log_to_block ./target/release/ratter 500

echo; echo "== log line written -> in the snapshot, idle and while 500,000 lines a second are read"
./target/release/log_to_snapshot 1000
./target/release/log_to_snapshot 1000 500000

echo; echo "== a megabyte of hostile lines, the dearest of each service"
cargo run --release --locked --quiet --package ratter-sensors --features io --example hostile

echo; echo "== the book: bytes an address, change, look-up"
cargo run --release --locked --quiet --package ratter-listings --example footprint

echo; echo "== the store: events a second"
cargo run --release --locked --quiet --package ratter-store --example throughput
