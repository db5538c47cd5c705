//! Messages that go on with a trace.

use std::collections::HashMap;

use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use shared_ports::trace;

/// The system attributes by which a message belongs to the trace of the work under way; `None` when it
/// belongs to none
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>).
pub fn trace_attributes() -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>
{
    let header = trace::current()?;
    let value = MessageSystemAttributeValue::builder().data_type("String").string_value(&*header).build();
    Some(HashMap::from([(MessageSystemAttributeNameForSends::AwsTraceHeader, value.ok()?)]))
}
