"""TCP as servers and clients of a test speak it.

tcp.py serve PORT...                 greets, and holds every connection open
tcp.py open FROM TO PORT             says `open` once greeted, and then how the connection ended
tcp.py try FROM TO PORT              says `open`, `refused` or `silent`
"""
import socket
import sys
import threading


def hold(connection):
    connection.sendall(b"hello\r\n")
    try:
        while connection.recv(1024):
            pass
    except OSError:
        pass


def serve(port):
    family = socket.AF_INET6
    with socket.create_server(("", port), family=family, dualstack_ipv6=True) as server:
        while True:
            threading.Thread(target=hold, args=(server.accept()[0],), daemon=True).start()


def connect(source, target, port, patience):
    client = socket.create_connection((target, int(port)), patience, (source, 0))
    client.recv(1024)
    return client


if sys.argv[1] == "serve":
    for port in sys.argv[2:]:
        threading.Thread(target=serve, args=(int(port),)).start()
else:
    try:
        client = connect(*sys.argv[2:5], 2)
        print("open", flush=True)
        if sys.argv[1] == "open":
            client.settimeout(60)
            print("ended" if client.recv(1024) == b"" else "odd", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)
    except ConnectionRefusedError:
        print("refused", flush=True)
    except TimeoutError:
        print("silent", flush=True)
