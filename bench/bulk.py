#!/usr/bin/env python3
"""Large lists in a running node: import, memory, start, replacement under questions, changes under load.

    RATTER_SHARED=/path bench/bulk.py [--n 10000000] [--work FOLDER] [--part all|singles|loaded]

Wants target/release/ratter, target/release/examples/loaded and the load generator of RATTER_SHARED; `make bench-bulk`
builds all. Prints a line of JSON for each figure. On a busy machine only CPU times and memory mean something.
"""

import argparse, array, json, os, random, signal, socket, statistics, struct, subprocess, sys, threading, time

parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int, default=10_000_000)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=int, default=12)
parser.add_argument("--port", type=int, default=15353)
parser.add_argument("--part", choices=["all", "singles", "loaded"], default="all")
parser.add_argument("--work", default=os.path.join(os.environ.get("TMPDIR", "/tmp"), "bulk-bench"))
a = parser.parse_args()
if a.part == "all" and a.n < 200_000:
    parser.error("some addresses must be on two lists by chance: --n 200000 at least, or a --part")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")) + "/release"
BLAST = os.path.join(a.work, "blast", "release", "dnsblast")
ZONE = "imported.bl.example.org"
CONFIG = os.path.join(a.work, "ratter.toml")


def say(what, **figures):
    print(json.dumps({"what": what, "n": a.n, "load": round(os.getloadavg()[0], 1), **figures}), flush=True)


def bar(what, value, most, unit=""):
    """a bar is met or it is not; the client's own lateness is told beside gaps"""
    print(f"{'PASS' if value <= most else 'MISS'}  {what}: {value}{unit}, at most {most}{unit}", flush=True)


def addresses(seed):
    """n different ones between 11.0.0.0 and 99.255.255.255, where all may be listed, in order"""
    rng, found = random.Random(seed), set()
    while len(found) < a.n:
        found.update(0x0B000000 + x for x in rng.choices(range(0x59000000), k=a.n - len(found)))
    return array.array("I", sorted(found))


def dotted(x):
    return f"{x >> 24}.{x >> 16 & 255}.{x >> 8 & 255}.{x & 255}"


def write_set(name, numbers):
    path = os.path.join(a.work, name)
    with open(path, "w") as out:
        for start in range(0, len(numbers), 100_000):
            out.write("".join(dotted(x) + "\n" for x in numbers[start:start + 100_000]))
    return path


def write_questions(listed, name):
    rng, path = random.Random(9), os.path.join(a.work, name)
    with open(path, "w") as out:
        for x in rng.sample(range(len(listed)), min(100_000, len(listed))):
            free = rng.randrange(0x80000000, 0xC0000000)
            for number, mark in ((listed[x], "H"), (free, "M")):
                name = ".".join(reversed(dotted(number).split(".")))
                out.write(f"{name}.{ZONE} A {mark}\n")
    return path


def is_listed(number, port):
    name = b"".join(bytes([len(label)]) + label.encode() for label in
                    (".".join(reversed(dotted(number).split("."))) + "." + ZONE).split("."))
    query = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + name + b"\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.02)
        try:
            asker.sendto(query, ("127.0.0.1", port))
            return asker.recv(512)[7] > 0
        except OSError:
            return None


def memory(pid):
    """resident and proportional MiB, and the highest resident"""
    rss = {}
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(("VmRSS", "VmHWM")):
                rss[line[:5]] = int(line.split()[1]) / 1024
    return rss["VmRSS"], rss["VmHWM"]


class Node:
    def start(self, known):
        began = time.monotonic()
        log = open(os.path.join(a.work, "node.log"), "a")
        self.process = subprocess.Popen([TARGET + "/ratter", "--config", CONFIG, "run"], stdout=log, stderr=log)
        self.pid = self.process.pid
        while known is not None and not is_listed(known, a.port):
            if self.process.poll() is not None:
                sys.exit("the node ended: see node.log")
        took = time.monotonic() - began
        while not os.path.exists(os.path.join(a.work, "state", "control.sock")) or self.cli("status", check=False).returncode:
            time.sleep(0.05)
        self.ready = time.monotonic() - began
        return took

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def cli(self, *arguments, check=True):
        return subprocess.run([TARGET + "/ratter", "--config", CONFIG, *arguments], check=check, capture_output=True, text=True)

    def replace(self, path):
        began = time.monotonic()
        said = self.cli("import", path, "--list", "imported", "--format", "ip4set", "--replace", "--for-ever", "--json")
        return time.monotonic() - began, json.loads(said.stdout)


def blast(questions, seconds, pid, *more):
    return subprocess.Popen([BLAST, "--server", f"127.0.0.1:{a.port}", "--queries", questions, "--duration", str(seconds),
                             "--pid", str(pid), "--timeout-ms", "60000", *more], stdout=subprocess.PIPE, text=True)


def replace_under_questions(node, questions, what, path):
    before, _ = memory(node.pid)
    peak, stop = [before], threading.Event()

    def watch():
        while not stop.wait(0.02):
            peak[0] = max(peak[0], memory(node.pid)[0])
    watcher = threading.Thread(target=watch)
    watcher.start()
    load = blast(questions, a.seconds, node.pid, "--rate", "5000")
    time.sleep(2)
    took, done = node.replace(path)
    figures = json.loads(load.communicate()[0])
    stop.set()
    watcher.join()
    say("replaced under 5,000 q/s: " + what, took_s=round(took, 2), added=done["added"], removed=done["removed"],
        longest_gap_ms=figures["max_gap_ms"], lost=figures["lost"], wrong=figures["wrong"], p99_us=figures["lat_us"]["p99"],
        client_late_ms=figures["sched_late_max_ms"], before_mib=round(before, 1), peak_mib=round(peak[0], 1),
        after_mib=round(memory(node.pid)[0], 1), peak_ratio=round(peak[0] / before, 2))
    bar(what + ": longest gap (client late " + str(figures["sched_late_max_ms"]) + " ms)", figures["max_gap_ms"], 5, " ms")
    bar(what + ": lost or wrong", figures["lost"] + figures["wrong"], 0)
    bar(what + ": memory at the peak beside that before", round(peak[0] / before, 2), 1.2)


def prepare():
    os.makedirs(a.work, exist_ok=True)
    subprocess.run(["rm", "-rf", os.path.join(a.work, "state"), os.path.join(a.work, "node.log")], check=True)
    shared = os.environ["RATTER_SHARED"] + "/bench/dnsblast/Cargo.toml"
    subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", shared, "--target-dir",
                    os.path.join(a.work, "blast")], check=True)
    configure()


def configure():
    with open(CONFIG, "w") as out:
        out.write(f'''[node]
name = "bench.example.org"
state = "{a.work}/state"
[rules]
shipped = false
[[list]]
name = "imported"
code = "127.0.0.2"
lifetime = "7d"
[dnsbl]
origin = "bl.example.org"
listen = ["127.0.0.1:{a.port}"]
threads = 1
''')


def singles_alone():
    """n listings, each with its own end and reason: what a start takes, also right after they came"""
    rng = random.Random(7)
    numbers = array.array("I", sorted(rng.sample(range(0xC8000000, 0xD8000000), a.n)))
    path, more = write_set("all-singles", numbers), write_set("more-singles", array.array("I", range(0x0B000000, 0x0B000000 + a.n // 100)))
    known = numbers[len(numbers) // 2]
    del numbers
    node = Node()
    node.start(None)
    list_singly(node, path, "listed one by one")
    node.process.kill()
    node.process.wait()
    took = node.start(known)
    say("start right after them and kill -9", first_answer_s=round(took, 3), ready_s=round(node.ready, 1), rss_mib=round(memory(node.pid)[0], 1))
    bar("start right after so many single listings and kill -9", round(took, 3), 1.0, " s")
    node.stop()
    bar("start with so many single listings", many_starts(node, known, "all with reason and end"), 1.0, " s")
    node.start(known)
    list_singly(node, more, "one in a hundred more")
    node.process.kill()
    node.process.wait()
    took = node.start(0x0B000001)
    say("start after one in a hundred more and kill -9", first_answer_s=round(took, 3), ready_s=round(node.ready, 1))
    bar("start after one in a hundred more and kill -9", round(took, 3), 1.0, " s")
    node.stop()


def list_singly(node, path, what):
    began = time.monotonic()
    node.cli("import", path, "--list", "imported", "--format", "ip4set", "--for", "6d", "--reason", "one by one")
    rss, highest = memory(node.pid)
    say(what, took_s=round(time.monotonic() - began, 1), rss_mib=round(rss, 1), highest_mib=round(highest, 1))


def main():
    prepare()
    if a.part == "singles":
        return singles_alone()
    if a.part == "loaded":
        first = addresses(1)
        return loaded(write_set("first", first), write_questions(first, "questions"))
    first, second = addresses(1), addresses(2)
    # What all three have in common is asked about: half of the first.
    rng = random.Random(3)
    near = array.array("I", sorted(set(first) - set(rng.sample(first, a.n // 100)) | set(rng.sample(second, a.n // 100))))
    common = sorted(set(first[: a.n // 2]) & set(near))
    far = array.array("I", sorted(set(common) | set(second[a.n // 2:])))
    other = addresses(5)
    singles = array.array("I", sorted(rng.sample(range(0xC8000000, 0xD8000000), a.n // 10)))
    sets = {"first": first, "near": near, "far": far, "other": other, "singles": singles}
    files = {name: write_set(name, numbers) for name, numbers in sets.items()}
    questions = write_questions(common, "questions")
    known = common[len(common) // 2]
    # What is on both of two lists that have nothing in common but by chance.
    by_chance = write_questions(sorted(set(far) & set(other)), "questions-by-chance")
    last = other[len(other) // 2]
    del first, second, near, far, other, singles, sets
    node = Node()
    node.start(None)
    empty, _ = memory(node.pid)
    took, done = node.replace(files["first"])
    time.sleep(1)
    full, highest = memory(node.pid)
    say("imported", took_s=round(took, 2), listed=done["listed"], empty_mib=round(empty, 1), rss_mib=round(full, 1),
        highest_mib=round(highest, 1), bytes_each=round(full * 2**20 / a.n, 2))
    bar("resident bytes for each address", round((full - empty) * 2**20 / a.n, 2), 3.5)
    node.stop()
    starts = many_starts(node, known, "10 in 10 imported")
    bar("start to the first right answer", starts, 1.0, " s")
    node.start(known)
    list_singly(node, files["singles"], "as many as one in ten of them listed one by one")
    node.stop()
    bar("start with these", many_starts(node, known, "one in eleven with reason and end"), 1.0, " s")
    bar("start with these after kill -9", many_starts(node, known, "the same after kill -9", signal.SIGKILL), 1.0, " s")
    os.remove(os.path.join(a.work, "state", "book.image"))
    say("start without an image", first_answer_s=round(node.start(known), 3), ready_s=round(node.ready, 3))
    replace_under_questions(node, questions, "1 in 100 differs", files["near"])
    replace_under_questions(node, questions, "half differs", files["far"])
    replace_under_questions(node, by_chance, "all but a few differ", files["other"])
    node.stop()
    many_starts(node, last, "after that")
    loaded(files["first"], questions)


def many_starts(node, known, what, how=signal.SIGTERM):
    starts, ready = [], []
    for _ in range(a.rounds):
        starts.append(node.start(known))
        ready.append(node.ready)
        started, highest = memory(node.pid)
        if how == signal.SIGKILL:
            time.sleep(1)
        node.process.send_signal(how)
        node.process.wait()
    say("start to the first right answer: " + what, median_s=round(statistics.median(starts), 3), all_s=[round(s, 3) for s in starts],
        ready_s=round(statistics.median(ready), 3), rss_mib=round(started, 1), highest_mib=round(highest, 1))
    return round(statistics.median(starts), 3)


def loaded(path, questions):
    """as the system shares its processors out, and with the answering thread and the asker before all others"""
    changes_under_load(path, questions, "10,000 changes/s, saturated", None)
    changes_under_load(path, questions, "10,000 changes/s, saturated, the answering thread and the asker real-time", real_time)


def real_time(pid):
    """takes root; without it the row is the same as the one before"""
    try:
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(2))
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/comm") as name:
                if name.read().strip() == "dns-udp":
                    os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        say("not permitted: real-time")


def changes_under_load(path, questions, what, prepare):
    server = subprocess.Popen([TARGET + "/examples/loaded", str(a.port), path, ZONE, str(a.seconds + 4), "10000"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if line.startswith("listening"):
            break
    if prepare:
        prepare(server.pid)
    load = blast(questions, a.seconds, server.pid, "--window", "192")
    figures = json.loads(load.communicate()[0])
    changes = json.loads(server.communicate()[0])
    answers = {key: figures[key] for key in ("qps", "max_gap_ms", "lost", "wrong") if key in figures}
    say(what, answers=answers, changes=changes)
    bar(what + ": a change is answered, p99", changes["answered_us"]["p99"], 1000, " us")
    bar(what + ": a change is made, p99", changes["call_us"]["p99"], 1000, " us")
    bar(what + ": longest gap", figures["max_gap_ms"], 2, " ms")
    bar(what + ": lost, wrong, stale", figures["lost"] + figures["wrong"] + changes["stale"] + changes["lost"], 0)


main()
