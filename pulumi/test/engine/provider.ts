import { uniqueId, type Properties, type Provider } from "./recorder.js";

const REGION = "eu-central-1";
const ACCOUNT = "123456789012";

function arn(service: string, resource: string): string {
    return `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`;
}

function text(inputs: Properties, name: string): string {
    const value = inputs[name];
    if (typeof value !== "string") {
        throw new Error(`${name} is ${JSON.stringify(value)}; a text is needed`);
    }
    return value;
}

type Make = (inputs: Properties) => { id: string; outputs?: Properties };

const byName: Make = (inputs) => ({ id: text(inputs, "name") });
const byNumber: Make = () => ({ id: uniqueId(10) });

function api(inputs: Properties): ReturnType<Make> {
    const id = uniqueId(10);
    const scheme = inputs["protocolType"] === "WEBSOCKET" ? "wss" : "https";
    const outputs = {
        apiEndpoint: `${scheme}://${id}.execute-api.${REGION}.amazonaws.com`,
        executionArn: arn("execute-api", id),
        rootResourceId: uniqueId(10),
    };
    return { id, outputs };
}

function stage(id: string, name: string, scheme: string): ReturnType<Make> {
    const path = name === "$default" ? "" : name;
    return { id: name, outputs: { invokeUrl: `${scheme}://${id}.execute-api.${REGION}.amazonaws.com/${path}` } };
}

/** What AWS answers when a resource is made: what it gives besides the inputs. */
const MAKES: Readonly<Record<string, Make>> = {
    "aws:apigateway/account:Account": byNumber,
    "aws:apigateway/deployment:Deployment": byNumber,
    "aws:apigateway/integration:Integration": byNumber,
    "aws:apigateway/integrationResponse:IntegrationResponse": byNumber,
    "aws:apigateway/method:Method": byNumber,
    "aws:apigateway/methodResponse:MethodResponse": byNumber,
    "aws:apigateway/methodSettings:MethodSettings": byNumber,
    "aws:apigateway/model:Model": byNumber,
    "aws:apigateway/requestValidator:RequestValidator": byNumber,
    "aws:apigateway/resource:Resource": byNumber,
    "aws:apigateway/restApi:RestApi": api,
    "aws:apigateway/stage:Stage": (inputs) => stage(text(inputs, "restApi"), text(inputs, "stageName"), "https"),
    "aws:apigatewayv2/api:Api": api,
    "aws:apigatewayv2/authorizer:Authorizer": byNumber,
    "aws:apigatewayv2/integration:Integration": byNumber,
    "aws:apigatewayv2/route:Route": byNumber,
    "aws:apigatewayv2/routeResponse:RouteResponse": byNumber,
    "aws:apigatewayv2/stage:Stage": (inputs) =>
        stage(text(inputs, "apiId"), text(inputs, "name"), inputs["name"] === "$default" ? "https" : "wss"),
    "aws:cloudwatch/dashboard:Dashboard": (inputs) => ({ id: text(inputs, "dashboardName") }),
    "aws:cloudwatch/logGroup:LogGroup": (inputs) => ({
        id: text(inputs, "name"),
        outputs: { arn: arn("logs", `log-group:${text(inputs, "name")}`) },
    }),
    "aws:cloudwatch/metricAlarm:MetricAlarm": byName,
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
    "aws:iam/role:Role": (inputs) => ({
        id: text(inputs, "name"),
        outputs: { arn: `arn:aws:iam::${ACCOUNT}:role/${text(inputs, "name")}` },
    }),
    "aws:iam/rolePolicy:RolePolicy": byNumber,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": byNumber,
    "aws:kms/alias:Alias": byName,
    "aws:kms/key:Key": () => {
        const id = uniqueId(32);
        return { id, outputs: { keyId: id, arn: arn("kms", `key/${id}`) } };
    },
    "aws:lambda/eventSourceMapping:EventSourceMapping": byNumber,
    "aws:lambda/function:Function": (inputs) => {
        const own = arn("lambda", `function:${text(inputs, "name")}`);
        const invokeArn = `arn:aws:apigateway:${REGION}:lambda:path/2015-03-31/functions/${own}/invocations`;
        return { id: text(inputs, "name"), outputs: { arn: own, invokeArn } };
    },
    // Made, so that it is the rule about doors that speaks.
    "aws:lambda/functionUrl:FunctionUrl": byNumber,
    "aws:lambda/permission:Permission": byNumber,
    "aws:secretsmanager/secret:Secret": (inputs) => {
        const own = arn("secretsmanager", `secret:${text(inputs, "name")}-${uniqueId(6)}`);
        return { id: own, outputs: { arn: own } };
    },
    "aws:sns/topic:Topic": (inputs) => ({ id: text(inputs, "name"), outputs: { arn: arn("sns", text(inputs, "name")) } }),
    "aws:sns/topicSubscription:TopicSubscription": byNumber,
    "aws:sqs/queue:Queue": (inputs) => {
        const url = `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${text(inputs, "name")}`;
        return { id: url, outputs: { url, arn: arn("sqs", text(inputs, "name")) } };
    },
    "aws:sqs/queuePolicy:QueuePolicy": byNumber,
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": byNumber,
};

/** AWS, as far as the program asks it for names. */
export const fakeAws: Provider = (type, name, inputs) => {
    const make = MAKES[type];
    if (make === undefined) {
        return Promise.reject(new Error(`${name} is of the type ${type}, which is not known here`));
    }
    const { id, outputs } = make(inputs);
    return Promise.resolve({ id, outputs: { ...inputs, ...outputs } });
};
