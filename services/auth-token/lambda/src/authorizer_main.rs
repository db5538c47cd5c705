//! The binary of the authorizer's function.

use auth_token_lambda::AuthorizerConfig;
use auth_token_lambda::authorizer::Function;
use shared_aws::{AttemptLimits, http_connector, run, sdk_config_over};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = AuthorizerConfig::read(&|name| std::env::var(name).ok())?;
    let limits = AttemptLimits::default();
    let connector = http_connector(limits.connect);
    let sdk = sdk_config_over(limits, connector.clone()).await;
    let function = Function::new(&config, &sdk, connector);
    Ok(run(config.run, auth_token::describe_metrics, |invocation| function.invoke(invocation)).await?)
}
