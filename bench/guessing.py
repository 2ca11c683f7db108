#!/usr/bin/env python3
"""How much guessing the shipped rules stop, and whom they hurt: bench/guessing.py GENLOGS.PY [RATTER] [GENLOGS' OPTIONS]

Makes a log whose truth is known, lets `ratter replay` go through it, which reads the lines of successful logins as it
would live, and tells for each kind of actor which share of the failures came from an address that was blocked or listed
by then. The log goes on as if nobody were refused, so that a share says how many attempts would never have been made.
Exit code 1 if a legitimate user met a block, or a share is below that of the best policy known (see FLOOR)."""
import collections
import json
import os
import subprocess
import sys
import tempfile

# Three failures in six hours, reset by success, by /64, and at once for whoever tries a login that eight addresses tried.
FLOOR = {"bf": 99, "slow": 90, "dist": 68, "v6": 99}


def main():
    generator = sys.argv[1]
    ratter = sys.argv[2] if len(sys.argv) > 2 else "target/release/ratter"
    with tempfile.TemporaryDirectory() as folder:
        log, truth, trace = (os.path.join(folder, name) for name in ("mail.log", "truth", "trace"))
        with open(log, "w") as out:
            subprocess.run([sys.executable, generator, "--truth", truth, *sys.argv[3:]], stdout=out, check=True)
        command = [ratter, "--config", configuration(folder), "--json", "replay", "--trace", trace, log]
        summary = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        actors = {entry["n"]: entry for entry in map(json.loads, open(truth))}
        sys.exit(judge(actors, trace, summary))


def configuration(folder):
    path = os.path.join(folder, "ratter.toml")
    with open(path, "w") as out:
        out.write(f'[node]\nstate = "{folder}/state"\n')
    return path


def judge(actors, trace, summary):
    failures, stopped = collections.Counter(), collections.Counter()
    hurt_addresses, hurt_logins, successes = set(), 0, 0
    seen = set()
    for attempt in map(json.loads, open(trace)):
        truth = actors.get(attempt["line"])
        if truth is None:
            # Only legitimate users know a password.
            successes += attempt["kind"] == "login-ok"
            if attempt["kind"] == "login-ok" and attempt["address_listed"]:
                hurt_addresses.add(attempt["address"])
                hurt_logins += 1
        elif attempt["line"] not in seen:
            seen.add(attempt["line"])
            failures[truth["actor"]] += 1
            stopped[truth["actor"]] += bool(attempt["address_listed"])
            if truth["actor"] == "typo" and attempt["address_listed"]:
                hurt_addresses.add(attempt["address"])
    legitimate = {entry["ip"] for entry in actors.values() if entry["actor"] == "typo"}
    print(f"{summary['lines']} lines, {sum(failures.values())} failures of {len(actors)} read, {successes} successes")
    print("actor   failures   stopped   best policy known")
    below = [actor for actor, floor in FLOOR.items() if 100 * stopped[actor] < floor * failures[actor]]
    for actor, floor in FLOOR.items():
        share = 100 * stopped[actor] / max(1, failures[actor])
        print(f"{actor:6} {failures[actor]:9} {share:8.2f} % {floor:10} %")
    print(f"legitimate users hurt: {len(hurt_addresses)} of {len(legitimate)} addresses, {hurt_logins} logins")
    print(f"logins refused by any rule, those about logins too: {len(summary['hurt'])}")
    for hurt in summary["hurt"]:
        print(f"  {hurt['login']} from {hurt['address']} at {hurt['at']}: {hurt['why']}")
    return 1 if below or hurt_addresses or len(seen) < len(actors) else 0


if __name__ == "__main__":
    main()
