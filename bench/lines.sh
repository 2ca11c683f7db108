#!/usr/bin/env bash
# Lines a processor second of a full parse and count with all grammars, beside `grep -cE` with one alternation and `wc -l`
# on the same log, in turn: `bench/lines.sh GENLOGS.PY|LOG [ROUNDS]`. The ratios are the claim.
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
ours() { target/release/examples/lines "$log"; }
searched() { grep -cE "$pattern" "$log"; }
newlines() { wc -l "$log"; }

# `grep` stops at the first match when it writes to /dev/null.
spent() {
	TIMEFORMAT='%U %S'
	{ time "$1" >"$folder/out"; } 2>&1 | awk '{ print $1 + $2 }'
}
for round in $(seq "$rounds"); do
	for what in ours searched newlines; do spent "$what" >>"$folder/$what"; done
done
median() { sort -n "$folder/$1" | sed -n "$((rounds / 2 + 1))p"; }
lines=$(wc -l <"$log")
echo "$lines lines, $rounds rounds, medians of processor seconds"
awk -v lines="$lines" -v ours="$(median ours)" -v grep="$(median searched)" -v wc="$(median newlines)" 'BEGIN {
	printf "ratter   %.3f s  %5.2f million lines/s  %.2f of grep\n", ours, lines / ours / 1e6, ours / grep
	printf "grep -cE %.3f s  %5.2f million lines/s\n", grep, lines / grep / 1e6
	printf "wc -l    %.3f s  %5.2f million lines/s\n", wc, lines / wc / 1e6
}'
