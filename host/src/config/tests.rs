//! What the configuration promises.

use std::ffi::OsString;

use super::*;

fn said(pairs: &[(&str, &str)]) -> Said {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(*value)));
    Said::gather(None, pairs, [])
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    Config::read(&said(pairs))
        .map(|_| Vec::new())
        .unwrap_or_else(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn nothing_said_is_a_file_and_the_usual_ports() {
    let config = Config::read(&said(&[])).unwrap();
    assert!(matches!(config.store, StoreConfig::Sqlite { .. }));
    assert_eq!((config.listen.grpc, config.listen.http), (50052, 8080));
    assert!(config.demo.is_none());
}

#[test]
fn all_faults_are_told_at_once() {
    let all = faults(&[
        ("HTTP_PORT", "eighty"),
        ("DB_TYPE", "oracle"),
        ("LOG_LEVEL", "loud"),
        ("TESSERA_LISTEN", "here"),
    ]);
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all.iter().any(|fault| fault == "HTTP_PORT is \"eighty\"; a number from 0 to 65535 is expected"));
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let file = Some((std::path::Path::new("t.toml"), "htp_port = 1"));
    let found = Said::gather(file, [], []).faults;
    assert_eq!(found[0].to_string(), "htp_port in the file is not a setting; is HTTP_PORT meant?");
    assert_eq!(faults(&[("TESSERA_DATADIR", "x")]).len(), 1);
    assert!(faults(&[("HOME", "x")]).is_empty());
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let file = Some((std::path::Path::new("t.toml"), "http_port = 1\ngrpc_port = 1\nlog_level = \"warn\""));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment =
        [pair("HTTP_PORT", "2"), pair("GRPC_PORT", "2")].map(|(name, value)| (name, value.into()));
    let config = Config::read(&Said::gather(file, environment, [pair("http_port", "3")])).unwrap();
    assert_eq!((config.listen.http, config.listen.grpc), (3, 2));
    assert_eq!(config.logs.level, tracing::Level::WARN);
}

#[test]
fn what_is_not_built_is_refused_unless_it_is_off() {
    assert!(faults(&[("REDIS_URL", "redis://x")])[0].contains("not built yet"));
    assert!(faults(&[("COMMUNICATION_METHOD", "kafka")])[0].contains("not built yet"));
    assert!(faults(&[("GRPC_TLS_ENABLED", "true")])[0].contains("not built yet"));
    assert!(
        faults(&[("GRPC_TLS_ENABLED", "false"), ("PRICE_UPDATE_INTERVAL", "0"), ("NATS_URL", "")]).is_empty()
    );
}

#[test]
fn two_names_of_one_setting_must_agree() {
    assert!(faults(&[("PORT", "3002")]).is_empty());
    assert!(faults(&[("PORT", "3002"), ("HTTP_PORT", "8080")])[0].contains("means the same"));
}

#[test]
fn secrets_are_checked_and_never_shown() {
    let short = faults(&[("TESSERA_SECRET_KEY", "hunter2")]);
    assert!(short[0].contains("32") && !short[0].contains("hunter2"));
    let bad = faults(&[("TESSERA_BOOTSTRAP_KEY", "tsk_boot_hunter2")]);
    assert!(!bad[0].contains("hunter2"));
    let config = Config::read(&said(&[("TESSERA_SECRET_KEY", "0123456789abcdef0123456789abcdef")])).unwrap();
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn a_setting_is_one_whatever_its_name_and_the_nearer_source_wins() {
    let environment = [("PORT".to_owned(), "3002".into())];
    let flags = [("HTTP_PORT".to_owned(), "8080".to_owned())];
    let config = Config::read(&Said::gather(None, environment, flags)).unwrap();
    assert_eq!(config.listen.http, 8080);
}

#[test]
fn a_file_that_cannot_be_read_is_named_by_its_place_and_not_by_its_text() {
    let file = Some((std::path::Path::new("t.toml"), "http_port = 1\ntessera_secret_key = \"hush"));
    let fault = Said::gather(file, [], []).faults[0].to_string();
    assert!(fault.contains("line 2") && !fault.contains("hush"), "{fault}");
}

#[test]
fn what_is_not_utf8_is_a_fault_and_not_as_if_it_were_unset() {
    use std::os::unix::ffi::OsStringExt as _;
    let environment = [("TESSERA_SECRET_KEY".to_owned(), OsString::from_vec(vec![0xff, 0xfe]))];
    let faults = Said::gather(None, environment, []).faults;
    assert_eq!(faults[0].to_string(), "TESSERA_SECRET_KEY in the environment is not UTF-8");
}

#[test]
fn a_database_that_is_named_is_the_one_that_is_shown() {
    let said = said(&[("DATABASE_URL", "postgres://u:p@h/d")]);
    let setting = SETTINGS.iter().find(|setting| setting.name == "DB_TYPE").unwrap();
    assert_eq!(said.get(setting), ("postgres", Some("environment")));
}
