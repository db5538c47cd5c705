//! The endpoint.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use shared_aws::AttemptLimits;

/// The region of all tests.
pub const REGION: &str = "us-east-1";

/// The script that installs and starts the emulator.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/local-aws");

/// How long the emulator may take to start; its installation comes before that.
const PATIENCE: Duration = Duration::from_mins(1);

/// The emulator of this process. It ends with the process, which holds its standard input.
struct Emulator {
    url: String,
    _process: Child,
}

static EMULATOR: OnceLock<Emulator> = OnceLock::new();
static ENFORCING: OnceLock<Emulator> = OnceLock::new();

/// The URL of the endpoint: `AWS_ENDPOINT_URL`, or an emulator started now and shared by this process.
///
/// # Panics
/// When there is none and none can be started; the text says what to do.
pub fn endpoint() -> String {
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => EMULATOR.get_or_init(|| start(false)).url.clone(),
    }
}

/// The URL of an emulator that enforces what the roles of functions allow, started for this process.
///
/// # Panics
/// When none can be started; the text says what to do.
pub fn enforcing_endpoint() -> String {
    ENFORCING.get_or_init(|| start(true)).url.clone()
}

fn start(enforces_permissions: bool) -> Emulator {
    let installed = Command::new(SCRIPT).arg("install").status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "no AWS endpoint: run `scripts/local-aws install` to see what is missing, or set AWS_ENDPOINT_URL"
    );
    // A free port may be taken by another between here and there: then another one is tried.
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

/// Waits until the emulator answers; false when it ended or takes too long.
fn is_up(process: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let answers = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        // Asked afterwards: what answers may be another's, that took the port before.
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

/// The configuration of clients for the endpoint.
pub async fn sdk_config() -> SdkConfig {
    sdk_config_for(&endpoint()).await
}

/// The configuration of clients for another endpoint, such as a stand-in made by the test.
pub async fn sdk_config_for(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .http_client(shared_aws::http_client(shared_aws::http_connector(AttemptLimits::default().connect)))
        .load()
        .await
}
