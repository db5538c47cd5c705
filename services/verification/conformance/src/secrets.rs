//! Where shared secrets are kept.

use auth_token::ports::Secrets;

/// All that the adapter must do. `rotate` gives the secret `name` a value, which makes the former one the
/// previous; the first call makes the secret. `unknown` names none.
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
