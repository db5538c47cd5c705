//! The replayer's Lambda function.

use replayer_lambda::{Config, Function};
use shared_aws::{AttemptLimits, run, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = Config::read(&|name| std::env::var(name).ok())?;
    let function = Function::new(&config, &sdk_config(AttemptLimits::default()).await);
    Ok(run(config.run, replayer::describe_metrics, |invocation| function.invoke(invocation)).await?)
}
