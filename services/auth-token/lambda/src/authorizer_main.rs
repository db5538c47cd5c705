//! The authorizer's function.

use auth_token_lambda::AuthorizerConfig;
use auth_token_lambda::authorizer::Function;
use shared_aws::{AttemptLimits, run, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = AuthorizerConfig::read(&|name| std::env::var(name).ok())?;
    let function = Function::new(&config, &sdk_config(AttemptLimits::default()).await);
    Ok(run(config.run, auth_token::describe_metrics, |invocation| function.invoke(invocation)).await?)
}
