#!/usr/bin/env python3
"""Deploys the functions to an AWS endpoint for tests, as contracts/deployment/v1/deployment.json says.

    deploy.py --prefix NAME --archives FOLDER [--without FUNCTION:ACTION]... [--visibility SECONDS]
              [--through URL] [--without-sources] [--history]

FOLDER has an archive for each function (scripts/build-lambdas). The endpoint is AWS_ENDPOINT_URL. --without
leaves an action out of a function's role, to show that the role is what lets the function work. Prints where
everything is, as JSON. What is deployed for real is the Pulumi program's; this makes the same for a test in a
second or two. --visibility shortens the time after which the batch of a function that died comes again. --through
has the functions reach the endpoint by another address, and --without-sources leaves the event sources out, for
who looks at their calls one by one. --history has a history kept. Needs botocore, which the emulator's own
environment has.
"""

import argparse
import json
import os
import pathlib

import botocore.session

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONTRACT = json.loads((ROOT / "contracts/deployment/v1/deployment.json").read_text())
# What a deployment may do without.
VARIABLES = [variable for function in CONTRACT["functions"] for variable in function["variables"]]
OPTIONAL = {v["resource"] for v in VARIABLES if v["resource"] and v["default"] == ""}
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
REGION = "us-east-1"
ACCOUNT = "000000000000"
STAGE = "test"

session = botocore.session.Session()
session.set_credentials("test", "test")


def client(service):
    return session.create_client(service, region_name=REGION, endpoint_url=ENDPOINT)


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def make_tables(prefix, history):
    """The tables, as {name: (table's name, stream's ARN)}."""
    dynamodb, tables = client("dynamodb"), {}
    for table in CONTRACT["tables"]:
        if table["optional"] and not history:
            continue
        keys = [(table["partitionKey"], "HASH")] + [(key, "RANGE") for key in [table["sortKey"]] if key]
        name = f"{prefix}-{table['name']}"
        stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": table["stream"]}}
        made = dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            **(stream if table["stream"] else {}),
        )
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": table["ttl"]}
        )
        tables[table["name"]] = (name, made["TableDescription"].get("LatestStreamArn"))
    return tables


def make_queues(prefix, visibility):
    """The URLs of the notifications queue and of its dead letters. There is one more, for failed replays."""
    sqs, source = client("sqs"), CONTRACT["queueSource"]
    fifo = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "MessageRetentionPeriod": str(14 * 24 * 3600),
    }
    dead_letters = f"{prefix}-dead-letters.fifo"
    dead = sqs.create_queue(QueueName=dead_letters, Attributes=fifo)["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn("sqs", dead_letters), "maxReceiveCount": source["maxReceiveCount"]}
    hidden = {"VisibilityTimeout": str(visibility or source["visibilityTimeoutSeconds"])}
    attributes = fifo | hidden | {"RedrivePolicy": json.dumps(redrive)}
    sqs.create_queue(QueueName=f"{prefix}-replay-failures")
    return sqs.create_queue(QueueName=f"{prefix}-notifications.fifo", Attributes=attributes)["QueueUrl"], dead


def make_role(name, service, statements):
    iam = client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    policy = {"Version": "2012-10-17", "Statement": statements}
    iam.put_role_policy(RoleName=name, PolicyName="least", PolicyDocument=json.dumps(policy))
    return made["Role"]["Arn"]


# On AWS the right to an action of SQS is that to its batch too
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html).
# Where the batch is asked for by its own name, which no policy on AWS has, it is given by that as well.
BATCHES = {f"sqs:{one}": f"sqs:{one}Batch" for one in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}


def statements(function, resources, without):
    allowed = [{
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": arn("logs", f"log-group:/aws/lambda/*{function['name']}:*"),
    }]
    for permission in function["permissions"]:
        actions = [a for a in permission["actions"] if f"{function['name']}:{a}" not in without]
        actions += [BATCHES[action] for action in actions if action in BATCHES]
        left_out = permission["resource"] in OPTIONAL and permission["resource"] not in resources
        if actions and not left_out:
            allowed.append({"Effect": "Allow", "Action": actions, "Resource": resources[permission["resource"]]})
    return allowed


def make_function(prefix, function, role, archive, names, through):
    there = [v for v in function["variables"] if v["resource"] in names or v["resource"] not in OPTIONAL | {None}]
    variables = {v["name"]: names[v["resource"]] for v in there}
    variables["AWS_ENDPOINT_URL"] = through
    variables |= {name: value for name, value in os.environ.items()
                  if name.startswith("TIDINGS_") and name in [v["name"] for v in function["variables"]]}
    name = f"{prefix}-{function['name']}"
    client("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Architectures=["x86_64"],
        Handler="bootstrap",
        Role=role,
        Code={"ZipFile": archive.read_bytes()},
        Timeout=function["timeoutSeconds"],
        MemorySize=256,
        Environment={"Variables": variables},
    )
    return arn("lambda", f"function:{name}"), variables


def connect_sources(prefix, stream, queue_arn, failures):
    lambdas, queue, records = client("lambda"), CONTRACT["queueSource"], CONTRACT["streamSource"]
    lambdas.create_event_source_mapping(
        FunctionName=f"{prefix}-dispatcher",
        EventSourceArn=queue_arn,
        BatchSize=queue["batchSize"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    lambdas.create_event_source_mapping(
        FunctionName=f"{prefix}-replayer",
        EventSourceArn=stream,
        StartingPosition="TRIM_HORIZON",
        BatchSize=records["batchSize"],
        ParallelizationFactor=records["parallelizationFactor"],
        MaximumRetryAttempts=records["maximumRetryAttempts"],
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": failures}},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": [records["eventName"]]})}]},
    )


def invocation_uri(function_arn):
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function_arn}/invocations"


def complete_websocket_api(api, functions):
    gateway = client("apigatewayv2")
    # Without identity sources: with one, API Gateway itself answers 401 to what lacks it.
    authorizer = gateway.create_authorizer(
        ApiId=api,
        Name="handshake",
        AuthorizerType="REQUEST",
        AuthorizerUri=invocation_uri(functions["auth-token-authorizer"]),
        IdentitySource=[],
    )["AuthorizerId"]
    integration = gateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationMethod="POST",
        IntegrationUri=invocation_uri(functions["ws-edge"]),
    )["IntegrationId"]
    for route in CONTRACT["routes"]:
        authorized = {"AuthorizationType": "CUSTOM", "AuthorizerId": authorizer} if route == "$connect" else {}
        answered = {"RouteResponseSelectionExpression": "$default"} if route == "$default" else {}
        made = gateway.create_route(
            ApiId=api, RouteKey=route, Target=f"integrations/{integration}", **authorized, **answered
        )
        if answered:
            gateway.create_route_response(ApiId=api, RouteId=made["RouteId"], RouteResponseKey="$default")
    gateway.create_stage(ApiId=api, StageName=STAGE, AutoDeploy=True)


# A form for SendMessage: the user is the message group, the producer's id deduplicates. It has to give one
# here: templates with conditions are not evaluated alike everywhere.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
SEND = (
    "Action=SendMessage"
    "&MessageGroupId=$util.urlEncode($input.path('$.userId'))"
    "&MessageDeduplicationId=$util.urlEncode($input.path('$.id'))"
    "&MessageBody=$util.urlEncode($input.body)"
)


def make_history_door(gateway, api, root, function_arn):
    parent, door = root, CONTRACT["historyDoor"]
    for part in door["path"].removeprefix("/").split("/"):
        parent = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
    get = {"restApiId": api, "resourceId": parent, "httpMethod": door["method"]}
    gateway.put_method(**get, authorizationType="AWS_IAM")
    gateway.put_integration(
        **get, type="AWS_PROXY", integrationHttpMethod="POST", uri=invocation_uri(function_arn)
    )


def make_producer_api(prefix, queue_name, queue_arn, reader):
    """The URLs of the producers' door and of the history's, which is there if a function reads it."""
    gateway = client("apigateway")
    api = gateway.create_rest_api(name=f"{prefix}-producers")["id"]
    root = next(item["id"] for item in gateway.get_resources(restApiId=api)["items"] if item["path"] == "/")
    door = CONTRACT["producerDoor"]
    part = door["path"].removeprefix("/")
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart=part)["id"]
    role = make_role(
        f"{prefix}-producers",
        "apigateway",
        [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn}],
    )
    text = {"type": "string", "minLength": 1}
    schema = {"type": "object", "required": ["userId", "id"], "properties": {"userId": text, "id": text}}
    gateway.create_model(restApiId=api, name="Notification", contentType="application/json", schema=json.dumps(schema))
    validator = gateway.create_request_validator(restApiId=api, name="body", validateRequestBody=True)["id"]
    post = {"restApiId": api, "resourceId": resource, "httpMethod": door["method"]}
    gateway.put_method(
        **post,
        authorizationType="AWS_IAM",
        requestModels={"application/json": "Notification"},
        requestValidatorId=validator,
    )
    gateway.put_integration(
        **post,
        type="AWS",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/{queue_name}",
        credentials=role,
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={"application/json": SEND},
        passthroughBehavior="NEVER",
    )
    # What is not a success of the queue must not look like one.
    for status, pattern in (("202", None), ("400", "4\\d{2}"), ("503", "5\\d{2}")):
        gateway.put_method_response(**post, statusCode=status)
        selected = {"selectionPattern": pattern} if pattern else {}
        gateway.put_integration_response(
            **post, statusCode=status, responseTemplates={"application/json": "{}"}, **selected
        )
    if reader:
        make_history_door(gateway, api, root, reader)
    gateway.create_deployment(restApiId=api, stageName=STAGE)
    base = f"{ENDPOINT}/restapis/{api}/{STAGE}/_user_request_"
    return base + door["path"], f"{base}/history" if reader else None


def deploy(prefix, archives, without, visibility, through, sources, history):
    tables = make_tables(prefix, history)
    queue, dead_letters = make_queues(prefix, visibility)
    queue_arn = arn("sqs", f"{prefix}-notifications.fifo")
    key = client("kms").create_key()["KeyMetadata"]
    gateway = client("apigatewayv2")
    api = gateway.create_api(
        Name=f"{prefix}-clients", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    path = f"_aws/execute-api/{api}/{STAGE}"
    stream = tables["connections"][1]
    resources = {
        "connectionsTable": arn("dynamodb", f"table/{tables['connections'][0]}"),
        "connectionsStream": stream,
        "mailboxTable": arn("dynamodb", f"table/{tables['mailbox'][0]}"),
        "tokensTable": arn("dynamodb", f"table/{tables['tokens'][0]}"),
        "notificationsQueue": queue_arn,
        "deadLetterQueue": arn("sqs", f"{prefix}-dead-letters.fifo"),
        "replayFailureQueue": arn("sqs", f"{prefix}-replay-failures"),
        "tokenKey": key["Arn"],
        "connections": arn("execute-api", f"{api}/{STAGE}/POST/@connections/*"),
    }
    if history:
        resources["historyTable"] = arn("dynamodb", f"table/{tables['history'][0]}")
    names = {
        "connectionsTable": tables["connections"][0],
        "mailboxTable": tables["mailbox"][0],
        "tokensTable": tables["tokens"][0],
        "notificationsQueue": queue,
        "deadLetterQueue": dead_letters,
        "connections": f"{through}/{path}",
        "tokenKey": key["KeyId"],
    }
    if history:
        names["historyTable"] = tables["history"][0]
    functions, environments = {}, {}
    for function in CONTRACT["functions"]:
        name = function["name"]
        role = make_role(f"{prefix}-{name}", "lambda", statements(function, resources, without))
        archive = archives / f"{name}.zip"
        functions[name], environments[name] = make_function(prefix, function, role, archive, names, through)
    if sources:
        connect_sources(prefix, stream, queue_arn, resources["replayFailureQueue"])
    complete_websocket_api(api, functions)
    reader = functions["ws-edge"] if history else None
    producers, histories = make_producer_api(prefix, f"{prefix}-notifications.fifo", queue_arn, reader)
    return {
        "endpoint": ENDPOINT,
        "region": REGION,
        "webSocketUrl": f"{ENDPOINT}/{path}".replace("http", "ws", 1),
        "producerUrl": producers,
        "historyUrl": histories,
        "functions": functions,
        "tables": {name: table for name, (table, _) in tables.items()},
        "queueUrl": queue,
        "deadLetterUrl": dead_letters,
        "environments": environments,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--archives", required=True, type=pathlib.Path)
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--visibility", type=int)
    parser.add_argument("--through", default=ENDPOINT)
    parser.add_argument("--without-sources", action="store_false", dest="sources")
    parser.add_argument("--history", action="store_true")
    outputs = deploy(**vars(parser.parse_args()))
    print(json.dumps(outputs, indent=2))


if __name__ == "__main__":
    main()
