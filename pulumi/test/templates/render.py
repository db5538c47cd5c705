"""Renders mapping templates of API Gateway, as airspeed-ext understands the dialect of AWS.

Standard input is a JSON list of {"template", "body", "requestId"}. The body is that of the request, or of the backend's
answer. Standard output is a JSON list of {"text", "status", "headers"}: the text, and what the template overrides
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html).
"""

import base64
import json
import sys
from urllib.parse import quote_plus

import airspeed
from airspeed.operators import __additional_methods__

# Methods of Java's String that the templates use and airspeed-ext lacks.
__additional_methods__[str] |= {"concat": str.__add__, "toString": str}


class Input:
    """`$input`. A body that is no JSON is a text."""

    def __init__(self, body):
        self.body = body

    def path(self, path):
        try:
            value = json.loads(self.body)
        except ValueError:
            value = self.body
        for name in path.split(".")[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        return value


class Util:
    """`$util`."""

    def urlEncode(self, text):
        return quote_plus(text)

    def base64Encode(self, text):
        return base64.b64encode(text.encode()).decode()


def render(case):
    overrides = {"header": {}}
    context = {"requestId": case["requestId"], "responseOverride": overrides}
    names = {"input": Input(case["body"]), "util": Util(), "context": context}
    text = airspeed.Template(case["template"]).merge(names)
    return {"text": text, "status": overrides.get("status"), "headers": overrides["header"]}


def main():
    print(json.dumps([render(case) for case in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
