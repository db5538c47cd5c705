//! Suite of the store of shared secrets.

use auth_token::ports::Secrets;

/// Runs the suite. `rotate` sets the value of secret `name`, whose former value becomes the previous one; its
/// first call makes the secret. `unknown` is the name of no secret.
pub async fn all<S: Secrets>(secrets: &S, name: &str, unknown: &str, rotate: impl AsyncFn(&str)) {
    let read = async || {
        let versions = secrets.read(name).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(versions.current.reveal()), versions.previous.map(|previous| text(previous.reveal())))
    };
    let expected = |current: &str, previous: Option<&str>| (current.to_owned(), previous.map(str::to_owned));
    rotate("the first").await;
    assert_eq!(read().await, expected("the first", None));
    rotate("the second").await;
    assert_eq!(read().await, expected("the second", Some("the first")));
    rotate("the third").await;
    assert_eq!(read().await, expected("the third", Some("the second")));
    let error = secrets.read(unknown).await.unwrap_err();
    assert!(!format!("{error:?}").contains("the third"));
}
