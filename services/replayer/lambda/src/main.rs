//! The replayer's Lambda function.

use std::convert::Infallible;

use replayer_lambda::{Config, Function};
use shared_aws::{AttemptLimits, run, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = Config::read(&|name| std::env::var(name).ok())?;
    let function = Function::new(&config, &sdk_config(AttemptLimits::default()).await);
    let invoke = async |invocation| Ok::<_, Infallible>(function.invoke(invocation).await);
    Ok(run(config.run, replayer::describe_metrics, invoke).await?)
}
