//! Classification of AWS errors into retryable and permanent ones.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use shared_ports::PortError;

/// Error codes that are retryable although their HTTP status is below 500: throttling, conflicts of
/// transactions, and credentials about to be renewed
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>).
const RETRYABLE_CODES: [&str; 13] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ExpiredTokenException",
    "KMSInternalException",
];

/// Converts an error of the SDK to an error of a port. It is retryable if a later attempt may succeed.
pub fn port_error<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let retryable = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            let code = refused.err().code().unwrap_or_default();
            status >= 500 || status == 429 || RETRYABLE_CODES.contains(&code)
        }
        _ => false,
    };
    if retryable { PortError::retryable(operation, error) } else { PortError::permanent(operation, error) }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("refused")]
    struct Refused(ErrorMetadata);

    impl ProvideErrorMetadata for Refused {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn refused(status: u16, code: &str) -> PortError {
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        let error = Refused(ErrorMetadata::builder().code(code).build());
        port_error("trying", SdkError::service_error(error, response))
    }

    #[test]
    fn throttling_and_faults_are_retryable() {
        assert!(refused(400, "ProvisionedThroughputExceededException").is_retryable());
        assert!(refused(500, "InternalServerError").is_retryable());
        assert!(refused(429, "whatever").is_retryable());
        assert!(!refused(400, "ValidationException").is_retryable());
        assert!(!refused(403, "AccessDeniedException").is_retryable());
        assert!(port_error::<Refused>("trying", SdkError::timeout_error("late")).is_retryable());
        assert!(!port_error::<Refused>("trying", SdkError::construction_failure("bug")).is_retryable());
    }

    #[test]
    fn source_is_kept() {
        let error = refused(400, "ValidationException");
        assert_eq!(error.to_string(), "trying was refused");
        assert!(error.source().is_some());
    }
}
