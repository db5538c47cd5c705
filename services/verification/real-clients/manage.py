"""Describes, writes to and closes a connection with `boto3`, and prints what it gets as lines of JSON.

usage: manage.py URL CONNECTION

AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have the key pair.
"""

import json
import os
import sys

import boto3
from botocore.exceptions import ClientError

url, connection = sys.argv[1:]


def client(**keys):
    return boto3.client("apigatewaymanagementapi", endpoint_url=url, region_name="us-east-1", **keys)


def refusal(call, **arguments):
    """Returns the code and the status with which a call is refused."""
    try:
        call(**arguments)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]]
    raise SystemExit("the call is not refused")


def write(line):
    print(json.dumps(line, default=str), flush=True)


api = client()
described = api.get_connection(ConnectionId=connection)
write({"sourceIp": described["Identity"]["SourceIp"], "connectedAt": described["ConnectedAt"].timestamp()})
api.post_to_connection(ConnectionId=connection, Data=b'{"from": "boto3"}')
stranger = client(aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="another")
write(refusal(stranger.get_connection, ConnectionId=connection))
write(refusal(api.post_to_connection, ConnectionId=connection, Data=b"x" * (128 * 1024 + 1)))
api.delete_connection(ConnectionId=connection)
for call, more in [(api.get_connection, {}), (api.post_to_connection, {"Data": b"x"}), (api.delete_connection, {})]:
    write(refusal(call, ConnectionId=connection, **more))
