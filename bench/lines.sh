#!/usr/bin/env bash
# Lines a second of a full parse and count with all grammars, beside `grep -cE` with one alternation and `wc -l` on the same
# log, in turn, by processor time and by the clock: `bench/lines.sh GENLOGS.PY|LOG [ROUNDS]`. The ratios are the claim.
# `ahead` is as `ratter parse` has it, where another thread reads and cuts the lines.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$1 rounds=${2:-11}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
case $log in
*.py)
	python3 "$log" --lines 1000000 >"$folder/mail.log"
	log=$folder/mail.log
	;;
esac
cargo build --release --locked --quiet --package ratter-sensors --features io --example lines

# What finds all failures of that log, and only those, with the fewest words.
pattern='auth failed|authentication failed|unknown user|mismatch'
lines() { target/release/examples/lines "$log"; }
ahead() { target/release/examples/lines --ahead "$log"; }
search() { grep -cE "$pattern" "$log"; }
newlines() { wc -l "$log"; }

# `grep` stops at the first match when it writes to /dev/null.
spent() {
	TIMEFORMAT='%U %S %R'
	{ time "$1" >"$folder/out"; } 2>&1 | awk '{ print $1 + $2, $3 }'
}
for round in $(seq "$rounds"); do
	for what in lines ahead search newlines; do spent "$what" >>"$folder/$what"; done
done
median() { awk -v column="$2" '{ print $column }' "$folder/$1" | sort -n | sed -n "$((rounds / 2 + 1))p"; }
count=$(wc -l <"$log")
echo "$count lines, $rounds rounds, medians; beside grep -cE by processor time and by the clock"
for what in lines ahead search newlines; do
	awk -v what="$what" -v lines="$count" -v cpu="$(median $what 1)" -v clock="$(median $what 2)" \
		-v grep="$(median search 1)" -v waited="$(median search 2)" 'BEGIN {
		printf "%-9s %.3f s  %5.2f million lines/s  %.2f   by the clock %.3f s  %.2f\n",
			what, cpu, lines / cpu / 1e6, cpu / grep, clock, clock / waited
	}'
done
