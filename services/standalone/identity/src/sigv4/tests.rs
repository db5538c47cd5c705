//! Tests of the verifier with requests signed by other implementations, and with tampered requests.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A request whose parts a test can change.
#[derive(Debug, Clone, Deserialize)]
struct Request {
    #[serde(default)]
    name: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn parts(&self) -> RequestParts<'_> {
        RequestParts {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        }
    }

    fn verify(&self, key: &AccessKey, seconds: u64) -> Result<AccessKeyId, SigV4Error> {
        verify(key, &self.parts(), &sha256(self.body.as_bytes()), Timestamp::from_millis(seconds * 1000))
    }

    fn header(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(name));
        &mut found.unwrap().1
    }

    fn replace(mut self, header: &str, from: &str, to: &str) -> Self {
        let value = self.header(header);
        assert!(value.contains(from), "{value} has no {from}");
        *value = value.replace(from, to);
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

mod aws_test_suite {
    use super::*;

    #[derive(Deserialize)]
    struct Case {
        #[serde(flatten)]
        request: Request,
        canonical: String,
        authorization: String,
    }

    /// 2015-08-30T12:36:00Z.
    const NOW: u64 = 1_440_938_160;

    fn cases() -> Vec<Case> {
        let text = include_str!("../../tests/fixtures/sigv4/aws-test-suite.json");
        serde_json::from_str(text).unwrap()
    }

    fn key() -> AccessKey {
        let id = AccessKeyId::new("AKIDEXAMPLE").unwrap();
        AccessKey::new(id, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()).unwrap()
    }

    #[test]
    fn every_case_passes() {
        assert_eq!(cases().len(), 32);
        for Case { request, canonical, authorization } in cases() {
            let name = request.name.clone();
            let token = request.headers.iter().any(|(name, _)| name == "X-Amz-Security-Token");
            let body = sha256(request.body.as_bytes());
            let signed = request.with("Authorization", &authorization);
            let now = Timestamp::from_millis(NOW * 1000);
            let verdict = verify_for("service", &key(), &signed.parts(), &body, now);
            if token {
                assert_eq!(verdict, Err(SigV4Error::SessionToken), "{name}");
                continue;
            }
            let presented = PresentedSignature::of(&signed.parts()).unwrap();
            let ours = canonical::request(
                &signed.parts(),
                &presented.signed_headers,
                presented.location,
                &hex::encode(body),
            );
            assert_eq!(String::from_utf8(ours).unwrap(), canonical, "{name}");
            assert_eq!(verdict.as_ref(), Ok(key().id()), "{name}");
        }
    }

    #[test]
    fn requests_are_signed_as_by_aws() {
        let mut with_session = 0;
        for Case { mut request, authorization, .. } in cases() {
            // The signer adds the time and the session's token.
            let token =
                request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-Amz-Security-Token"));
            let token = token.map(|(_, value)| value.clone());
            with_session += usize::from(token.is_some());
            request.headers.retain(|(name, _)| {
                !["x-amz-date", "x-amz-security-token"].contains(&name.to_ascii_lowercase().as_str())
            });
            let credentials = AwsCredentials::new("AKIDEXAMPLE".to_owned(), key().reveal().to_owned(), token);
            let scope = SigningScope { region: "us-east-1", service: "service" };
            let now = Timestamp::from_millis(NOW * 1000);
            let body = sha256(request.body.as_bytes());
            let added = crate::sigv4::sign(&credentials, scope, &request.parts(), &body, now);
            assert_eq!(added.last(), Some(&("authorization", authorization)), "{}", request.name);
        }
        assert!(with_session > 0);
    }

    #[test]
    fn request_for_another_service_is_refused() {
        let Case { request, authorization, .. } = cases().into_iter().next().unwrap();
        let signed = request.with("Authorization", &authorization);
        assert_eq!(signed.verify(&key(), NOW), Err(SigV4Error::Service { expected: SERVICE }));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Botocore {
    access_key_id: String,
    secret: String,
    signed_at: u64,
    cases: Vec<Request>,
}

impl Botocore {
    fn load() -> Self {
        serde_json::from_str(include_str!("../../tests/fixtures/sigv4/botocore.json")).unwrap()
    }

    fn key(&self) -> AccessKey {
        AccessKey::new(AccessKeyId::new(&self.access_key_id).unwrap(), self.secret.clone()).unwrap()
    }

    fn case(&self, name: &str) -> Request {
        self.cases.iter().find(|case| case.name == name).unwrap().clone()
    }
}

#[test]
fn requests_signed_by_botocore_are_accepted() {
    let botocore = Botocore::load();
    assert!(botocore.cases.len() > 15);
    for case in &botocore.cases {
        assert!(case.parts().is_signed());
        let verdict = case.verify(&botocore.key(), botocore.signed_at);
        assert_eq!(verdict.as_ref(), Ok(botocore.key().id()), "{}", case.name);
    }
}

#[test]
fn request_of_the_http_crate_is_verified() {
    use http::{HeaderName, HeaderValue, Request as HttpRequest};
    let botocore = Botocore::load();
    for case in &botocore.cases {
        let mut builder = HttpRequest::builder()
            .method(case.method.as_str())
            .uri(format!("http://example{}?{}", case.path, case.query).trim_end_matches('?'));
        for (name, value) in &case.headers {
            let name: HeaderName = name.parse().unwrap();
            builder = builder.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let (head, ()) = builder.body(()).unwrap().into_parts();
        let parts = RequestParts::new(&head.method, &head.uri, &head.headers);
        let now = Timestamp::from_millis(botocore.signed_at * 1000);
        let verdict = verify(&botocore.key(), &parts, &sha256(case.body.as_bytes()), now);
        assert_eq!(verdict.as_ref(), Ok(botocore.key().id()), "{}", case.name);
    }
}

#[test]
fn tampered_request_is_refused() {
    let botocore = Botocore::load();
    let (key, now) = (botocore.key(), botocore.signed_at);
    for case in &botocore.cases {
        let refused = |change: &dyn Fn(&mut Request)| {
            let mut tampered = case.clone();
            change(&mut tampered);
            let verdict = tampered.verify(&key, now);
            assert!(verdict.is_err(), "{}: {tampered:?}", case.name);
        };
        refused(&|request| request.body.push(' '));
        refused(&|request| request.method = "PUT".to_owned());
        refused(&|request| request.path.push('x'));
        refused(&|request| request.query.push_str("&more=1"));
        refused(&|request| request.query = "limit=11".to_owned());
        refused(&|request| request.header("host").push('x'));
        refused(&|request| request.headers.push(("X-Amz-More".to_owned(), "1".to_owned())));
        refused(&|request| request.headers.retain(|(name, _)| name != "Host"));
        let other = AccessKey::new(key.id().clone(), "x".repeat(40)).unwrap();
        assert_eq!(case.verify(&other, now), Err(SigV4Error::Mismatch));
        let stranger = AccessKey::new(AccessKeyId::new("STRANGERKEY").unwrap(), botocore.secret.clone());
        assert_eq!(case.verify(&stranger.unwrap(), now), Err(SigV4Error::UnknownAccessKey));
    }
}

#[test]
fn validity_depends_on_skew_and_lifetime() {
    let botocore = Botocore::load();
    let (key, at) = (botocore.key(), botocore.signed_at);
    let header = botocore.case("empty body");
    assert!(header.verify(&key, at - 300).is_ok());
    assert!(header.verify(&key, at + 300).is_ok());
    assert_eq!(header.verify(&key, at - 301), Err(SigV4Error::TooEarly { seconds: 301 }));
    assert_eq!(header.verify(&key, at + 301), Err(SigV4Error::TooLate { seconds: 301, lifetime: 300 }));
    let presigned = botocore.case("empty body, presigned");
    assert!(presigned.verify(&key, at + 900).is_ok());
    assert_eq!(presigned.verify(&key, at - 301), Err(SigV4Error::TooEarly { seconds: 301 }));
    assert_eq!(presigned.verify(&key, at + 901), Err(SigV4Error::TooLate { seconds: 901, lifetime: 900 }));
}

#[test]
fn each_refused_header_has_its_reason() {
    use SigV4Error as E;
    let botocore = Botocore::load();
    let good = || botocore.case("json body");
    // The description of the expected form is not compared.
    let form = |name| E::Form { name, expected: "" };
    let refusal = |request: Request| match request.verify(&botocore.key(), botocore.signed_at).unwrap_err() {
        E::Form { name, .. } => form(name),
        other => other,
    };
    let authorization = |from: &str, to: &str| refusal(good().replace("authorization", from, to));

    let mut bare = good();
    bare.headers.retain(|(name, _)| name != "Authorization");
    assert!(!bare.parts().is_signed());
    assert_eq!(refusal(bare.clone()), E::NotSigned);
    assert_eq!(refusal(bare.with("Authorization", "Bearer x")), E::NotSigned);
    assert_eq!(refusal(good().with("authorization", "x")), E::Repeated { name: "authorization" });
    assert!(good().with("authorization", "x").parts().is_signed());

    assert_eq!(authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), E::Algorithm);
    assert_eq!(authorization("Signature=", "Sign="), E::UnknownPart);
    assert_eq!(authorization(", Signature=", ""), E::Missing { name: "Signature" });
    assert_eq!(
        authorization("SignedHeaders=content-type;host;x-amz-date, ", ""),
        E::Missing { name: "SignedHeaders" }
    );
    assert_eq!(authorization("Signature=", "Signature=, Signature="), E::Repeated { name: "Signature" });
    assert_eq!(authorization("Signature=", "Signature=0"), form("Signature"));
    assert_eq!(authorization("/aws4_request", ""), form("Credential"));
    assert_eq!(authorization("eu-west-1", "eu west"), form("Credential"));
    assert_eq!(authorization("eu-west-1", "us-east-1"), E::Mismatch);
    assert_eq!(authorization("execute-api", "sqs"), E::Service { expected: SERVICE });
    assert_eq!(authorization("/20260301/", "/20260302/"), E::ScopeDate);
    assert_eq!(authorization("content-type;host", "host;content-type"), form("SignedHeaders"));
    assert_eq!(authorization("host;", "Host;"), form("SignedHeaders"));
    assert_eq!(authorization("host;", "host;host;"), form("SignedHeaders"));
    assert_eq!(authorization("x-amz-date", "x-amz-date;x-none"), E::Absent { name: "x-none".to_owned() });
    assert_eq!(authorization("host;", ""), E::Unsigned { name: "host".to_owned() });
    assert_eq!(authorization(";x-amz-date", ""), E::Unsigned { name: "x-amz-date".to_owned() });
    assert_eq!(authorization("content-type;", ""), E::Mismatch);

    assert_eq!(refusal(good().replace("x-amz-date", "Z", "")), form("X-Amz-Date"));
    assert_eq!(refusal(good().with("x-amz-date", "x")), E::Repeated { name: "x-amz-date" });
    assert_eq!(refusal(good().with("X-Amz-Security-Token", "x")), E::SessionToken);
    let declared = || botocore.case("declared body hash");
    assert_eq!(refusal(declared().replace("x-amz-content-sha256", "44136fa", "44136FA")), E::Body);
    let mut unsigned = declared();
    *unsigned.header("x-amz-content-sha256") = "UNSIGNED-PAYLOAD".to_owned();
    assert_eq!(refusal(unsigned), E::UnsignedBody);
}

#[test]
fn each_refused_query_has_its_reason() {
    use SigV4Error as E;
    let botocore = Botocore::load();
    let good = || botocore.case("empty body, presigned");
    let refusal = |request: Request| request.verify(&botocore.key(), botocore.signed_at).unwrap_err();
    let query = |from: &str, to: &str| {
        let mut request = good();
        assert!(request.query.contains(from));
        request.query = request.query.replace(from, to);
        refusal(request)
    };
    assert_eq!(query("HMAC", "ECDSA"), E::Algorithm);
    assert_eq!(query("X-Amz-Date", "X-Date"), E::Missing { name: "X-Amz-Date" });
    assert_eq!(query("X-Amz-Expires=900", "X-Amz-Expires=901"), E::Mismatch);
    for bad in ["", "0", "604801", "-1", "1e3"] {
        let refused = query("X-Amz-Expires=900", &format!("X-Amz-Expires={bad}"));
        assert!(matches!(refused, E::Form { name: "X-Amz-Expires", .. }), "{bad}");
    }
    assert_eq!(query("X-Amz-Date=", "X-Amz-Date=&X-Amz-Date="), E::Repeated { name: "X-Amz-Date" });
    assert_eq!(query("X-Amz-Date=", "X-Amz-Security-Token=x&X-Amz-Date="), E::SessionToken);
    let both = good().with("Authorization", "AWS4-HMAC-SHA256 Credential=x");
    assert_eq!(refusal(both), E::SignedTwice);
}

#[test]
fn refusals_show_no_secret() {
    let botocore = Botocore::load();
    for case in &botocore.cases {
        let mut tampered = case.clone();
        tampered.path.push('x');
        let error = tampered.verify(&botocore.key(), botocore.signed_at).unwrap_err();
        assert!(!format!("{error:?} {error}").contains(&botocore.secret));
        assert_eq!(error.aws_error_type(), "InvalidSignatureException");
    }
}

/// Signs a request according to the specification, from decoded parts. Shares no code with the verifier.
fn sign(
    key: &AccessKey,
    segments: &[String],
    query: &[(String, String)],
    header: &str,
    body: &str,
) -> Request {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, RESERVED).to_string();
    let path: Vec<_> = segments.iter().map(|segment| encode(segment)).collect();
    let twice: Vec<_> = path.iter().map(|segment| encode(segment)).collect();
    let pairs: Vec<_> = query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    let text = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    };
    let mut sorted = pairs.clone();
    sorted.sort();
    let (time, date) = ("20260301T120000Z", "20260301");
    let canonical = format!(
        "POST\n/{}\n{}\nhost:h\nx-amz-date:{time}\nx-header:{}\n\nhost;x-amz-date;x-header\n{}",
        twice.join("/"),
        text(&sorted),
        header.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
        hex::encode(sha256(body.as_bytes()))
    );
    let scope = format!("{date}/r/{SERVICE}/aws4_request");
    let string = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex::encode(sha256(canonical.as_bytes())));
    let mut tag = format!("AWS4{}", key.reveal()).into_bytes();
    for text in [date, "r", SERVICE, "aws4_request", &string] {
        use ::hmac::{Hmac, KeyInit as _, Mac as _};
        let mac = Hmac::<Sha256>::new_from_slice(&tag).unwrap();
        tag = mac.chain_update(text.as_bytes()).finalize().into_bytes().to_vec();
    }
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope},SignedHeaders=host;x-amz-date;x-header,Signature={}",
        key.id(),
        hex::encode(tag)
    );
    let headers =
        [("Host", "h"), ("X-Amz-Date", time), ("X-Header", header), ("Authorization", &authorization)];
    Request {
        name: String::new(),
        method: "POST".to_owned(),
        path: format!("/{}", path.join("/")),
        query: text(&pairs),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: body.to_owned(),
    }
}

proptest! {
    #[test]
    fn request_is_accepted_until_it_is_changed(
        segments in prop::collection::vec("[^.].{0,6}", 0..4),
        query in prop::collection::vec((".{1,5}", ".{0,5}"), 0..5),
        header in "[ -~]{0,20}",
        body in ".{0,20}",
        flip in any::<prop::sample::Index>(),
    ) {
        let key = AccessKey::generate().unwrap();
        let request = sign(&key, &segments, &query, &header, &body);
        let now = Botocore::load().signed_at;
        prop_assert_eq!(request.verify(&key, now), Ok(key.id().clone()));
        let mut tampered = request.clone();
        let authorization = tampered.header("authorization");
        let position = authorization.len() - 64 + flip.index(64);
        let digit = if authorization.as_bytes()[position] == b'0' { "1" } else { "0" };
        authorization.replace_range(position..=position, digit);
        prop_assert_eq!(tampered.verify(&key, now), Err(SigV4Error::Mismatch));
    }

    #[test]
    fn no_request_causes_a_panic(
        path in ".{0,20}", query in ".{0,40}", authorization in "(AWS4-HMAC-SHA256 )?.{0,60}", date in ".{0,17}",
    ) {
        let headers = [("Host", "h"), ("X-Amz-Date", &*date), ("Authorization", &*authorization)];
        let request = Request {
            name: String::new(),
            method: "GET".to_owned(),
            path,
            query,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: String::new(),
        };
        prop_assert!(request.verify(&AccessKey::generate().unwrap(), 0).is_err());
    }
}

#[test]
fn head_is_checked_before_the_body() {
    let botocore = Botocore::load();
    let (key, now) = (botocore.key(), Timestamp::from_millis(botocore.signed_at * 1000));
    let mut proven = 0;
    for case in &botocore.cases {
        let declares = case.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(BODY_HASH));
        let expected = if declares { HeadProof::Signed } else { HeadProof::NeedsBody };
        assert_eq!(verify_head(&key, &case.parts(), now), Ok(expected), "{}", case.name);
        let stranger = AccessKey::new(AccessKeyId::new("STRANGERKEY").unwrap(), botocore.secret.clone());
        let verdict = verify_head(&stranger.unwrap(), &case.parts(), now);
        assert_eq!(verdict, Err(SigV4Error::UnknownAccessKey), "{}", case.name);
        let other = AccessKey::new(key.id().clone(), "x".repeat(40)).unwrap();
        let verdict = verify_head(&other, &case.parts(), now);
        assert_eq!(verdict.is_err(), declares, "{}", case.name);
        proven += usize::from(declares);
    }
    assert!(proven > 0 && proven < botocore.cases.len());
    let header = botocore.case("json body").with("Authorization", "AWS4-HMAC-SHA256 x");
    assert!(verify_head(&key, &header.parts(), now).is_err());
}
