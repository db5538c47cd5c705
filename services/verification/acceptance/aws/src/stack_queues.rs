//! The queues of a stack, filled by hand, and the program that redrives them.

use std::process::Stdio;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};
use tokio::process::Command;
use verification_test_kit::{REGION, TestResources, endpoint};

use crate::deployment::binary;

/// Time within which SQS moves messages.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The program's answer.
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// The lines of standard output as JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }
}

/// The notifications queue and the dead-letter queue of a stack.
pub struct StackQueues {
    client: Client,
    outputs: Value,
}

impl StackQueues {
    /// Makes queues that nothing else uses.
    pub async fn new(resources: &TestResources) -> Self {
        let queue = resources.queue().await;
        let outputs =
            json!({ "region": REGION, "queueUrl": queue.url, "deadLetterUrl": queue.dead_letter_url });
        let queues = Self::of(resources, &outputs);
        queues.set_maximum(300).await;
        queues
    }

    /// The queues of existing outputs.
    pub fn of(resources: &TestResources, outputs: &Value) -> Self {
        Self { client: resources.sqs.clone(), outputs: outputs.clone() }
    }

    fn url(&self, output: &str) -> &str {
        self.outputs[output].as_str().unwrap()
    }

    /// Sets the number of receives after which SQS moves a message.
    async fn set_maximum(&self, receives: u32) {
        let letters = self.client.get_queue_attributes().queue_url(self.url("deadLetterUrl"));
        let letters = letters.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
        let target = &letters.attributes.unwrap()[&QueueAttributeName::QueueArn];
        let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": receives }).to_string();
        let request = self.client.set_queue_attributes().queue_url(self.url("queueUrl"));
        request.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    }

    /// Sends an entry to the notifications queue.
    pub async fn send(&self, group: &str, id: &str, body: &Value) {
        let request =
            self.client.send_message().queue_url(self.url("queueUrl")).message_body(body.to_string());
        request.message_group_id(group).message_deduplication_id(id).send().await.unwrap();
    }

    /// Sends what the redrive of a letter would.
    pub async fn send_as(&self, letter: &str, group: &str, body: &Value) {
        self.send(group, letter, body).await;
    }

    /// Sends a letter to the dead-letter queue, as the dispatcher does.
    pub async fn dead_letter(&self, group: &str, id: &str, body: &Value, attributes: &Value) {
        let mut request =
            self.client.send_message().queue_url(self.url("deadLetterUrl")).message_body(body.to_string());
        for (name, value) in attributes.as_object().unwrap() {
            let text =
                MessageAttributeValue::builder().data_type("String").string_value(value.as_str().unwrap());
            request = request.message_attributes(name, text.build().unwrap());
        }
        request.message_group_id(group).message_deduplication_id(id).send().await.unwrap();
    }

    /// Fails all messages of the notifications queue so often that SQS moves them to the dead-letter queue.
    pub async fn move_all_to_dead_letters(&self, count: usize) {
        self.set_maximum(1).await;
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        while self.dead_letters().await < count {
            assert!(tokio::time::Instant::now() < deadline, "the messages are moved");
            let receive = self.client.receive_message().queue_url(self.url("queueUrl"));
            receive.max_number_of_messages(10).visibility_timeout(0).send().await.unwrap();
        }
    }

    async fn dead_letters(&self) -> usize {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(self.url("deadLetterUrl"));
        let answer = request.attribute_names(name.clone()).send().await.unwrap();
        answer.attributes.unwrap()[&name].parse().unwrap()
    }

    /// Takes all entries off the notifications queue and returns their bodies.
    pub async fn waiting(&self) -> Vec<Value> {
        let mut bodies = Vec::new();
        loop {
            let receive =
                self.client.receive_message().queue_url(self.url("queueUrl")).max_number_of_messages(10);
            let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                bodies.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let delete = self.client.delete_message().queue_url(self.url("queueUrl"));
                delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
        }
    }

    /// Runs `tidings --stack` with the outputs.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        run(&self.outputs, arguments).await
    }

    /// Lists the dead letters with another value of one output.
    pub async fn with_output(&self, name: &str, value: &Value) -> Ran {
        let mut outputs = self.outputs.clone();
        outputs[name] = value.clone();
        run(&outputs, &["dlq", "list"]).await
    }
}

async fn run(outputs: &Value, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outputs.json");
    std::fs::write(&file, outputs.to_string()).unwrap();
    let mut command = Command::new(binary("tidings"));
    command.arg("--stack").arg(&file).args(arguments).env("AWS_ENDPOINT_URL", endpoint());
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").stdin(Stdio::null());
    let output = command.output().await.unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
