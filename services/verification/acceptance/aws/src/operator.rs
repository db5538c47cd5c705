//! What an operator of a deployment does.

use serde_json::json;

use crate::deployment::Deployment;
use crate::http::{authorization, post};

impl Deployment {
    /// Gives a secret that the stack made, whose ARN is an output, its value.
    pub async fn put_secret(&self, output: &str, value: &str) {
        let put = json!({ "SecretId": self.output(output), "SecretString": value }).to_string();
        let headers = [
            ("x-amz-target", "secretsmanager.PutSecretValue"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let answer = post(&self.endpoint, "secretsmanager", &headers, put).await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The `Authorization` with which an operator asks the APIs.
    pub fn authorization(&self) -> String {
        authorization("execute-api")
    }

    /// The stage of the WebSocket API for callbacks, which its clients reach by another scheme.
    pub fn management_url(&self) -> String {
        self.output("webSocketUrl").replacen("ws", "http", 1)
    }
}
