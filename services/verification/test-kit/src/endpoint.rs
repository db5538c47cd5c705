//! The AWS endpoint of the tests: the one in the environment, or an emulator.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_dynamodb::config::Credentials;
use shared_aws::AttemptLimits;

/// The AWS region of all tests.
pub const REGION: &str = "us-east-1";

/// The script that installs and starts the emulator.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/local-aws");

/// Time within which an installed emulator must start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// An emulator of this process. It ends with the process, because the process holds its standard input.
struct Emulator {
    url: String,
    _process: Child,
}

static EMULATOR: OnceLock<Emulator> = OnceLock::new();
static ENFORCING: OnceLock<Emulator> = OnceLock::new();

/// Returns the URL of the endpoint: `AWS_ENDPOINT_URL`, or an emulator that is started at the first call and
/// shared by the process.
///
/// # Panics
/// There is no endpoint and no emulator can be started. The message says what to do.
pub fn endpoint() -> String {
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => EMULATOR.get_or_init(|| start(false)).url.clone(),
    }
}

/// Returns the URL of an emulator that enforces the permissions of functions, started at the first call and
/// shared by the process.
///
/// # Panics
/// No emulator can be started. The message says what to do.
pub fn enforcing_endpoint() -> String {
    ENFORCING.get_or_init(|| start(true)).url.clone()
}

fn start(enforces_permissions: bool) -> Emulator {
    let installed = Command::new(SCRIPT).arg("install").status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "no AWS endpoint: run `scripts/local-aws install` to see what is missing, or set AWS_ENDPOINT_URL"
    );
    // Another process may take the free port before the emulator does. Then another port is tried.
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(SCRIPT)
            .args(["serve-while", &port.to_string()])
            .env("AUTH", enforces_permissions.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/local-aws can be run");
        if is_up(&mut process, port) {
            return Emulator { url: format!("http://127.0.0.1:{port}"), _process: process };
        }
        _ = process.kill();
    }
    panic!("the AWS emulator does not start: run `scripts/local-aws serve` to see why");
}

/// Waits until the emulator answers. Returns false if it ends or takes longer than [`START_TIMEOUT`].
fn is_up(process: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        let answers = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        // Checked after connecting, because the answer may come from another process that took the port
        // first.
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if answers {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Makes the configuration of clients for [`endpoint`], as [`sdk_config_on`] does.
///
/// # Panics
/// There is no endpoint and no emulator can be started.
pub async fn sdk_config() -> SdkConfig {
    sdk_config_on(&endpoint()).await
}

/// Makes the configuration of clients for an endpoint. Those of single services in the environment
/// (`AWS_ENDPOINT_URL_SQS`, …: <https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html>) come
/// first.
pub async fn sdk_config_on(endpoint: &str) -> SdkConfig {
    // In a configuration file, because the SDK prefers the variables of single services to it, and an endpoint in
    // the code to both (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
    let file = format!("[default]\nendpoint_url = {endpoint}\n");
    let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, file).build();
    test_config().profile_name("default").profile_files(files).load().await
}

/// Makes the configuration of clients for a [`FakeEndpoint`](crate::FakeEndpoint). Endpoints in the environment
/// don't count.
pub async fn sdk_config_for(endpoint: &str) -> SdkConfig {
    test_config().endpoint_url(endpoint).load().await
}

/// Returns the settings of every test's clients.
fn test_config() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .http_client(shared_aws::http_client(shared_aws::http_connector(AttemptLimits::default().connect)))
}
