"""A web server that writes each request as a line of JSON: http.py PORT FILE REFUSALS [CERTIFICATE KEY]

The first REFUSALS requests are answered with 503."""
import http.server
import json
import ssl
import sys

refusals = int(sys.argv[3])


class Sink(http.server.BaseHTTPRequestHandler):
    def take(self):
        global refusals
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status = 200
        if refusals > 0:
            refusals -= 1
            status = 503
        elif self.path.startswith("/unknown"):
            status = 404
        request = {"method": self.command, "path": self.path, "body": body, "status": status}
        request["header"] = {name.lower(): value for name, value in self.headers.items()}
        with open(sys.argv[2], "a") as file:
            file.write(json.dumps(request) + "\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = take

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
