"""CPU time of a login's checkpassword step: ratter-checkpassword before /bin/true, /bin/true alone, and Python's start,
which is what a checkpassword script costs. Usage: checkpassword.py BINARY GATE, where GATE is a line gate that listens,
or a path that is not there."""

import os
import resource
import sys

RUNS = 500


def cpu_ms(arguments, runs):
    """CPU time of one run, in milliseconds, of all programs that it became."""
    def used():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    before = used()
    environment = {"TCPREMOTEIP": "192.0.2.7", "SERVICE": "imap"}
    for _ in range(runs):
        reader, writer = os.pipe()
        os.write(writer, b"alice\0secret\0\0")
        os.close(writer)
        pid = os.posix_spawn(arguments[0], arguments, environment, file_actions=[(os.POSIX_SPAWN_DUP2, reader, 3)])
        os.close(reader)
        _, status = os.waitpid(pid, 0)
        assert status == 0, (arguments, status)
    return (used() - before) * 1000 / runs


binary, gate = sys.argv[1:3]
for name, arguments, runs in [
    ("/bin/true", ["/bin/true"], RUNS),
    ("ratter-checkpassword GATE /bin/true", [binary, gate, "/bin/true"], RUNS),
    ("/bin/true", ["/bin/true"], RUNS),
    ("python3 -c pass", [sys.executable, "-c", "pass"], 20),
]:
    print(f"{cpu_ms(arguments, runs):8.2f} ms CPU  {name}")
