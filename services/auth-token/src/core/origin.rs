//! Web origins, as browsers send them in the `Origin` header (RFC 6454).

/// Returns true if a text is an origin in the form of browsers: `https://app.example.com`, with a port only if
/// it is not the scheme's default.
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@\\*,".contains(&byte));
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
    is_scheme && is_host && !host.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_has_only_scheme_host_and_port() {
        for good in ["https://app.example.com", "http://localhost:8080", "http://[::1]:3000", "app+x://y"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["", "null", "*", "app.example.com", "https://", "https://a/", "https://*.example.com"] {
            assert!(!is_origin(bad), "{bad}");
        }
        assert!(!is_origin("https://App.example.com") && !is_origin("https://u@example.com"));
    }
}
