//! The Lambda function `ws-edge`.

use std::convert::Infallible;

use shared_aws::{AttemptLimits, run, sdk_config};
use ws_edge_lambda::{Config, Function};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = Config::read(&|name| std::env::var(name).ok())?;
    let function = Function::new(&config, &sdk_config(AttemptLimits::default()).await);
    let invoke = async |invocation| Ok::<_, Infallible>(Box::pin(function.invoke(invocation)).await);
    Ok(run(config.run, ws_edge::describe_metrics, invoke).await?)
}
