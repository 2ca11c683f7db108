#!/bin/sh
# Prints `servers.txt` anew: the addresses of all name servers in the root zone, which ICANN gives to everybody by AXFR.
set -eu
zone=$(dig +noall +answer @xfr.lax.dns.icann.org . AXFR)
count=$(printf '%s\n' "$zone" | awk '$4 == "A" || $4 == "AAAA"' | wc -l)
# Half an answer must not take the place of a whole list.
[ "$count" -gt 1000 ] || { echo "only $count addresses: the transfer broke off" >&2; exit 1; }
echo "# The name servers of the root zone and of all top-level domains, from the root zone; as of $(date -u +%Y-%m)."
echo '# `sh crates/listings/src/never/renew.sh` prints this file anew.'
printf '%s\n' "$zone" | awk '$4 == "A" || $4 == "AAAA" { sub(/\.$/, "", $1); print $5, tolower($1) }' | sort -u
