"""Memory of a running node for connections that are open and silent. Usage: connections.py PLACE PID COUNT, where PLACE is the unix
socket of a line gate whose node allows so many connections (`[limits] connections`), and PID the node's.

Each connection asks once, as Postfix' and Dovecot's do, and stays. Resident memory is that of the process, and beside it what the
kernel keeps for threads and sockets (`KernelStack` and `Slab` in /proc/meminfo, of the whole machine)."""

import resource
import socket
import sys
import time


def kib(path, names):
    with open(path, encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return [int(fields[name].split()[0]) for name in names]


def seen(pid):
    return kib(f"/proc/{pid}/status", ["VmRSS", "Threads"]) + kib("/proc/meminfo", ["KernelStack", "Slab"])


place, pid, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 100, most), most))
before = seen(pid)
open_ones = []
for number in range(count):
    client = socket.socket(socket.AF_UNIX)
    client.connect(place)
    client.sendall(b"check address=198.51.100.7\n")
    assert client.recv(100).startswith(b"0 "), number
    open_ones.append(client)
time.sleep(1)
after = seen(pid)
print(f"{count} connections, {after[1] - before[1]} threads more")
for name, old, new in zip(["resident", "kernel stacks", "slab"], before[:1] + before[2:], after[:1] + after[2:]):
    print(f"{(new - old) / count:8.2f} KiB a connection  {name} ({old} -> {new} KiB)")
