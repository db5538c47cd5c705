//! Web origins, as browsers send them in the `Origin` header (RFC 6454).

/// Returns true if an origin is one of `allowed`. The default port of a scheme is no difference: browsers leave it out.
pub fn is_allowed_origin(allowed: &[String], origin: &str) -> bool {
    allowed.iter().any(|allowed| without_default_port(allowed) == without_default_port(origin))
}

fn without_default_port(origin: &str) -> &str {
    let port = match origin.split_once("://") {
        Some(("https", _)) => ":443",
        Some(("http", _)) => ":80",
        _ => return origin,
    };
    origin.strip_suffix(port).unwrap_or(origin)
}

/// Returns true if a text is an origin in the form of browsers: `https://app.example.com`, with or without a port.
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
    fn default_port_is_no_difference() {
        let allowed = ["https://a:443", "http://b", "http://[::1]:80", "https://c:80"].map(str::to_owned);
        for good in ["https://a", "https://a:443", "http://b", "http://b:80", "http://[::1]", "https://c:80"]
        {
            assert!(is_allowed_origin(&allowed, good), "{good}");
        }
        for bad in ["http://a", "https://a:444", "https://b", "http://b:443", "https://c", "", "null"] {
            assert!(!is_allowed_origin(&allowed, bad), "{bad}");
        }
    }

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
