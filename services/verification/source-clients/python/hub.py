"""A client that signs its handshake, as the one of lambda-hub-websocket-auth does.

usage: hub.py URL SESSION [--date-time ISO8601] [--without HEADER]

The secret is in the environment variable HUB_SECRET. Prints one JSON object a line: {"connected": true} or
{"refused": STATUS}, then {"received": TEXT} for every message. Sends every line of standard input as a message, and
closes the connection when that ends.
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


def say(line):
    print(json.dumps(line), flush=True)


def signed_headers(session_id, date_time, secret_key):
    data_to_sign = f"{session_id}:{date_time}".encode("utf-8")
    signature = hmac.new(secret_key.encode("utf-8"), data_to_sign, hashlib.sha256).hexdigest()
    return {"X-Session": session_id, "X-Date-Time": date_time, "X-Signature": signature}


def receive(socket):
    try:
        for message in socket:
            say({"received": message})
    except ConnectionClosed:
        pass


def main():
    now = datetime.datetime.now(datetime.timezone.utc)
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("session")
    arguments.add_argument("--date-time", default=now.isoformat().replace("+00:00", "Z"))
    arguments.add_argument("--without")
    told = arguments.parse_args()
    headers = signed_headers(told.session, told.date_time, os.environ["HUB_SECRET"])
    headers.pop(told.without, None)
    try:
        # A machine under load may take its time, and no proxy is between.
        socket = connect(told.url, additional_headers=headers, open_timeout=60, proxy=None)
    except InvalidStatus as error:
        say({"refused": error.response.status_code})
        return
    say({"connected": True})
    threading.Thread(target=receive, args=(socket,), daemon=True).start()
    for line in sys.stdin:
        socket.send(line.rstrip("\n"))
    socket.close()


main()
