//! Passes the current trace on with SQS messages.

use std::collections::HashMap;

use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use shared_ports::trace;

/// Returns the system attributes that make a message part of the current trace, or `None` outside a trace
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>).
pub fn trace_attributes() -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>
{
    let header = trace::current()?;
    let value = MessageSystemAttributeValue::builder().data_type("String").string_value(&*header).build();
    Some(HashMap::from([(MessageSystemAttributeNameForSends::AwsTraceHeader, value.ok()?)]))
}
