//! Certificate authorities that the functions trust.
//!
//! Certificates of AWS's services are signed by the authorities of Amazon Trust Services
//! (<https://docs.aws.amazon.com/sdk-for-java/latest/developer-guide/security-java-tls.html>,
//! <https://www.amazontrust.com/repository/>). Reading these five in place of the system's 140 saves most of a cold start.

use aws_smithy_http_client::tls::TrustStore;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Parts of the names of the authorities of Amazon Trust Services. They stand in their certificates as they are.
const AMAZON: [&str; 2] = ["Amazon Root CA ", "Starfield Services Root Certificate Authority"];

/// Partitions whose services have other authorities, by the beginning of their regions' names: China's, and those apart from
/// the internet.
const OTHER_PARTITIONS: [&str; 2] = ["cn-", "us-iso"];

/// Returns the authorities for calls to AWS: Amazon's, or the system's if the environment names a list of authorities or an
/// endpoint of its own, or a region where AWS has other authorities.
pub(crate) fn for_aws(environment: impl IntoIterator<Item = (String, String)>) -> TrustStore {
    if environment.into_iter().any(|(name, value)| needs_others(&name, &value)) {
        return TrustStore::default();
    }
    TrustStore::empty().with_pem_certificate(amazon())
}

/// Returns true if a variable asks for other authorities than Amazon's.
fn needs_others(name: &str, value: &str) -> bool {
    match name {
        "SSL_CERT_FILE" | "SSL_CERT_DIR" => true,
        "AWS_REGION" => OTHER_PARTITIONS.iter().any(|partition| value.starts_with(partition)),
        _ => name.starts_with("AWS_ENDPOINT_URL"),
    }
}

/// Returns the certificates of Amazon Trust Services in PEM, the only form that the client takes.
fn amazon() -> String {
    let names = |certificate: &[u8]| {
        AMAZON.iter().any(|name| certificate.windows(name.len()).any(|part| part == name.as_bytes()))
    };
    let found = TLS_SERVER_ROOT_CERTS.iter().filter(|certificate| names(certificate));
    found.map(|certificate| pem(certificate)).collect()
}

fn pem(certificate: &[u8]) -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        BASE64_STANDARD.encode(certificate)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_has_five_authorities() {
        let text = amazon();
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
        for name in [
            "Amazon Root CA 1",
            "Amazon Root CA 2",
            "Amazon Root CA 3",
            "Amazon Root CA 4",
            "Starfield Services Root Certificate Authority - G2",
        ] {
            let has_name =
                |certificate: &&[u8]| certificate.windows(name.len()).any(|part| part == name.as_bytes());
            let all = TLS_SERVER_ROOT_CERTS.iter().map(|certificate| &**certificate);
            let certificate: Vec<_> = all.filter(has_name).collect();
            let [certificate] = certificate[..] else {
                panic!("{name} is there {} times", certificate.len())
            };
            assert!(text.contains(&BASE64_STANDARD.encode(certificate)), "{name}");
        }
    }

    #[test]
    fn other_authorities_are_the_systems() {
        let of = |name: &str, value: &str| {
            let store = for_aws([("PATH".to_owned(), "/".to_owned()), (name.to_owned(), value.to_owned())]);
            format!("{store:?}").contains("enable_native_roots: true")
        };
        assert!(of("SSL_CERT_FILE", "/tmp/authorities.pem"));
        assert!(of("SSL_CERT_DIR", "/tmp"));
        assert!(of("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"));
        assert!(of("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:4566"));
        assert!(of("AWS_REGION", "cn-north-1"));
        assert!(of("AWS_REGION", "us-isob-east-1"));
        assert!(!of("AWS_REGION", "eu-central-1"));
        assert!(!of("AWS_REGION", "us-gov-west-1"));
    }
}
