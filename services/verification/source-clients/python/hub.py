"""A client that signs its handshake like that of lambda-hub-websocket-auth.

usage: hub.py URL SESSION [--date-time ISO8601] [--without HEADER]

The environment variable HUB_SECRET has the secret. Prints one JSON object a line: {"connected": true} or
{"refused": STATUS}, then {"received": TEXT} for every message. Sends every line of standard input as a message, and
closes the connection at the end of the input.
"""

import argparse
import datetime
import hashlib
import hmac
import json
import os
import sys
import threading

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


def write(line):
    print(json.dumps(line), flush=True)


def signed_headers(session_id, date_time, secret_key):
    data_to_sign = f"{session_id}:{date_time}".encode("utf-8")
    signature = hmac.new(secret_key.encode("utf-8"), data_to_sign, hashlib.sha256).hexdigest()
    return {"X-Session": session_id, "X-Date-Time": date_time, "X-Signature": signature}


def receive(socket):
    try:
        for message in socket:
            write({"received": message})
    except ConnectionClosed:
        pass


def main():
    now = datetime.datetime.now(datetime.timezone.utc)
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("session")
    arguments.add_argument("--date-time", default=now.isoformat().replace("+00:00", "Z"))
    arguments.add_argument("--without")
    options = arguments.parse_args()
    headers = signed_headers(options.session, options.date_time, os.environ["HUB_SECRET"])
    headers.pop(options.without, None)
    try:
        # A long timeout for a machine under load, and no proxy from the environment.
        socket = connect(options.url, additional_headers=headers, open_timeout=60, proxy=None)
    except InvalidStatus as error:
        write({"refused": error.response.status_code})
        return
    write({"connected": True})
    threading.Thread(target=receive, args=(socket,), daemon=True).start()
    for line in sys.stdin:
        socket.send(line.rstrip("\n"))
    socket.close()


main()
