"""Prints every message of a WebSocket as a line, with the package `websockets`. Never reconnects.

usage: receive_websockets.py URL [--interval SECONDS] [--acknowledge]

--interval replaces the package's defaults: a ping every 20 seconds, and 20 seconds for its pong. --acknowledge
acknowledges each notification after it is printed. Exit status 1: the connection has ended.
"""

import argparse
import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("--interval", type=float)
    arguments.add_argument("--acknowledge", action="store_true")
    options = arguments.parse_args()
    keepalive = {}
    if options.interval is not None:
        keepalive = {"ping_interval": options.interval, "ping_timeout": options.interval}
    async with connect(options.url, proxy=None, **keepalive) as socket:
        async for message in socket:
            print(message, flush=True)
            sequence = json.loads(message).get("sequence")
            if options.acknowledge and sequence is not None:
                await socket.send(json.dumps({"action": "ack", "sequences": [sequence]}))
    sys.exit(f"closed: {socket.close_code} {socket.close_reason}")


asyncio.run(main())
