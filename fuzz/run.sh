#!/bin/sh
# Runs every fuzz target under libFuzzer, an hour in all: `fuzz/run.sh [SECONDS]`. Stable Rust and a C++ compiler are
# enough. What was found to be worth keeping stays in target/fuzz/corpus, what fails is left in target/fuzz/failures,
# and is tried again by `RATTER_FUZZ_TARGET=NAME target/fuzz/…/ratter-fuzz-guided FILE`.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-3600}
work=$PWD/target/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
# The versions are those of the workspace, with libFuzzer's own beside them.
cp Cargo.lock fuzz/guided/Cargo.lock
# The instrumentation is LLVM's own pass, which stable Rust can be told to run; only the target's code gets it, not
# build scripts and macros, because a target is named.
RUSTFLAGS="-Cpasses=sancov-module -Ccodegen-units=1 -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares" \
	cargo build --release --quiet --manifest-path fuzz/guided/Cargo.toml --target "$triple" --target-dir "$work"
program=$work/$triple/release/ratter-fuzz-guided
mkdir -p "$work/corpus" "$work/failures"
RATTER_FUZZ_SEEDS=$work/seeds "$program" >"$work/log" 2>&1
count=$(ls "$work/seeds" | wc -l)
each=$((seconds / count > 0 ? seconds / count : 1))
failed=
for target in $(ls "$work/seeds"); do
	mkdir -p "$work/corpus/$target"
	# A megabyte of any input may take 5 ms; 5 s for 80 kB is a fault even in instrumented code on a busy machine.
	if RATTER_FUZZ_TARGET=$target "$program" -max_total_time="$each" -timeout=5 -rss_limit_mb=2048 -max_len=81920 \
		-artifact_prefix="$work/failures/$target-" "$work/corpus/$target" "$work/seeds/$target" >"$work/log" 2>&1; then
		echo "$target: $(tail -n 1 "$work/log")"
	else
		echo "$target: FAILED"
		tail -n 30 "$work/log"
		failed="$failed $target"
	fi
done
[ -z "$failed" ] || { echo "failed:$failed; inputs in $work/failures"; exit 1; }
