//! Users of a deployment's user pool.

use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::http::post;

/// A user who has logged in.
pub struct Login {
    /// The claim `sub`, which is the user id of notifications.
    pub user: String,
    /// The ID token.
    pub jwt: String,
}

impl Deployment {
    /// Creates a user in the pool as an administrator, and logs the user in.
    pub async fn log_in(&self, name: &str) -> Login {
        let pool = self.output("userPoolId");
        let password = format!("Aa1{}", uuid::Uuid::new_v4().simple());
        let made = json!({ "UserPoolId": pool, "Username": name, "MessageAction": "SUPPRESS" });
        let made = self.cognito("AdminCreateUser", &made).await;
        let attributes = made["User"]["Attributes"].as_array().unwrap();
        let sub = attributes.iter().find(|one| one["Name"] == "sub").unwrap();
        let set = json!({ "UserPoolId": pool, "Username": name, "Password": password, "Permanent": true });
        self.cognito("AdminSetUserPassword", &set).await;
        let start = json!({
            "UserPoolId": pool,
            "ClientId": self.output("userPoolClientId"),
            "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": name, "PASSWORD": password },
        });
        let started = self.cognito("AdminInitiateAuth", &start).await;
        let jwt = started["AuthenticationResult"]["IdToken"].as_str().unwrap();
        Login { user: sub["Value"].as_str().unwrap().to_owned(), jwt: jwt.to_owned() }
    }

    /// Calls an action of Cognito user pools.
    async fn cognito(&self, action: &str, request: &Value) -> Value {
        let target = format!("AWSCognitoIdentityProviderService.{action}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        let answer = post(&self.endpoint, "cognito-idp", &headers, request.to_string()).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{action}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Asks for a connect token as a user and returns the status and the answer.
    pub async fn ask_token(&self, jwt: Option<&str>) -> (u16, Value) {
        let mut request = reqwest::Client::new().post(self.output("tokenUrl"));
        if let Some(jwt) = jwt {
            request = request.bearer_auth(jwt);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}
