import { randomBytes } from "node:crypto";

import * as sdk from "@aws-sdk/client-cognito-identity-provider";

import { clientConfiguration, makeClient, required } from "./endpoint.js";
import type { Outputs } from "./stack.js";

/** A user who has logged in. */
export interface Login {
    /** User id, the `sub` of the token. */
    readonly userId: string;
    /** ID token. */
    readonly jwt: string;
}

/** Returns a random password that meets the pool's policy. */
function newPassword(): string {
    return `Aa1${randomBytes(24).toString("base64url")}`;
}

/** Sets a new password for a user of the stack, creating the user if necessary, and logs the user in. */
export async function login(outputs: Outputs, name: string): Promise<Login> {
    const { userPoolId: UserPoolId, userPoolClientId: ClientId, region } = outputs;
    if (UserPoolId === undefined) {
        throw new Error("the stack has no user pool, because tidings:jwtIssuer is set; log in there");
    }
    // An emulator has the same address for all services.
    const pools = makeClient(sdk.CognitoIdentityProviderClient, clientConfiguration(new URL(outputs.tokenUrl).origin, region));
    const user = { UserPoolId, Username: name };
    const create = new sdk.AdminCreateUserCommand({ ...user, MessageAction: "SUPPRESS" });
    await pools.send(create).catch((error: unknown) => {
        if (!(error instanceof sdk.UsernameExistsException)) {
            throw error;
        }
    });
    const PASSWORD = newPassword();
    await pools.send(new sdk.AdminSetUserPasswordCommand({ ...user, Password: PASSWORD, Permanent: true }));
    const { AuthenticationResult: result } = await pools.send(
        new sdk.AdminInitiateAuthCommand({
            UserPoolId,
            ClientId,
            AuthFlow: "ADMIN_USER_PASSWORD_AUTH",
            AuthParameters: { USERNAME: name, PASSWORD },
        }),
    );
    const { UserAttributes: attributes = [] } = await pools.send(new sdk.AdminGetUserCommand(user));
    const sub = attributes.find(({ Name }) => Name === "sub")?.Value;
    return { userId: required(sub, "id of the user"), jwt: required(result?.IdToken, "ID token") };
}
