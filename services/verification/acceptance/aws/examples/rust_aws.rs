//! The producer on AWS of `docs/how-to/clients.md`, unchanged.
#![allow(clippy::print_stdout, reason = "it prints the results")]

mod documented {
    /// Stands in for the crate, whose default HTTP client would add another TLS library.
    mod aws_config {
        pub(super) use aws_sdk_sqs::config::BehaviorVersion;

        pub(super) async fn load_defaults(_: BehaviorVersion) -> verification_test_kit::SdkConfig {
            verification_test_kit::sdk_config().await
        }
    }

    include!(concat!(env!("OUT_DIR"), "/rust-aws.rs"));

    pub(super) fn run() -> Result<(), Box<dyn Error>> {
        main()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    documented::run()
}
