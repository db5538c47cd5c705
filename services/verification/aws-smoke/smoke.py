"""Checks a deployed stack from outside, as scripts/aws-smoke describes.

Each check is a function that raises an error if AWS does not do what is expected. EMULATOR has the checks that no
emulator can pass, each with the reason: there they are not run, and said to be left open.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

# Seconds within which a frame must arrive. A cold start and a poll of the queue fit several times.
PATIENCE = 60
# Size of a notification that API Gateway sends in several frames of 32 KiB
# (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
LARGE = 100_000
# Size of the acknowledgement of 700 notifications, the most that clients send in one frame.
ACKNOWLEDGED = 700
# Requests that are more than a queue takes for one user in a second.
FLOOD = 3_000
FLOOD_THREADS = 100
# Problems of answers above a rate, by status: the API's rate, and the queue's.
THROTTLED = {429: "too-many-requests", 503: "unavailable"}


class Failed(Exception):
    """A check has found something else than expected."""


class NotChecked(Exception):
    """A check can't run with this stack's settings."""


def expect(found, expected, what):
    if found != expected:
        raise Failed(f"{what} is {found!r}; expected {expected!r}")


class Stack:
    """A deployed stack, and a user of it."""

    def __init__(self, file):
        self.file = file
        self.outputs = json.loads(pathlib.Path(file).read_text(encoding="utf8"))
        outputs = self.outputs
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL") or None
        self.region = outputs["region"]
        # `tidings-dev` of `…/tidings-dev-notifications.fifo`.
        self.prefix = outputs["queueUrl"].rsplit("/", 1)[1].removesuffix("-notifications.fifo")
        self.password = "Aa1" + secrets.token_urlsafe(24)
        self.users = {}

    def client(self, service):
        return boto3.client(service, region_name=self.region, endpoint_url=self.endpoint)

    def jwt(self, name):
        """Returns a JSON Web Token of a user of the pool, and the user's id. Creates the user."""
        if name not in self.users:
            pool = {"UserPoolId": self.outputs["userPoolId"]}
            cognito = self.client("cognito-idp")
            username = f"smoke-{name}-{uuid.uuid4().hex[:8]}"
            cognito.admin_create_user(**pool, Username=username, MessageAction="SUPPRESS")
            cognito.admin_set_user_password(**pool, Username=username, Password=self.password, Permanent=True)
            result = cognito.admin_initiate_auth(
                **pool,
                ClientId=self.outputs["userPoolClientId"],
                AuthFlow="ADMIN_USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": username, "PASSWORD": self.password},
            )
            attributes = cognito.admin_get_user(**pool, Username=username)["UserAttributes"]
            user_id = next(one["Value"] for one in attributes if one["Name"] == "sub")
            self.users[name] = (username, user_id, result["AuthenticationResult"]["IdToken"])
        return self.users[name][2], self.users[name][1]

    def forget_users(self):
        for username, _, _ in self.users.values():
            self.client("cognito-idp").admin_delete_user(UserPoolId=self.outputs["userPoolId"], Username=username)

    def token(self, name):
        """Gets a connect token for a user from the token API."""
        jwt, _ = self.jwt(name)
        request = urllib.request.Request(self.outputs["tokenUrl"], method="POST", headers={"Authorization": f"Bearer {jwt}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["token"]

    def open(self, name, query="", **options):
        """Opens a connection of a user."""
        url = f"{self.outputs['webSocketUrl']}?token={self.token(name)}{query}"
        return connect(url, open_timeout=PATIENCE, max_size=None, **options)

    def send(self, name, payload, **more):
        """Sends a notification to a user over the queue, and returns its id."""
        _, user = self.jwt(name)
        notification = {"userId": user, "id": str(uuid.uuid4()), "payload": payload} | more
        self.client("sqs").send_message(
            QueueUrl=self.outputs["queueUrl"],
            MessageBody=json.dumps(notification),
            MessageGroupId=user,
            MessageDeduplicationId=notification["id"],
        )
        return notification["id"]

    def post(self, notification, credentials=None):
        """Posts a notification to the producer API. Returns status, headers and body."""
        body = json.dumps(notification).encode()
        signed = AWSRequest("POST", self.outputs["producerUrl"], {"Content-Type": "application/json"}, body)
        credentials = credentials or boto3.Session().get_credentials().get_frozen_credentials()
        SigV4Auth(credentials, "execute-api", self.region).add_auth(signed)
        request = urllib.request.Request(self.outputs["producerUrl"], body, dict(signed.headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()


def frame(socket):
    return json.loads(socket.recv(timeout=PATIENCE))


def notification(socket):
    """Returns the next notification on a connection."""
    while True:
        found = frame(socket)
        if found["type"] == "notification":
            return found


def check_token(stack):
    """users of the pool get connect tokens, and others get none"""
    if not stack.token("alice"):
        raise Failed("the token is empty")
    request = urllib.request.Request(stack.outputs["tokenUrl"], method="POST")
    try:
        urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as refused:
        expect(refused.code, 401, "the status without a JSON Web Token")
    else:
        raise Failed("the token API answers without a JSON Web Token")


def check_connect(stack):
    """a token opens one connection"""
    url = f"{stack.outputs['webSocketUrl']}?token={stack.token('alice')}"
    with connect(url, open_timeout=PATIENCE):
        pass
    try:
        with connect(url, open_timeout=PATIENCE):
            raise Failed("a token opens a second connection")
    except InvalidStatus as refused:
        expect(refused.response.status_code, 403, "the status of a used token")


def check_unauthorized(stack):
    """API Gateway answers 401 to a handshake without a credential"""
    try:
        with connect(stack.outputs["webSocketUrl"], open_timeout=PATIENCE):
            raise Failed("a handshake without a credential succeeds")
    except InvalidStatus as refused:
        expect(refused.response.status_code, 401, "the status without a credential")


def check_subprotocol(stack):
    """API Gateway returns the subprotocol that it was answered with, when the token comes in one"""
    offered = ["tidings.v1", f"token.{stack.token('alice')}"]
    with connect(stack.outputs["webSocketUrl"], subprotocols=offered, open_timeout=PATIENCE) as socket:
        expect(socket.subprotocol, "tidings.v1", "the subprotocol")


def check_push(stack):
    """a notification sent to the queue reaches a connected user"""
    with stack.open("alice") as socket:
        sent = stack.send("alice", {"order": 1})
        found = notification(socket)
        expect((found["id"], found["payload"], found["replayed"]), (sent, {"order": 1}, False), "the notification")


def check_producer(stack):
    """the producer API takes a signed notification, and refuses what is none"""
    with stack.open("alice") as socket:
        _, user = stack.jwt("alice")
        sent = str(uuid.uuid4())
        status, _, body = stack.post({"userId": user, "id": sent, "payload": 2})
        expect(status, 202, f"the status for {body!r}")
        expect(notification(socket)["id"], sent, "the notification")
    expect(stack.post({"userId": user})[0], 400, "the status without a payload")


def check_producer_id(stack):
    """the producer API gives a notification without an id that of its request"""
    with stack.open("alice") as socket:
        _, user = stack.jwt("alice")
        status, _, body = stack.post({"userId": user, "payload": 3})
        expect(status, 202, f"the status for {body!r}")
        expect(notification(socket)["payload"], 3, "the payload")


def check_replay(stack):
    """what came while a user was away is replayed in order, before what comes later"""
    stack.jwt("bob")
    sent = [stack.send("bob", number) for number in range(12)]
    # Until the dispatcher has put them into the mailbox.
    time.sleep(5)
    with stack.open("bob") as socket:
        sent.append(stack.send("bob", "live"))
        expect([notification(socket)["id"] for _ in sent], sent, "the order")


def check_acknowledge(stack):
    """acknowledged notifications are not replayed, and a frame with as many as clients send is accepted"""
    with stack.open("carol", "&acknowledge=true") as socket:
        stack.send("carol", 1)
        sequence = notification(socket)["sequence"]
        # The others exist for nobody, and make the frame as large as it gets.
        others = [str(10**38 + number).rjust(39, "0") for number in range(ACKNOWLEDGED - 1)]
        socket.send(json.dumps({"action": "ack", "sequences": [sequence, *others]}))
        expect(frame(socket)["type"], "ack-ok", "the answer")
    with stack.open("carol", "&acknowledge=true") as socket:
        sent = stack.send("carol", 2)
        expect(notification(socket)["id"], sent, "the first notification of the next connection")


def check_heartbeat(stack):
    """API Gateway passes a ping on and its answer back, and the answer says how long a client may be silent"""
    with stack.open("alice") as socket:
        socket.send(json.dumps({"action": "ping"}))
        found = frame(socket)
        expect(found["type"], "pong", "the answer")
        if not 60_000 <= found.get("heartbeat", 0) < 600_000:
            raise Failed(f"the answer {found} does not tell an interval below API Gateway's ten minutes")


def check_idle(stack):
    """a connection that keeps the told interval stays open, and a silent one is closed after ten minutes"""
    with stack.open("alice") as silent, stack.open("dave") as lively:
        lively.send(json.dumps({"action": "ping"}))
        interval = frame(lively)["heartbeat"] / 1000
        end = time.monotonic() + 11 * 60
        while time.monotonic() < end:
            time.sleep(min(interval, max(0, end - time.monotonic())))
            lively.send(json.dumps({"action": "ping"}))
            expect(frame(lively)["type"], "pong", "the answer")
        try:
            silent.recv(timeout=10)
        except ConnectionClosed:
            return
        except TimeoutError:
            raise Failed("a silent connection is open after eleven minutes") from None


def check_large(stack):
    """a notification of 100,000 bytes arrives whole, in frames of 32 KiB"""
    with stack.open("alice") as socket:
        payload = "x" * LARGE
        stack.send("alice", payload)
        expect(notification(socket)["payload"] == payload, True, "that the payload is whole")


def check_frame_limit(stack):
    """API Gateway closes a connection whose client sends a frame above 32 KiB"""
    with stack.open("alice") as socket:
        socket.send(json.dumps({"action": "ping", "filler": "x" * 40_000}))
        try:
            found = frame(socket)
        except ConnectionClosed as closed:
            expect(closed.rcvd.code if closed.rcvd else None, 1009, "the code of the close")
            return
        raise Failed(f"a frame of 40 KB is answered with {found}")


def edge_settings(stack):
    function = stack.client("lambda").get_function_configuration(FunctionName=f"{stack.prefix}-ws-edge")
    return function["Environment"]["Variables"]


def check_close_oldest(stack):
    """a user at the limit of connections gets one in place of the oldest, which is closed"""
    settings = edge_settings(stack)
    limit = settings.get("TIDINGS_MAX_CONNECTIONS", "off")
    if limit == "off" or settings.get("TIDINGS_TOO_MANY_CONNECTIONS") != "close-oldest":
        raise NotChecked(
            "the stack has no such limit; set TIDINGS_MAX_CONNECTIONS=3 and TIDINGS_TOO_MANY_CONNECTIONS=close-oldest in tidings:settings"
        )
    with contextlib.ExitStack() as opened:
        oldest, *_ = [opened.enter_context(stack.open("erin")) for _ in range(int(limit))]
        newest = opened.enter_context(stack.open("erin"))
        sent = stack.send("erin", "newest")
        expect(notification(newest)["id"], sent, "the notification")
        try:
            found = oldest.recv(timeout=PATIENCE)
        except ConnectionClosed:
            return
        except TimeoutError:
            found = "nothing"
        raise Failed(f"the oldest connection is open and gets {found}")


def check_dead_letter(stack):
    """a message that is no notification becomes a dead letter with a reason, and holds nobody up"""
    sqs, marker = stack.client("sqs"), uuid.uuid4().hex
    _, user = stack.jwt("frank")
    with stack.open("frank") as socket:
        sqs.send_message(
            QueueUrl=stack.outputs["queueUrl"], MessageBody=f"no JSON {marker}", MessageGroupId=user, MessageDeduplicationId=marker
        )
        sent = stack.send("frank", "after")
        expect(notification(socket)["id"], sent, "the notification behind it")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = sqs.receive_message(
            QueueUrl=stack.outputs["deadLetterUrl"], MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=1, WaitTimeSeconds=2
        )
        for message in found.get("Messages", []):
            if marker in message["Body"]:
                sqs.delete_message(QueueUrl=stack.outputs["deadLetterUrl"], ReceiptHandle=message["ReceiptHandle"])
                if "reason" not in message.get("MessageAttributes", {}):
                    raise Failed("the dead letter has no reason")
                return
    raise Failed("there is no dead letter")


def program():
    """Returns the path of the program `tidings`: the one that is built, or the one on PATH."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    built = [path for path in (target / "release/tidings", target / "debug/tidings") if path.exists()]
    return str(max(built, key=lambda path: path.stat().st_mtime)) if built else "tidings"


def check_redrive(stack):
    """`tidings dlq redrive` delivers a dead letter with its id, which SQS's own redrive can't"""
    _, user = stack.jwt("heidi")
    letter = {"userId": user, "id": str(uuid.uuid4()), "payload": "dead"}
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["deadLetterUrl"],
        MessageBody=json.dumps(letter),
        MessageGroupId=user,
        MessageDeduplicationId=letter["id"],
        MessageAttributes={"reason": {"DataType": "String", "StringValue": "aws-smoke"}},
    )
    with stack.open("heidi") as socket:
        command = [program(), "--stack", stack.file, "dlq", "redrive", "--user", user]
        redriven = subprocess.run(command, capture_output=True, text=True)
        expect(redriven.returncode, 0, f"the exit status of tidings, which says {redriven.stdout + redriven.stderr!r},")
        found = notification(socket)
        expect((found["id"], found["payload"]), (letter["id"], "dead"), "the notification")


def check_throttle(stack):
    """a producer above the queue's rate for one user is told 503 or 429 with a time to wait, and never 400"""
    _, user = stack.jwt("grace")
    credentials = boto3.Session().get_credentials().get_frozen_credentials()
    notifications = [{"userId": user, "id": str(uuid.uuid4()), "payload": number, "whenOffline": "drop"} for number in range(FLOOD)]
    with concurrent.futures.ThreadPoolExecutor(FLOOD_THREADS) as pool:
        answers = list(pool.map(lambda one: stack.post(one, credentials), notifications))
    statuses = sorted({status for status, _, _ in answers})
    if not set(statuses) <= {202, *THROTTLED}:
        raise Failed(f"the statuses are {statuses}")
    for status, headers, body in answers:
        if status in THROTTLED:
            expect((headers["Retry-After"], headers["Content-Type"]), ("1", "application/problem+json"), f"the headers of a {status}")
            expect(json.loads(body)["type"], f"urn:tidings:problem:{THROTTLED[status]}", f"the type of the problem of a {status}")
    if 503 not in statuses:
        raise NotChecked(f"the queue throttled none of {FLOOD} requests; the statuses are {statuses}")


# What no emulator that we know can show, with the reason.
EMULATOR = {
    "unauthorized": "ministack answers 500 where an authorizer fails, and AWS 401",
    "subprotocol": "ministack returns no subprotocol, so a client that offers one gives up",
    "producer-id": "ministack renders $context.requestId as nothing, so a notification without an id is refused",
    "idle": "ministack closes no idle connection",
    "frame-limit": "ministack has no limit of frames",
    "throttle": "ministack throttles no queue, and evaluates no condition in an answer's mapping template",
}

CHECKS = {name.removeprefix("check_").replace("_", "-"): check for name, check in list(globals().items()) if name.startswith("check_")}


def run(stack, chosen):
    """Runs checks, prints a line for each, and returns the names of those that failed."""
    failed = []
    for name in chosen:
        check = CHECKS[name]
        print(f"{name}: {check.__doc__}", flush=True)
        if stack.endpoint and name in EMULATOR:
            print(f"    left open: {EMULATOR[name]}", flush=True)
            continue
        began = time.monotonic()
        try:
            check(stack)
        except NotChecked as reason:
            print(f"    left open: {reason}", flush=True)
        except (Failed, OSError, KeyError, ValueError, WebSocketException, BotoCoreError, ClientError) as error:
            print(f"    FAILED: {type(error).__name__}: {error}", flush=True)
            failed.append(name)
        else:
            print(f"    ok, {time.monotonic() - began:.1f} s", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--outputs", required=True)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("checks", nargs="*")
    options = parser.parse_args()
    unknown = [name for name in options.checks if name not in CHECKS]
    if unknown:
        print(f"scripts/aws-smoke: there is no check {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        sys.exit(64)
    stack = Stack(options.outputs)
    if "userPoolId" not in stack.outputs:
        print("scripts/aws-smoke: the stack has no user pool, because tidings:jwtIssuer is set", file=sys.stderr)
        sys.exit(64)
    chosen = options.checks or [name for name in CHECKS if options.slow or name != "idle" or stack.endpoint]
    try:
        failed = run(stack, chosen)
    finally:
        stack.forget_users()
    print(f"{len(failed)} of {len(chosen)} checks failed" + (f": {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
