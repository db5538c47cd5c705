//! The binary of the issuer's function.

use std::convert::Infallible;

use auth_token_lambda::IssuerConfig;
use auth_token_lambda::issuer::Function;
use shared_aws::{AttemptLimits, run, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = IssuerConfig::read(&|name| std::env::var(name).ok())?;
    let function = Function::new(&config, &sdk_config(AttemptLimits::default()).await);
    let invoke = async |invocation| Ok::<_, Infallible>(function.invoke(invocation).await);
    Ok(run(config.run, auth_token::describe_metrics, invoke).await?)
}
