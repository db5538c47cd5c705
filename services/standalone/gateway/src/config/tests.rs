use std::error::Error as _;
use std::time::Duration;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> Result<Config, ConfigError> {
    Config::from_text(text, [])
}

/// The error's text and its causes'.
fn refused(result: Result<Config, ConfigError>) -> String {
    let error = result.unwrap_err();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn default_file_equals_defaults_in_code() {
    assert_eq!(file(DEFAULT).unwrap(), Config::default());
    assert_eq!(file("").unwrap(), Config::default());
}

#[test]
fn settings_override_development_defaults() {
    let config = |environment| Config::load(Defaults::Development, None, environment).unwrap();
    let development = config(environment(&[]));
    assert!(development.handshake.jwt && development.login.guests && development.history.enabled);
    assert_eq!(development.about().login.users.len(), 3);
    let config =
        config(environment(&[("TIDINGS_LOGIN__GUESTS", "false"), ("TIDINGS_LOGIN__SHOWN_USERS", "")]));
    assert_eq!((config.login.guests, config.login.shown_users), (false, vec![]));
}

#[test]
fn development_settings_require_a_local_address() {
    let load = |defaults, text: &str, address: &str, exposed: &str| {
        let text = format!("[handshake]\nallowed_origins = []\n{text}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let settings = [("TIDINGS_SERVER__LISTEN", address), ("TIDINGS_SERVER__EXPOSE_DEVELOPMENT", exposed)];
        Config::load(defaults, Some(file.path()), environment(&settings))
    };
    for (defaults, text, key) in [
        (Defaults::General, "open = true", "handshake.open"),
        (Defaults::General, "[server]\nauthenticate = false", "server.authenticate"),
        (Defaults::General, "[login]\nshown_users = [\"a\"]", "login.shown_users"),
        (Defaults::Development, "[login]\nshown_users = []", "--development"),
    ] {
        for local in ["[::1]:8080", "127.0.0.2:8080", "[::ffff:127.0.0.1]:8080"] {
            let config = load(defaults, text, local, "false").unwrap();
            assert!(
                config
                    .server()
                    .front
                    .own_pages
                    .unwrap()
                    .because
                    .contains(key.trim_start_matches("handshake."))
            );
        }
        for address in ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080"] {
            let error = refused(load(defaults, text, address, "false"));
            assert!(
                error.contains(key) && error.contains(address) && error.contains("expose_development"),
                "{error}"
            );
            assert!(load(defaults, text, address, "true").unwrap().server().front.own_pages.is_some());
        }
    }
    let config = load(Defaults::General, "", "0.0.0.0:8080", "false").unwrap();
    assert_eq!(config.server().front.own_pages, None);
}

/// The default file has every key, or it would not have become a [`Config`], whose fields have no
/// defaults of their own. And each is explained.
#[test]
fn every_key_is_explained() {
    let mut explained = false;
    for line in DEFAULT.lines() {
        match line {
            "" => explained = false,
            comment if comment.starts_with('#') => explained = true,
            section if section.starts_with('[') => {}
            key => assert!(explained, "{key} is not explained"),
        }
    }
    for key in table::keys(&table::defaults().unwrap()) {
        let variable = format!("TIDINGS_{}", key.replace('.', "__").to_uppercase());
        let value = table::defaults().unwrap();
        let value = key.split('.').fold(toml::Value::Table(value), |value, part| value[part].clone());
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let config = Config::from_text("", environment(&[(&variable, &text)])).unwrap();
        assert_eq!(config, Config::default(), "{variable}");
    }
}

#[test]
fn environment_overrides_file() {
    let text = "data_dir = \"a\"\n[server]\nlisten = \"127.0.0.1:1\"\nbody_timeout = \"1s\"\n[handshake]\nopen = true\n";
    let config = Config::from_text(
        text,
        environment(&[
            ("TIDINGS_DATA_DIR", "b"),
            ("TIDINGS_SERVER__LISTEN", "[::1]:2"),
            ("TIDINGS_HANDSHAKE__OPEN", "false"),
            ("TIDINGS_CONNECTIONS__CONNECTS_PER_SECOND", "7"),
            ("TIDINGS_API_KEY", "the client's"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(config.data_dir, Path::new("b"));
    assert_eq!(config.server.listen.to_string(), "[::1]:2");
    assert_eq!(config.server.body_timeout.0, Duration::from_secs(1));
    assert!(!config.handshake.open);
    assert_eq!(config.server().connects_per_second, Some(7));
}

#[test]
fn unknown_key_comes_with_a_suggestion() {
    let error = refused(file("[server]\nlisten_on = \"x\""));
    assert!(
        error.contains("\"server.listen_on\"") && error.contains("did you mean \"server.listen\"?"),
        "{error}"
    );
    let error = refused(file("listen = \"x\""));
    assert!(error.contains("\"listen\"") && error.contains("\"server.listen\""), "{error}");
    let error = refused(file("[sever]\nlisten = \"x\""));
    assert!(error.contains("\"sever\""), "{error}");
    let error = refused(file("zzz = 1"));
    assert!(error.contains("\"zzz\"") && error.contains("tidings config default"), "{error}");
}

#[test]
fn unknown_variable_comes_with_a_suggestion() {
    let error = refused(Config::from_text("", environment(&[("TIDINGS_SERVER__LISTN", "x")])));
    assert!(error.starts_with("TIDINGS_SERVER__LISTN has the key \"server.listn\""), "{error}");
    assert!(error.contains("did you mean \"server.listen\"?"), "{error}");
    let error = refused(Config::from_text("", environment(&[("TIDINGS_A__B__C", "x")])));
    assert!(error.contains("\"a.b.c\""), "{error}");
}

#[test]
fn value_of_wrong_type_is_refused() {
    let error = refused(file("[server]\nauthenticate = \"yes\""));
    assert!(error.contains("\"server.authenticate\"") && error.contains("true or false"), "{error}");
    let error = refused(file("[connections]\nkeepalive = 30"));
    assert!(error.contains("\"connections.keepalive\"") && error.contains("text"), "{error}");
    let error = refused(file("server = 1"));
    assert!(error.contains("\"server\"") && error.contains("a section"), "{error}");
    let error = refused(Config::from_text("", environment(&[("TIDINGS_DISPATCHER__PAGE", "many")])));
    assert!(error.contains("TIDINGS_DISPATCHER__PAGE has \"many\"") && error.contains("number"), "{error}");
}

#[test]
fn malformed_value_is_refused() {
    for (text, key, word) in [
        ("[server]\nlisten = \"nowhere\"", "\"server.listen\" is not valid: ", "localhost:PORT"),
        ("[connections]\nidle_timeout = \"soon\"", "connections.idle_timeout", "or off"),
        ("[server]\nbody_timeout = \"off\"", "server.body_timeout", "30s"),
        ("[store]\ndurability = \"maybe\"", "store.durability", "synced"),
        ("[log]\nformat = \"xml\"", "log.format", "human"),
        ("[connections]\ndefault_format = \"bare\"", "connections.default_format", "raw"),
        ("[dispatcher]\npage = -1", "dispatcher.page", "whole numbers"),
        ("[server]\nunknown_fields = \"drop\"", "server.unknown_fields", "ignore"),
        ("[server]\nforwarded_header = \"via\"", "server.forwarded_header", "x-forwarded-for"),
    ] {
        let error = refused(file(text));
        assert!(error.contains(key) && error.contains(word), "{error}");
    }
}

#[test]
fn number_out_of_range_is_refused_in_plain_words() {
    for (text, expected) in [
        (
            "[store]\nreserve_bytes = -1",
            "the key \"store.reserve_bytes\" is not valid: it is -1; allowed are whole numbers from 0 on",
        ),
        (
            "[connections]\nmax_per_user = -5",
            "the key \"connections.max_per_user\" is not valid: it is -5; allowed are whole numbers from 0 on",
        ),
        (
            "[store]\nmax_receive_count = 4294967296",
            "the key \"store.max_receive_count\" is not valid: it is 4294967296; allowed are whole numbers from 0 to \
             4294967295",
        ),
    ] {
        assert_eq!(refused(file(text)), expected);
    }
}

#[test]
fn value_out_of_bounds_is_refused() {
    for (text, key, word) in [
        ("data_dir = \"\"", "data_dir", "directory"),
        ("[server]\ntls_key = \"k\"", "server.tls_certificate", "both or none"),
        ("[server]\ntls_certificate = \"c\"", "server.tls_key", "both or none"),
        ("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]", "server.trusted_proxies", "10.0.0.0/8"),
        ("[server]\nbase_path = \"tidings\"", "server.base_path", "/tidings"),
        ("[server]\nbase_path = \"/a/../b\"", "server.base_path", "between slashes"),
        ("[server]\nbase_path = \"//\"", "server.base_path", "between slashes"),
        ("[server]\npublic_host = \"https://a.example\"", "server.public_host", "a host as in a URL"),
        ("[server]\npublic_host = \"a.example:99999\"", "server.public_host", "a host as in a URL"),
        ("[server]\npublic_host = \"a.example:\"", "server.public_host", "a host as in a URL"),
        ("[server]\npublic_host = \":80\"", "server.public_host", "a host as in a URL"),
        ("[server]\npublic_host = \"a.example:+80\"", "server.public_host", "a host as in a URL"),
        ("[server]\npublic_host = \"a..b\"", "server.public_host", "a host as in a URL"),
        ("[server]\npublic_host = \"[zz]\"", "server.public_host", "a host as in a URL"),
        (
            "[server]\nmax_bulk_body_bytes = 4611686018427387904",
            "limits.key_body_bytes",
            "four times server.max_bulk_body_bytes",
        ),
        (
            "[login]\nguests = true\n[[handshake.jwt_issuers]]\nissuer = \"i\"\nalgorithm = \"RS256\"\naudiences = [\"a\"]\njwks_url = \"https://a.example\"\nuser_prefix = \"g\"",
            "handshake.jwt_issuers",
            "could name guests",
        ),
        ("[server]\nkeep_alive = \"10ms\"", "server.keep_alive", "at least"),
        ("[server]\nmax_bulk_body_bytes = 1024", "server.max_bulk_body_bytes", "at least 262144"),
        ("[handshake]\ntoken = false", "handshake.token", "nobody could connect"),
        ("[handshake]\nallowed_origins = [\"a\"]", "handshake.allowed_origins", "not an origin"),
        ("[handshake]\ncookie_names = [\"\"]", "handshake.cookie_names", "not a valid cookie name"),
        ("[handshake]\nhmac = true", "handshake.hmac_secret", "no secret"),
        (
            "[handshake]\njwt = true\n[[handshake.jwt_issuers]]\nissuer = \"tidings\"\nalgorithm = \"RS256\"\naudiences = [\"a\"]\njwks_url = \"https://a.example\"",
            "handshake.jwt_issuers",
            "same `iss`",
        ),
        ("[tokens]\nissuer = \"\"", "tokens.issuer", "1 to 256"),
        ("[tokens]\nlifetime = \"2h\"", "tokens.lifetime", "at most"),
        ("[connections]\nmax_message_bytes = 200000", "connections.max_message_bytes", "at most 131072"),
        ("[connections]\nkeepalive = \"0s\"", "connections.keepalive", "at least"),
        ("[dispatcher]\npage = 0", "dispatcher.page", "at least 1"),
        ("[store]\nmax_receive_count = 0", "store.max_receive_count", "at least 1"),
        ("[history]\nlifetime = \"59s\"", "history.lifetime", "at least"),
        ("[history]\nlifetime = \"4000d\"", "history.lifetime", "at most"),
        ("[log]\nlevel = \"tidings=loud\"", "log.level", "debug"),
    ] {
        let error = refused(file(text));
        assert!(error.contains(&format!("\"{key}\"")) && error.contains(word), "{error}");
    }
}

#[test]
fn issuers_are_read_from_sections() {
    let text = "[handshake]\njwt = true\ntoken = false\nallowed_origins = [\"https://a.example\"]\n\
                [[handshake.jwt_issuers]]\nissuer = \"https://i.example\"\nalgorithm = \"ES256\"\nany_audience = true\n\
                user_prefix = \"i:\"\n\
                [[handshake.jwt_issuers]]\nalgorithm = \"HS256\"\nsecret = \"env:CHAT\"\naudiences = [\"chat\"]\n\
                user_prefix = \"chat:\"\nmax_lifetime = \"1h\"\ntoken_types = [\"JWT\"]";
    let authorizer = file(text).unwrap().authorizer();
    assert!(authorizer.methods.jwt && !authorizer.methods.token);
    assert_eq!(
        authorizer.allowed_origins,
        ["https://a.example", "http://127.0.0.1:8080", "http://localhost:8080"]
    );
    let [first, second] = &authorizer.jwt.issuers[..] else { panic!("two are configured") };
    assert_eq!(first.rules.issuer.as_deref(), Some("https://i.example"));
    assert_eq!(second.rules.audiences, ["chat"]);
    assert_eq!(second.rules.max_lifetime, Some(Duration::from_hours(1)));
    assert_eq!((second.rules.user_prefix.as_str(), second.rules.token_types.len()), ("chat:", 1));
    assert_eq!(authorizer.secrets(), ["env:CHAT"]);
    for (text, word) in [
        ("issuer = \"https://i\"\nalgorithm = \"RS256\"\naudience = \"a\"", "`audience`"),
        ("issuer = \"https://i\"\nalgorithm = \"none\"", "`none`"),
        ("issuer = \"https://i\"", "`algorithm`"),
        ("issuer = \"http://i\"\nalgorithm = \"RS256\"", "must be https://"),
        ("algorithm = \"HS256\"", "`secret` is missing"),
        ("issuer = \"https://i\"\nalgorithm = \"RS256\"", "any_audience = true"),
        ("algorithm = \"HS256\"\nsecret = \"s\"\nuser_prefix = \"a b\"", "`user_prefix` is \"a b\""),
        ("algorithm = \"HS256\"\nsecret = \"s\"\nmax_lifetime = \"0s\"", "not a lifetime"),
        (
            "algorithm = \"HS256\"\nsecret = \"s\"\n[[handshake.jwt_issuers]]\nissuer = \"b\"\nalgorithm = \"HS256\"\n\
             secret = \"s\"",
            "several issuers",
        ),
        ("algorithm = \"HS256\"\nsecret = \"s\"\n[login]\nguests = true", "login.guests is true"),
        ("algorithm = \"HS256\"\nsecret = \"s\"\n[login]\nshown_users = [\"a\"]", "shown_users is not empty"),
    ] {
        let error = refused(file(&format!("[[handshake.jwt_issuers]]\n{text}")));
        assert!(error.contains("handshake.jwt_issuers") && error.contains(word), "{error}");
    }
}

#[test]
fn list_in_environment_may_have_brackets() {
    let with = |name, value| Config::from_text("", environment(&[(name, value)]));
    let name = "TIDINGS_HANDSHAKE__COOKIE_NAMES";
    for value in ["[\"a\", \"b\"]", "a,b", " a , b ,"] {
        assert_eq!(with(name, value).unwrap().handshake.cookie_names, ["a", "b"]);
    }
    let issuers = "[{ algorithm = \"HS256\", secret = \"env:S\" }]";
    assert_eq!(with("TIDINGS_HANDSHAKE__JWT_ISSUERS", issuers).unwrap().handshake.jwt_issuers.len(), 1);
    let error = refused(with("TIDINGS_HANDSHAKE__JWT_ISSUERS", "nobody"));
    assert!(error.contains("handshake.jwt_issuers"), "{error}");
    let error = refused(file("[handshake]\ncookie_names = \"a\""));
    assert!(error.contains("\"handshake.cookie_names\"") && error.contains("a list"), "{error}");
}

#[test]
fn malformed_toml_is_refused_with_its_line() {
    let error = refused(file("data_dir = \"a\"\n[server\n"));
    assert!(error.contains("not valid TOML") && error.contains("line 2"), "{error}");
    let error = refused(Config::load(Defaults::General, Some(Path::new("/nowhere/tidings.toml")), []));
    assert!(error.contains("/nowhere/tidings.toml"), "{error}");
}

#[test]
fn like_aws_overrides_settings() {
    let config = file("[connections]\nlike_aws = true\nmax_age = \"5h\"\nconnects_per_second = 9").unwrap();
    let limits = config.connections.limits();
    assert_eq!(limits.max_age, Some(Duration::from_hours(2)));
    assert_eq!(limits.idle_timeout, Some(Duration::from_mins(10)));
    assert_eq!((limits.max_message_bytes, limits.max_frame_bytes), (128 * 1024, 32 * 1024));
    assert_eq!(config.server().connects_per_second, Some(500));
}

#[test]
fn settings_reach_their_parts() {
    let text = "[tokens]\nissuer = \"i\"\naudience = \"a\"\nlifetime = \"10s\"\n[handshake]\nopen = true\n\
                [dispatcher]\ngrace = \"3s\"\n[server]\ntls_certificate = \"c\"\ntls_key = \"k\"";
    let config = file(text).unwrap();
    assert_eq!(
        (config.tokens.issuer().issuer.as_str(), config.tokens.issuer().lifetime.as_secs()),
        ("i", 10)
    );
    assert!(config.authorizer().methods.open && config.authorizer().audience == "a");
    assert_eq!(config.dispatcher.settings().limits.grace.as_secs(), 3);
    assert_eq!(config.server.tls().unwrap().key, Path::new("k"));
    assert_eq!(Config::default().server.tls(), None);
    assert_eq!(Config::default().connections.limits(), tidings_sockets::Limits::default());
    assert_eq!(config.edge().max_message_bytes, 128 * 1024);
    // A connection counts for as long as it lasts.
    assert!(config.edge().row_lifetime > Duration::from_hours(24 * 3_650));
    assert_eq!(config.history.policy(), None);
    let policy = file("[history]\nenabled = true\nlifetime = \"2d\"").unwrap().history.policy().unwrap();
    assert_eq!((policy.lifetime, policy.payloads), (Duration::from_hours(48), false));
}

#[test]
fn proxies_reach_the_server() {
    let text = "[server]\nbase_path = \"/a/tidings/\"\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n\
                forwarded_header = \"forwarded\"\npublic_host = \"push.example.com:8443\"";
    let front = file(text).unwrap().server().front;
    assert_eq!(front.base_path, "/a/tidings");
    assert_eq!(front.trusted_proxies, ["10.0.0.0/8", "::1/128"].map(|text| text.parse().unwrap()));
    assert_eq!(front.forwarded_header, crate::server::ForwardedHeader::Forwarded);
    assert_eq!(front.public_host.unwrap(), "push.example.com:8443");
    assert_eq!(file("[server]\nbase_path = \"/\"").unwrap().server().front, crate::server::Front::default());
}

#[test]
fn own_pages_may_connect_beside_the_allowed_origins() {
    let origins = |server: &str| {
        let allowed = "[handshake]\nallowed_origins = [\"https://a.example\"]\n";
        file(&format!("{allowed}[server]\n{server}")).unwrap().authorizer().allowed_origins
    };
    let local = "listen = \"[::1]:8443\"\ntls_certificate = \"c\"\ntls_key = \"k\"";
    assert_eq!(origins(local), ["https://a.example", "https://[::1]:8443", "https://localhost:8443"]);
    let public = "listen = \"0.0.0.0:80\"\npublic_host = \"Push.example.com\"";
    assert_eq!(origins(public), ["https://a.example", "https://push.example.com", "http://push.example.com"]);
    let proxied = format!("{public}\ntrusted_proxies = [\"10.0.0.0/8\"]");
    assert_eq!(origins(&proxied), ["https://a.example", "https://push.example.com"]);
    assert_eq!(file("").unwrap().authorizer().allowed_origins, [""; 0]);
}

#[test]
fn reserved_hubs_are_refused() {
    for (key, text) in [
        ("hubs.everyone", "[hubs]\neveryone = \"tidings:operations\""),
        ("hubs.members", "[hubs]\nmembers = [\"tidings:x: ann\"]"),
    ] {
        let text = refused(file(text));
        assert!(text.contains(key) && text.contains("gateway's own"), "{text}");
    }
}

#[test]
fn former_section_name_works_with_a_warning() {
    let config = file("[sending]\npolicy = \"anyone\"\nrate_per_user = \"5/1s\"").unwrap();
    assert_eq!(config.client_messages.policy, crate::server::ClientMessagePolicy::Anyone);
    assert!(config.client_messages.rate_per_user.0.is_some());
    let [warning] = &config.deprecated[..] else { panic!("one warning: {:?}", config.deprecated) };
    assert!(warning.contains("[sending]") && warning.contains("[client_messages]"), "{warning}");
    let current = file("[client_messages]\npolicy = \"anyone\"").unwrap();
    assert_eq!(current.deprecated, [""; 0]);
    let error = refused(file("[sending]\npolicy = \"off\"\n[client_messages]\npolicy = \"off\""));
    assert!(error.contains("[sending]") && error.contains("[client_messages]"), "{error}");
}

#[test]
fn former_variable_name_works_with_a_warning() {
    let (old, new) = ("TIDINGS_SENDING__POLICY", "TIDINGS_CLIENT_MESSAGES__POLICY");
    let with =
        |pairs: &[(&str, &str)]| Config::from_text("[client_messages]\npolicy = \"off\"", environment(pairs));
    let config = with(&[(old, "same-hub")]).unwrap();
    assert_eq!(config.client_messages.policy, crate::server::ClientMessagePolicy::SameHub);
    let [warning] = &config.deprecated[..] else { panic!("one warning: {:?}", config.deprecated) };
    assert!(warning.contains(old) && warning.contains(new), "{warning}");
    let error = refused(with(&[(old, "off"), (new, "off")]));
    assert!(error.contains(old) && error.contains(new), "{error}");
    let error = refused(with(&[("TIDINGS_SENDING__POLICI", "off")]));
    assert!(error.contains("client_messages.policy"), "{error}");
}
