//! Another application's JSON Web Tokens, which the server trusts.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// The application's secret.
pub(crate) const SECRET: &str = "a secret of the application with 48 characters.";

/// Settings with which the server trusts the application's tokens. Its secret is stored in a folder.
pub(crate) fn settings(folder: &Path) -> Vec<(&'static str, String)> {
    let secret = folder.join("application-secret");
    std::fs::write(&secret, SECRET).unwrap();
    let issuers = format!(
        "[{{ issuer = \"application\", algorithm = \"HS256\", secret = '{}', audiences = [\"tidings\"] }}]",
        secret.display()
    );
    vec![
        ("TIDINGS_HANDSHAKE__JWT", "true".to_owned()),
        ("TIDINGS_HANDSHAKE__JWT_ISSUERS", issuers),
        ("TIDINGS_CLIENT_MESSAGES__POLICY", "same-hub".to_owned()),
    ]
}

/// Returns the claims of a token that the server accepts.
pub(crate) fn claims(user: &str) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    json!({ "iss": "application", "aud": "tidings", "sub": user, "iat": now, "exp": now + 600, "hubs": ["room"] })
}

/// Signs claims. The header says `algorithm`, whatever that is.
pub(crate) fn sign(claims: &Value, algorithm: &str, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": algorithm, "typ": "JWT" })), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Returns a token that the server accepts, as the query of a handshake.
pub(crate) fn query(claims: &Value) -> String {
    format!("access_token={}", sign(claims, "HS256", SECRET))
}
