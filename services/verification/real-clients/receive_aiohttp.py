"""Prints every message of a WebSocket as a line, with the package `aiohttp`. Never reconnects.

usage: receive_aiohttp.py URL [--interval SECONDS]

--interval is the heartbeat: a ping after so long without a message, and half of that for its pong. The default is 30
seconds. Exit status 1: the connection has ended.
"""

import argparse
import asyncio
import sys

import aiohttp


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("--interval", type=float, default=30)
    options = arguments.parse_args()
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(options.url, heartbeat=options.interval) as socket:
            async for message in socket:
                print(message.data, flush=True)
    sys.exit(f"closed: {socket.close_code}")


asyncio.run(main())
