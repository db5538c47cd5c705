//! The binary of the authorizer's function.

use auth_token_lambda::AuthorizerConfig;
use auth_token_lambda::authorizer::Function;
use shared_aws::{AttemptLimits, run, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = AuthorizerConfig::read(&|name| std::env::var(name).ok())?;
    let sdk = sdk_config(AttemptLimits::default()).await;
    let function = Function::new(&config, &sdk);
    Ok(run(config.run, auth_token::describe_metrics, |invocation| function.invoke(invocation)).await?)
}
