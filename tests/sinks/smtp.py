"""A mail server that takes everything and writes each mail as a line of JSON: smtp.py PORT FILE"""
import json
import sys
import time

from aiosmtpd.controller import Controller


class Sink:
    async def handle_DATA(self, server, session, envelope):
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "data": envelope.content.decode("ascii")}
        with open(sys.argv[2], "a") as file:
            file.write(json.dumps(mail) + "\n")
        return "250 taken"


controller = Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
while True:
    time.sleep(60)
