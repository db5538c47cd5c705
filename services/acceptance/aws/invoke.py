#!/usr/bin/env python3
"""Invokes a function on the endpoint in AWS_ENDPOINT_URL with the event on standard input; prints its answer.

    invoke.py FUNCTION < event.json
"""

import os
import sys

import botocore.session

session = botocore.session.Session()
session.set_credentials("test", "test")
lambdas = session.create_client("lambda", region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
answer = lambdas.invoke(FunctionName=sys.argv[1], Payload=sys.stdin.buffer.read())
sys.stdout.buffer.write(answer["Payload"].read())
sys.exit(1 if answer.get("FunctionError") else 0)
