import { randomBytes } from "node:crypto";

import * as sdk from "@aws-sdk/client-cognito-identity-provider";

import { clientConfiguration, given } from "./endpoint.js";
import type { Outputs } from "./stack.js";

/** Whoever has logged in. */
export interface Login {
    /** `sub` of the token, which is whom notifications are for. */
    readonly userId: string;
    /** The ID token. */
    readonly jwt: string;
}

/** Has letters of both cases and digits, as the pool's policy wants, and is long enough for any. */
function newPassword(): string {
    return `Aa1${randomBytes(24).toString("base64url")}`;
}

/** Logs a user of the stack in with a new password, and makes the user first if there is none of the name. */
export async function login(outputs: Outputs, name: string): Promise<Login> {
    const { userPoolId: UserPoolId, userPoolClientId: ClientId, region } = outputs;
    // All of an emulator is behind one address.
    const pools = new sdk.CognitoIdentityProviderClient(clientConfiguration(new URL(outputs.tokenUrl).origin, region));
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
    return { userId: given(sub, "id of the user"), jwt: given(result?.IdToken, "ID token") };
}
