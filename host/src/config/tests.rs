//! Tests of the configuration.

use std::ffi::OsString;

use super::*;

/// Returns sources of which only the environment has values.
fn environment(pairs: &[(&str, &str)]) -> Sources {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(*value)));
    Sources::collect(None, pairs, [])
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    Config::parse(&environment(pairs))
        .map(|_| Vec::new())
        .unwrap_or_else(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults_are_sqlite_and_the_standard_ports() {
    let config = Config::parse(&environment(&[])).unwrap();
    assert!(matches!(config.store, StoreConfig::Sqlite { .. }));
    assert_eq!((config.listen.grpc, config.listen.http), (50052, 8080));
    assert_eq!(config.bounds.response_read, Duration::from_secs(90));
    assert!(config.demo.is_none());
}

#[test]
fn all_faults_are_reported_at_once() {
    let reported = faults(&[
        ("HTTP_PORT", "eighty"),
        ("DB_TYPE", "oracle"),
        ("LOG_LEVEL", "loud"),
        ("TESSERA_LISTEN", "here"),
    ]);
    assert_eq!(reported.len(), 4, "{reported:?}");
    assert!(
        reported.iter().any(|fault| fault == "HTTP_PORT is \"eighty\"; it must be a number from 0 to 65535")
    );
}

#[test]
fn unknown_name_is_reported_with_the_nearest_setting() {
    let file = Some((std::path::Path::new("t.toml"), "htp_port = 1"));
    let faults_of_file = Sources::collect(file, [], []).faults;
    assert_eq!(faults_of_file[0].to_string(), "htp_port in the file is not a setting; is HTTP_PORT meant?");
    assert_eq!(faults(&[("TESSERA_DATADIR", "x")]).len(), 1);
    assert!(faults(&[("HOME", "x")]).is_empty());
}

#[test]
fn command_line_overrides_environment_which_overrides_file() {
    let file = Some((std::path::Path::new("t.toml"), "http_port = 1\ngrpc_port = 1\nlog_level = \"warn\""));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment =
        [pair("HTTP_PORT", "2"), pair("GRPC_PORT", "2")].map(|(name, value)| (name, value.into()));
    let config = Config::parse(&Sources::collect(file, environment, [pair("http_port", "3")])).unwrap();
    assert_eq!((config.listen.http, config.listen.grpc), (3, 2));
    assert_eq!(config.logs.level, tracing::Level::WARN);
}

#[test]
fn setting_of_unbuilt_part_is_refused_unless_it_is_off() {
    assert!(faults(&[("REDIS_URL", "redis://x")])[0].contains("not built yet"));
    assert!(faults(&[("COMMUNICATION_METHOD", "kafka")])[0].contains("not built yet"));
    assert!(faults(&[("GRPC_TLS_ENABLED", "true")])[0].contains("not built yet"));
    assert!(faults(&[("GRPC_TLS_ENABLED", "false"), ("NATS_URL", "")]).is_empty());
}

#[test]
fn prices_are_dynamic_unless_they_are_switched_off() {
    let pricing = Config::parse(&environment(&[])).unwrap().pricing;
    assert!(pricing.dynamic && pricing.discounts);
    assert_eq!(pricing.quote_lifetime, Duration::from_secs(900));
    let off = [
        ("DYNAMIC_PRICING_ENABLED", "false"),
        ("DISCOUNT_RULES_ENABLED", "false"),
        ("TESSERA_QUOTE_SECONDS", "60"),
    ];
    let pricing = Config::parse(&environment(&off)).unwrap().pricing;
    assert!(!pricing.dynamic && !pricing.discounts);
    assert_eq!(pricing.quote_lifetime, Duration::from_secs(60));
    for seconds in ["59", "86401", "an hour"] {
        let reported = faults(&[("TESSERA_QUOTE_SECONDS", seconds)]);
        assert!(reported[0].contains("from 60 to 86400"), "{reported:?}");
    }
}

#[test]
fn displayed_prices_are_five_minutes_old_at_most_unless_configured() {
    let interval = |pairs: &[(&str, &str)]| Config::parse(&environment(pairs)).unwrap().price_interval;
    assert_eq!(interval(&[]), Duration::from_secs(300));
    for (seconds, expected) in [("0", 0), ("1", 1), ("86400", 86_400)] {
        assert_eq!(interval(&[("PRICE_UPDATE_INTERVAL", seconds)]), Duration::from_secs(expected));
    }
    for seconds in ["-1", "86401", "often"] {
        let reported = faults(&[("PRICE_UPDATE_INTERVAL", seconds)]);
        assert!(reported[0].contains("from 0 to 86400"), "{reported:?}");
    }
}

#[test]
fn setting_and_alias_must_agree() {
    assert!(faults(&[("PORT", "3002")]).is_empty());
    assert!(faults(&[("PORT", "3002"), ("HTTP_PORT", "8080")])[0].contains("means the same"));
}

#[test]
fn secrets_are_validated_without_being_shown() {
    let short = faults(&[("TESSERA_SECRET_KEY", "hunter2")]);
    assert!(short[0].contains("32") && !short[0].contains("hunter2"));
    let bad = faults(&[("TESSERA_BOOTSTRAP_KEY", "tsk_boot_hunter2")]);
    assert!(!bad[0].contains("hunter2"));
    let config =
        Config::parse(&environment(&[("TESSERA_SECRET_KEY", "0123456789abcdef0123456789abcdef")])).unwrap();
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn higher_source_overrides_an_alias_in_a_lower_one() {
    let environment = [("PORT".to_owned(), "3002".into())];
    let flags = [("HTTP_PORT".to_owned(), "8080".to_owned())];
    let config = Config::parse(&Sources::collect(None, environment, flags)).unwrap();
    assert_eq!(config.listen.http, 8080);
}

#[test]
fn syntax_error_is_reported_by_position_without_the_text() {
    let file = Some((std::path::Path::new("t.toml"), "http_port = 1\ntessera_secret_key = \"hush"));
    let fault = Sources::collect(file, [], []).faults[0].to_string();
    assert!(fault.contains("line 2") && !fault.contains("hush"), "{fault}");
}

#[test]
fn variable_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let environment = [("TESSERA_SECRET_KEY".to_owned(), OsString::from_vec(vec![0xff, 0xfe]))];
    let faults = Sources::collect(None, environment, []).faults;
    assert_eq!(faults[0].to_string(), "TESSERA_SECRET_KEY in the environment is not UTF-8");
}

#[test]
fn one_address_has_a_quarter_of_the_connections_unless_configured() {
    let name = "TESSERA_MAX_CONNECTIONS_PER_ADDRESS";
    for (all, of_address, expected) in [("10000", "", 2_500), ("1", "", 1), ("8", "8", 8), ("8", "1", 1)] {
        let sources = environment(&[("TESSERA_MAX_CONNECTIONS", all), (name, of_address)]);
        assert_eq!(Config::parse(&sources).unwrap().bounds.address_connections, expected);
    }
    for bad in ["0", "9", "some"] {
        let reported = faults(&[("TESSERA_MAX_CONNECTIONS", "8"), (name, bad)]);
        assert_eq!(reported, [format!("{name} is {bad:?}; it must be a number from 1 to 8")]);
    }
}

#[test]
fn database_url_implies_postgres() {
    let sources = environment(&[("DATABASE_URL", "postgres://u:p@h/d")]);
    let setting = SETTINGS.iter().find(|setting| setting.name == "DB_TYPE").unwrap();
    assert_eq!(sources.get(setting), ("postgres", Some("environment")));
}

#[test]
fn too_few_connections_are_refused_with_the_least_number() {
    for (db, few) in [("postgres", "6"), ("postgres", "2"), ("sqlite", "6"), ("sqlite", "0")] {
        let reported = faults(&[("DB_TYPE", db), ("DATABASE_MAX_CONNECTIONS", few)]);
        let expected = format!("DATABASE_MAX_CONNECTIONS is \"{few}\"; it must be a number from 7 to 1000");
        assert_eq!(reported, [expected]);
    }
    assert!(faults(&[("DB_TYPE", "postgres"), ("DATABASE_MAX_CONNECTIONS", "7")]).is_empty());
}

fn hints(names: &[&str]) -> Vec<String> {
    let pairs: Vec<_> = names.iter().map(|name| (*name, "x")).collect();
    environment(&pairs).hints.iter().map(ToString::to_string).collect()
}

#[test]
fn variable_one_edit_away_from_a_setting_gets_a_hint() {
    for (name, meant) in [
        ("KAFKA_BROKER", "KAFKA_BROKERS"),
        ("HTTP_PROT", "HTTP_PORT"),
        ("HTTP_PORTS", "HTTP_PORT"),
        ("GRPC_P0RT", "GRPC_PORT"),
        ("http_port", "HTTP_PORT"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("XLOG_LEVEL", "LOG_LEVEL"),
        ("ENVIROMENT", "ENVIRONMENT"),
        ("POSTGRES_PASWORD", "POSTGRES_PASSWORD"),
        ("DBTYPE", "DB_TYPE"),
    ] {
        assert_eq!(
            hints(&[name]),
            [format!("{name} in the environment is not a setting; is {meant} meant?")]
        );
        assert!(faults(&[(name, "x")]).is_empty(), "{name} fails");
    }
    assert!(environment(&[("KAFKA_BROKER", "")]).hints.is_empty(), "an empty variable is not set");
}

#[test]
fn usual_variables_of_other_programs_get_no_hint() {
    let usual = [
        "PATH",
        "HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "PWD",
        "OLDPWD",
        "SHELL",
        "SHLVL",
        "TERM",
        "TZ",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "EDITOR",
        "PAGER",
        "DISPLAY",
        "HOSTNAME",
        "HOST",
        "PORTS",
        "SORT",
        "HTTPS_PORT",
        "SSH_AUTH_SOCK",
        "RUST_LOG",
        "RUST_BACKTRACE",
        "CARGO_HOME",
        "XDG_RUNTIME_DIR",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "KUBERNETES_PORT",
        "REDIS_PORT",
        "REDIS_HOST",
        "NATS_PORT",
        "POSTGRES_PORT_5432_TCP",
        "KAFKA_PORT",
        "POSTGRES_INITDB_ARGS",
        "PGHOST",
        "PGPASSWORD",
        "DOCKER_HOST",
        "TESSERA_KEY",
        "TESSERA_SERVER",
        "_",
    ];
    assert_eq!(hints(&usual), Vec::<String>::new());
}
