#!/usr/bin/env python3
"""Reads what bench/dns.sh printed and says of each bar whether it is met: PASS or MISS.

    bench/dns_bars.py N < OUTPUT

Ratios are those of rbldnsd's `ip4set` in the same run, or of the batched echo server; 1 is as much as it.
"""

import json, sys

n = int(sys.argv[1])
rows, title = {}, None
for line in sys.stdin:
    if line.startswith("## "):
        title = line[3:].strip()
    elif line.startswith("{"):
        row = json.loads(line)
        rows.setdefault(title, {})[row.get("summary") or row.get("load")] = row


def bar(what, value, limit, at_least=False):
    met = value >= limit if at_least else value <= limit
    print(f"{'PASS' if met else 'MISS'}  {what}: {value:.3f}, {'at least' if at_least else 'at most'} {limit}")


def of(title, server, figure="cpu_us_per_query"):
    return rows.get(title, {}).get(server, {}).get(figure)


big = n >= 10_000_000
if of("saturated", "ours"):
    bar("saturated: CPU per query beside rbldnsd", of("saturated", "ours", "cpu_ratio"), 0.58 if big else 0.72)
    bar("saturated: CPU per query beside the batched echo", of("saturated", "ours") / of("saturated", "echo-mmsg"), 1.12)
    bar("saturated: queries a second beside rbldnsd", of("saturated", "ours", "qps_ratio"), 1.8 if big else 1.4, True)
for rate in ("50,000 a second", "5,000 a second"):
    if of(rate, "ours"):
        bar(f"{rate}: CPU per query beside rbldnsd", of(rate, "ours", "cpu_ratio"), 1)
mix = "EDNS, mixed letters, A 80 TXT 12 AAAA 8"
if of(mix, "ours"):
    bar("EDNS, mixed letters, types: CPU per query beside rbldnsd", of(mix, "ours", "cpu_ratio"), 0.85)
key = "a key in the name"
if of(key, "keyed") and of("saturated", "rbldnsd-ip4set"):
    # rbldnsd has no keys: it is beside its own cost without one.
    bar("a key in the name: CPU per query beside rbldnsd without", of(key, "keyed") / of("saturated", "rbldnsd-ip4set"), 0.85)
if of("2,048 in flight", "ours"):
    bar("2,048 in flight: lost or wrong", sum(of("2,048 in flight", "ours", it) for it in ("lost", "wrong")), 0)
if of("two threads", "ours-2t"):
    bar("two threads: CPU per query beside one", of("two threads", "ours-2t", "cpu_ratio"), 1.1)
if of("start and memory", "ours", "load_s"):
    bar("start from a text file, beside rbldnsd", of("start and memory", "ours", "load_s") / of("start and memory", "rbldnsd-ip4set", "load_s"), 1)
    bar("whole process, bytes for each address beside rbldnsd", of("start and memory", "ours", "bytes_per_entry") / of("start and memory", "rbldnsd-ip4set", "bytes_per_entry"), 0.3)
