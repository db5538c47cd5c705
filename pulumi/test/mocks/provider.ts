import { uniqueId, type Properties, type Provider } from "./recorder.js";

const REGION = "eu-central-1";
const ACCOUNT = "123456789012";

function arn(service: string, resource: string): string {
    return `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`;
}

function text(inputs: Properties, name: string): string {
    const value = inputs[name];
    if (typeof value !== "string") {
        throw new Error(`${name} is ${JSON.stringify(value)}; expected a string`);
    }
    return value;
}

/** Returns the id and outputs that AWS would give a resource. */
type Create = (inputs: Properties) => { id: string; outputs?: Properties };

const withNameAsId: Create = (inputs) => ({ id: text(inputs, "name") });
const withRandomId: Create = () => ({ id: uniqueId(10) });

function api(inputs: Properties): ReturnType<Create> {
    const id = uniqueId(10);
    const scheme = inputs["protocolType"] === "WEBSOCKET" ? "wss" : "https";
    const outputs = {
        apiEndpoint: `${scheme}://${id}.execute-api.${REGION}.amazonaws.com`,
        executionArn: arn("execute-api", id),
        rootResourceId: uniqueId(10),
    };
    return { id, outputs };
}

function stage(id: string, name: string, scheme: string): ReturnType<Create> {
    const path = name === "$default" ? "" : name;
    return { id: name, outputs: { invokeUrl: `${scheme}://${id}.execute-api.${REGION}.amazonaws.com/${path}` } };
}

/** Fakes of AWS by resource type. */
const CREATE: Readonly<Record<string, Create>> = {
    "aws:apigateway/account:Account": withRandomId,
    "aws:apigateway/deployment:Deployment": withRandomId,
    "aws:apigateway/integration:Integration": withRandomId,
    "aws:apigateway/integrationResponse:IntegrationResponse": withRandomId,
    "aws:apigateway/method:Method": withRandomId,
    "aws:apigateway/methodResponse:MethodResponse": withRandomId,
    "aws:apigateway/methodSettings:MethodSettings": withRandomId,
    "aws:apigateway/model:Model": withRandomId,
    "aws:apigateway/requestValidator:RequestValidator": withRandomId,
    "aws:apigateway/response:Response": withRandomId,
    "aws:apigateway/resource:Resource": withRandomId,
    "aws:apigateway/restApi:RestApi": api,
    "aws:apigateway/stage:Stage": (inputs) => stage(text(inputs, "restApi"), text(inputs, "stageName"), "https"),
    "aws:apigatewayv2/api:Api": api,
    "aws:apigatewayv2/authorizer:Authorizer": withRandomId,
    "aws:apigatewayv2/integration:Integration": withRandomId,
    "aws:apigatewayv2/route:Route": withRandomId,
    "aws:apigatewayv2/routeResponse:RouteResponse": withRandomId,
    "aws:apigatewayv2/stage:Stage": (inputs) =>
        stage(text(inputs, "apiId"), text(inputs, "name"), inputs["name"] === "$default" ? "https" : "wss"),
    "aws:cloudwatch/dashboard:Dashboard": (inputs) => ({ id: text(inputs, "dashboardName") }),
    "aws:cloudwatch/eventRule:EventRule": (inputs) => ({
        id: text(inputs, "name"),
        outputs: { arn: arn("events", `rule/${text(inputs, "name")}`) },
    }),
    "aws:cloudwatch/eventTarget:EventTarget": withRandomId,
    "aws:cloudwatch/logGroup:LogGroup": (inputs) => ({
        id: text(inputs, "name"),
        outputs: { arn: arn("logs", `log-group:${text(inputs, "name")}`) },
    }),
    "aws:cloudwatch/metricAlarm:MetricAlarm": withNameAsId,
    "aws:cognito/userPool:UserPool": () => {
        const id = `${REGION}_${uniqueId(9)}`;
        return { id, outputs: { endpoint: `cognito-idp.${REGION}.amazonaws.com/${id}` } };
    },
    "aws:cognito/userPoolClient:UserPoolClient": () => ({ id: uniqueId(26) }),
    "aws:dynamodb/table:Table": (inputs) => {
        const name = arn("dynamodb", `table/${text(inputs, "name")}`);
        const stream = inputs["streamEnabled"] === true ? { streamArn: `${name}/stream/2026-01-01T00:00:00.000` } : {};
        return { id: text(inputs, "name"), outputs: { arn: name, ...stream } };
    },
    "aws:iam/role:Role": (inputs) => {
        const name = inputs["name"] === undefined ? `${text(inputs, "namePrefix")}${uniqueId(8)}` : text(inputs, "name");
        return { id: name, outputs: { name, arn: `arn:aws:iam::${ACCOUNT}:role/${name}` } };
    },
    "aws:iam/rolePolicy:RolePolicy": withRandomId,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": withRandomId,
    "aws:kms/alias:Alias": withNameAsId,
    "aws:kms/key:Key": () => {
        const id = uniqueId(32);
        return { id, outputs: { keyId: id, arn: arn("kms", `key/${id}`) } };
    },
    "aws:lambda/eventSourceMapping:EventSourceMapping": withRandomId,
    "aws:lambda/function:Function": (inputs) => {
        const own = arn("lambda", `function:${text(inputs, "name")}`);
        const invokeArn = `arn:aws:apigateway:${REGION}:lambda:path/2015-03-31/functions/${own}/invocations`;
        return { id: text(inputs, "name"), outputs: { arn: own, invokeArn } };
    },
    // The program has no function URL. With this type here, the rule about public endpoints reports one.
    "aws:lambda/functionUrl:FunctionUrl": withRandomId,
    "aws:lambda/permission:Permission": withRandomId,
    "aws:secretsmanager/secret:Secret": (inputs) => {
        const own = arn("secretsmanager", `secret:${text(inputs, "name")}-${uniqueId(6)}`);
        return { id: own, outputs: { arn: own } };
    },
    "aws:sns/topic:Topic": (inputs) => ({ id: text(inputs, "name"), outputs: { arn: arn("sns", text(inputs, "name")) } }),
    "aws:sns/topicSubscription:TopicSubscription": withRandomId,
    "aws:sqs/queue:Queue": (inputs) => {
        const url = `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${text(inputs, "name")}`;
        return { id: url, outputs: { url, arn: arn("sqs", text(inputs, "name")) } };
    },
    "aws:sqs/queuePolicy:QueuePolicy": withRandomId,
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": withRandomId,
};

/** A provider that creates nothing and answers with names like those of AWS. */
export const fakeAws: Provider = (type, name, inputs) => {
    const create = CREATE[type];
    if (create === undefined) {
        return Promise.reject(new Error(`${name} has the unknown type ${type}`));
    }
    const { id, outputs } = create(inputs);
    return Promise.resolve({ id, outputs: { ...inputs, ...outputs } });
};
