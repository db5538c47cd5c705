//! Requests of the operator of a deployment.

use serde_json::json;

use crate::deployment::Deployment;
use crate::http::{authorization, post};

impl Deployment {
    /// Sets the value of a secret that the stack created. Its ARN is an output.
    pub async fn put_secret(&self, output: &str, value: &str) {
        let put = json!({ "SecretId": self.output(output), "SecretString": value }).to_string();
        let headers = [
            ("x-amz-target", "secretsmanager.PutSecretValue"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let answer = post(&self.endpoint, "secretsmanager", &headers, put).await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The operator's `Authorization` header for the APIs.
    pub fn authorization(&self) -> String {
        authorization("execute-api")
    }

    /// The URL of the management API: the WebSocket URL with the scheme of HTTP.
    pub fn management_url(&self) -> String {
        self.output("webSocketUrl").replacen("ws", "http", 1)
    }
}
