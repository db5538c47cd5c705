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
fn the_default_file_is_the_default() {
    assert_eq!(file(DEFAULT).unwrap(), Config::default());
    assert_eq!(file("").unwrap(), Config::default());
}

#[test]
fn what_is_set_comes_before_what_development_changes() {
    let config = |environment| Config::load(Defaults::Development, None, environment).unwrap();
    let development = config(environment(&[]));
    assert!(development.handshake.jwt && development.login.guests && development.history.enabled);
    assert_eq!(development.about().login.users.len(), 3);
    let config =
        config(environment(&[("TIDINGS_LOGIN__GUESTS", "false"), ("TIDINGS_LOGIN__SHOWN_USERS", "")]));
    assert_eq!((config.login.guests, config.login.shown_users), (false, vec![]));
}

#[test]
fn passwords_that_everybody_knows_stay_on_this_machine() {
    let listening = |address| {
        Config::load(Defaults::Development, None, environment(&[("TIDINGS_SERVER__LISTEN", address)]))
    };
    assert!(listening("[::1]:8080").is_ok());
    let error = refused(listening("0.0.0.0:8080"));
    assert!(error.contains("login.shown_users") && error.contains("0.0.0.0:8080"), "{error}");
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
fn the_environment_comes_before_the_file() {
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
fn an_unknown_key_is_named_with_the_one_meant() {
    let error = refused(file("[server]\nlisten_on = \"x\""));
    assert!(
        error.contains("\"server.listen_on\"") && error.contains("\"server.listen\" may be meant"),
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
fn an_unknown_variable_is_named_with_the_key_meant() {
    let error = refused(Config::from_text("", environment(&[("TIDINGS_SERVER__LISTN", "x")])));
    assert!(error.starts_with("TIDINGS_SERVER__LISTN has the key \"server.listn\""), "{error}");
    assert!(error.contains("\"server.listen\" may be meant"), "{error}");
    let error = refused(Config::from_text("", environment(&[("TIDINGS_A__B__C", "x")])));
    assert!(error.contains("\"a.b.c\""), "{error}");
}

#[test]
fn a_value_of_the_wrong_type_is_named() {
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
fn a_value_of_the_wrong_form_is_named() {
    for (text, key, word) in [
        ("[server]\nlisten = \"nowhere\"", "server.listen", "socket address"),
        ("[connections]\nidle_timeout = \"soon\"", "connections.idle_timeout", "or off"),
        ("[server]\nbody_timeout = \"off\"", "server.body_timeout", "30s"),
        ("[store]\ndurability = \"maybe\"", "store.durability", "synced"),
        ("[log]\nformat = \"xml\"", "log.format", "human"),
        ("[connections]\ndefault_format = \"bare\"", "connections.default_format", "raw"),
        ("[dispatcher]\npage = -1", "dispatcher.page", "usize"),
    ] {
        let error = refused(file(text));
        assert!(error.contains(key) && error.contains(word), "{error}");
    }
}

#[test]
fn a_value_that_is_not_allowed_is_named() {
    for (text, key, word) in [
        ("data_dir = \"\"", "data_dir", "directory"),
        ("[server]\ntls_key = \"k\"", "server.tls_certificate", "both or none"),
        ("[server]\ntls_certificate = \"c\"", "server.tls_key", "both or none"),
        ("[server]\nmax_bulk_body_bytes = 1024", "server.max_bulk_body_bytes", "at least 262144"),
        ("[handshake]\ntoken = false", "handshake.token", "nobody could connect"),
        ("[handshake]\nallowed_origins = [\"a\"]", "handshake.allowed_origins", "not an origin"),
        ("[handshake]\ncookie_names = [\"\"]", "handshake.cookie_names", "not a valid cookie name"),
        ("[handshake]\nhmac = true", "handshake.hmac_secret", "no secret"),
        (
            "[handshake]\njwt = true\n[[handshake.jwt_issuers]]\nissuer = \"tidings\"\nalgorithm = \"RS256\"\njwks_url = \"https://a.example\"",
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
fn issuers_are_sections_of_their_own() {
    let text = "[handshake]\njwt = true\ntoken = false\nallowed_origins = [\"https://a.example\"]\n\
                [[handshake.jwt_issuers]]\nissuer = \"https://i.example\"\nalgorithm = \"ES256\"\n\
                [[handshake.jwt_issuers]]\nalgorithm = \"HS256\"\nsecret = \"env:CHAT\"\naudiences = [\"chat\"]";
    let authorizer = file(text).unwrap().authorizer();
    assert!(authorizer.methods.jwt && !authorizer.methods.token);
    assert_eq!(authorizer.allowed_origins, ["https://a.example"]);
    let [first, second] = &authorizer.jwt.issuers[..] else { panic!("two are configured") };
    assert_eq!(first.rules.issuer.as_deref(), Some("https://i.example"));
    assert_eq!(second.rules.audiences, ["chat"]);
    assert_eq!(authorizer.secrets(), ["env:CHAT"]);
    for (text, word) in [
        ("issuer = \"https://i\"\nalgorithm = \"RS256\"\naudience = \"a\"", "`audience`"),
        ("issuer = \"https://i\"\nalgorithm = \"none\"", "`none`"),
        ("issuer = \"https://i\"", "`algorithm`"),
        ("issuer = \"http://i\"\nalgorithm = \"RS256\"", "must be https://"),
        ("algorithm = \"HS256\"", "`secret` is missing"),
    ] {
        let error = refused(file(&format!("[[handshake.jwt_issuers]]\n{text}")));
        assert!(error.contains("handshake.jwt_issuers") && error.contains(word), "{error}");
    }
}

#[test]
fn a_list_in_the_environment_has_brackets_or_commas_alone() {
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
fn a_file_that_is_no_toml_is_refused_by_line() {
    let error = refused(file("data_dir = \"a\"\n[server\n"));
    assert!(error.contains("not valid TOML") && error.contains("line 2"), "{error}");
    let error = refused(Config::load(Defaults::General, Some(Path::new("/nowhere/tidings.toml")), []));
    assert!(error.contains("/nowhere/tidings.toml"), "{error}");
}

#[test]
fn like_aws_comes_before_what_is_set() {
    let config = file("[connections]\nlike_aws = true\nmax_age = \"5h\"\nconnects_per_second = 9").unwrap();
    let limits = config.connections.limits();
    assert_eq!(limits.max_age, Some(Duration::from_hours(2)));
    assert_eq!(limits.idle_timeout, Some(Duration::from_mins(10)));
    assert_eq!((limits.max_message_bytes, limits.max_frame_bytes), (128 * 1024, 32 * 1024));
    assert_eq!(config.server().connects_per_second, Some(500));
}

#[test]
fn what_is_set_reaches_the_parts() {
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
    assert_eq!(config.history.policy(), None);
    let policy = file("[history]\nenabled = true\nlifetime = \"2d\"").unwrap().history.policy().unwrap();
    assert_eq!((policy.lifetime, policy.payloads), (Duration::from_hours(48), false));
}

#[test]
fn the_gateways_own_hubs_are_no_ones_to_name() {
    for (key, text) in [
        ("hubs.everyone", "[hubs]\neveryone = \"tidings:operations\""),
        ("hubs.members", "[hubs]\nmembers = [\"tidings:x: ann\"]"),
    ] {
        let text = refused(file(text));
        assert!(text.contains(key) && text.contains("gateway's own"), "{text}");
    }
}
