//! The configuration: settings of the predecessors, all faults at once, no secrets in the output.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Home, Host, Kind};

/// Every variable in the documents of the predecessors, with its example.
const SEEDS: &[(&str, &str)] = &[
    ("CACHE_MAX_SIZE", "1000"),
    ("CACHE_TTL_AVAILABILITY", "300"),
    ("CACHE_TTL_EVENTS", "3600"),
    ("CACHE_TTL_SEARCH", "1800"),
    ("CACHE_TYPE", "memory"),
    ("COMMUNICATION_METHOD", "stream"),
    ("DATABASE_SSL", "true"),
    ("DATABASE_URL", "postgresql://user:password@localhost:5432/ticket_db"),
    ("DB_TYPE", "memdb"),
    ("DISCOUNT_RULES_ENABLED", "true"),
    ("DYNAMIC_PRICING_ENABLED", "true"),
    ("ELASTICSEARCH_INDEX", "events"),
    ("ELASTICSEARCH_PASSWORD", "your_elastic_password"),
    ("ELASTICSEARCH_URL", "http://localhost:9200"),
    ("ELASTICSEARCH_USERNAME", "elastic"),
    ("ENVIRONMENT", "development"),
    ("GRPC_KEEPALIVE_TIMEOUT_MS", "5000"),
    ("GRPC_KEEPALIVE_TIME_MS", "30000"),
    ("GRPC_MAX_RECEIVE_MESSAGE_LENGTH", "4194304"),
    ("GRPC_MAX_SEND_MESSAGE_LENGTH", "4194304"),
    ("GRPC_PORT", "50052"),
    ("GRPC_TLS_CERT_PATH", "/etc/grpc/certs/server.crt"),
    ("GRPC_TLS_ENABLED", "true"),
    ("GRPC_TLS_KEY_PATH", "/etc/grpc/certs/server.key"),
    ("HTTP_PORT", "8080"),
    ("KAFKA_BROKERS", "localhost:9092"),
    ("KAFKA_TOPIC_PREFIX", "issue-tracker"),
    ("LOG_LEVEL", "info"),
    ("NATS_URL", "nats://127.0.0.1:4222,nats://127.0.0.1:4223,nats://127.0.0.1:4224"),
    ("NODE_ENV", "production"),
    ("PORT", "3002"),
    ("POSTGRES_DB", "issue_tracker"),
    ("POSTGRES_HOST", "localhost"),
    ("POSTGRES_PASSWORD", "postgres"),
    ("POSTGRES_PORT", "5432"),
    ("POSTGRES_USER", "postgres"),
    ("PRICE_UPDATE_INTERVAL", "300"),
    ("REDIS_ADDR", "localhost:6379"),
    ("REDIS_DATABASE", "2"),
    ("REDIS_ENABLED", "true"),
    ("REDIS_PASSWORD", "your_redis_password"),
    ("REDIS_URL", "redis://localhost:6379"),
    ("SEARCH_FUZZY_MATCH", "true"),
    ("SEARCH_MAX_RESULTS", "100"),
    ("SEARCH_SUGGESTION_LIMIT", "10"),
    ("SEED_PROJECT_COUNT", "5"),
    ("SEED_RELATIONSHIPS", "false"),
    ("SEED_USER_COUNT", "5"),
    ("SERVICE_NAME", "ticket-service"),
];

/// Runs the binary with only these variables until it ends.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{arguments:?} with {environment:?} did not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Parses the output of `config show`: by name, the value and its comment.
fn settings(output: &Output) -> BTreeMap<String, (String, String)> {
    let text = stdout(output);
    let rows = text.lines().map(|line| {
        let (name, rest) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        let (value, about) = rest.split_once("  # ").unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), (value.trim_matches('"').to_owned(), about.to_owned()))
    });
    rows.collect()
}

/// A settings file, deleted when dropped.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        let name = format!("settings-{}.toml", uuid::Uuid::now_v7());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the variable name at the start of `text`, if `after` follows it.
fn variable<'a>(text: &'a str, after: &str) -> Option<&'a str> {
    let (name, _) = text.split_once(after)?;
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (name.len() >= 3 && name.chars().all(upper)).then_some(name)
}

#[test]
fn every_predecessor_setting_is_known() {
    let known = settings(&run(&["config", "show"], &[]));
    for (name, _) in SEEDS {
        assert!(known.contains_key(&name.to_lowercase()), "{name} is not a setting");
    }
}

#[test]
fn list_of_predecessor_settings_matches_their_documents() {
    let mut named = BTreeSet::new();
    for line in include_str!("configuration/predecessors.md").lines() {
        let row = line.strip_prefix("| `").and_then(|row| variable(row, "`"));
        named.extend(row.map(str::to_owned));
        // A line of a settings file, or variables in front of a command.
        let words = line.split_whitespace().map_while(|word| variable(word, "="));
        named.extend(words.map(str::to_owned));
    }
    let listed: BTreeSet<_> = SEEDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, named);
}

#[test]
fn unbuilt_features_are_refused_at_start() {
    let known = settings(&run(&["config", "show"], &[]));
    let later: Vec<_> = known.iter().filter(|(_, (_, about))| about.contains("not built yet")).collect();
    assert!(later.len() >= 20, "{later:?}");
    let mut all = Vec::new();
    for (name, _) in later {
        let name = name.to_uppercase();
        let (name, value) = *SEEDS.iter().find(|(seed, _)| *seed == name).unwrap();
        let output = run(&["serve"], &[(name, value)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let line = format!("{name} is set, but ");
        assert!(stderr(&output).contains(&line), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("not built yet"), "{name}: {}", stderr(&output));
        assert!(!stdout(&output).contains("ready"));
        all.push((name, value));
    }
    let output = run(&["config", "check"], &all);
    for (name, _) in &all {
        assert!(stderr(&output).contains(&format!("{name} is set, but ")), "{name}");
    }
}

#[test]
fn unbuilt_features_may_be_disabled() {
    let off = [
        ("GRPC_TLS_ENABLED", "false"),
        ("SEARCH_FUZZY_MATCH", "false"),
        ("REDIS_ENABLED", "false"),
        ("REDIS_URL", ""),
        ("NATS_URL", ""),
        ("KAFKA_BROKERS", ""),
        ("CACHE_TYPE", "memory"),
        ("COMMUNICATION_METHOD", "stream"),
    ];
    let output = run(&["config", "check"], &off);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn unbuilt_backend_is_refused_with_the_alternatives() {
    for (name, value, works) in [
        ("CACHE_TYPE", "redis", "memory"),
        ("COMMUNICATION_METHOD", "kafka", "stream"),
        ("COMMUNICATION_METHOD", "nats", "stream"),
    ] {
        let output = run(&["config", "check"], &[(name, value)]);
        assert_eq!(output.status.code(), Some(1));
        let text = stderr(&output);
        assert!(text.contains(name) && text.contains("not built yet") && text.contains(works), "{text}");
    }
}

#[test]
fn all_faults_are_reported_with_key_and_bounds() {
    let faults = [
        ("HTTP_PORT", "eighty", "0 to 65535"),
        ("GRPC_PORT", "70000", "0 to 65535"),
        ("DB_TYPE", "oracle", "sqlite, memdb, postgres"),
        ("DATABASE_MAX_CONNECTIONS", "6", "7 to 1000"),
        ("LOG_LEVEL", "loud", "debug, info, warn, error"),
        ("LOG_FORMAT", "xml", "pretty, json"),
        ("SEED_USER_COUNT", "-1", "0 to"),
        ("SEED_RELATIONSHIPS", "perhaps", "true, false"),
        ("ENVIRONMENT", "moon", "production, development"),
        ("TESSERA_LISTEN", "here", "127.0.0.1"),
        ("TESSERA_REQUEST_TIMEOUT_MS", "0", "1 to"),
        ("TESSERA_RESPONSE_READ_TIMEOUT_MS", "999", "1000 to"),
        ("TESSERA_BOOTSTRAP_KEY", "tsk_short_abc", "32 hex digits"),
        ("TESSERA_SECRET_KEY", "short", "32"),
        ("TESSERA_HISTORY_RETENTION_DAYS", "1", "TESSERA_STREAM_RETENTION_DAYS"),
        ("PRICE_UPDATE_INTERVAL", "86401", "0 to 86400"),
        ("REDIS_URL", "redis://somewhere", "not built yet"),
        ("TESSERA_DATA_DRI", "x", "TESSERA_DATA_DIR"),
    ];
    let environment: Vec<_> = faults.iter().map(|(name, value, _)| (*name, *value)).collect();
    let output = run(&["config", "check"], &environment);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for (name, _, right) in faults {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no line for {name}:\n{text}"));
        assert!(line.contains(right), "{line}");
    }
    assert!(text.contains(&format!("{} fault(s)", faults.len())), "{text}");
}

#[test]
fn defaults_are_valid() {
    let output = run(&["config", "check"], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).is_empty());
}

#[test]
fn secrets_are_never_printed() {
    const KEY: &str = "tsk_boot_feedfacefeedfacefeedfacefeedface";
    const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";
    let url = format!("postgres://user:{SECRET}@localhost/db");
    let file = File::new(&format!("postgres_password = \"{SECRET}\"\n"));
    let output = run(
        &["config", "show", "--config", file.path(), "--set", &format!("TESSERA_SECRET_KEY={SECRET}")],
        &[
            ("DATABASE_URL", &url),
            ("TESSERA_BOOTSTRAP_KEY", KEY),
            ("REDIS_PASSWORD", SECRET),
            ("ELASTICSEARCH_PASSWORD", SECRET),
        ],
    );
    let text = format!("{}{}", stdout(&output), stderr(&output));
    assert!(!text.contains("hunter2") && !text.contains("feedface"), "{text}");
    let settings = settings(&output);
    for name in [
        "tessera_secret_key",
        "tessera_bootstrap_key",
        "database_url",
        "postgres_password",
        "redis_password",
        "elasticsearch_password",
    ] {
        assert_eq!(settings[name].0, "(hidden)", "{name}");
    }
}

#[test]
fn secret_faults_do_not_print_the_secret() {
    for (name, value) in [
        ("TESSERA_SECRET_KEY", "hunter2"),
        ("TESSERA_BOOTSTRAP_KEY", "tsk_boot_hunter2"),
        ("DATABASE_URL", "postgres://user:hunter2@localhost:port/db"),
        ("DATABASE_URL", "mysql://user:hunter2@localhost/db"),
        ("REDIS_URL", "redis://:hunter2@localhost"),
        ("REDIS_PASSWORD", "hunter2"),
        ("ELASTICSEARCH_PASSWORD", "hunter2"),
    ] {
        let output = run(&["config", "check"], &[(name, value)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let text = format!("{}{}", stdout(&output), stderr(&output));
        assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn unknown_key_suggests_the_nearest_known_one() {
    let file = File::new("htp_port = 1\nno_such_thing_at_all = true\n");
    let output = run(&["config", "check", "--config", file.path(), "--set", "grpc_prot=1"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("htp_port in the file is not a setting; is HTTP_PORT meant?"), "{text}");
    assert!(text.contains("no_such_thing_at_all in the file is not a setting"), "{text}");
    assert!(text.contains("grpc_prot in the command line is not a setting; is GRPC_PORT meant?"), "{text}");
    // Variables without the prefix `TESSERA_` are other programs', but a misspelt setting is reported.
    let variables = [("HOME", "/"), ("HTTP_PROT", "hunter2"), ("HTTP_PROXY", "http://proxy"), ("LANG", "C")];
    let output = run(&["config", "check"], &variables);
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = "note: HTTP_PROT in the environment is not a setting; is HTTP_PORT meant?\nthe configuration is valid\n";
    assert_eq!(stdout(&output), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_variable_is_logged_at_start() {
    let home = Home::empty(Kind::Memory).await;
    let host = Host::start_with(&home, &[("KAFKA_BROKER", "hunter2"), ("HTTP_PROXY", "http://proxy")]).await;
    let log = host.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("is not a setting")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("KAFKA_BROKER") && warnings[0].contains("is KAFKA_BROKERS meant?"), "{log}");
    assert!(warnings[0].contains("WARN") && !log.contains("hunter2"), "{log}");
}

#[test]
fn flags_override_environment_overrides_file() {
    let file =
        File::new("http_port = 1001\ngrpc_port = 1002\nlog_level = \"warn\"\nseed_relationships = true\n");
    let arguments = ["config", "show", "--config", file.path(), "--http-port", "3001", "--data", "elsewhere"];
    let environment = [("HTTP_PORT", "2001"), ("GRPC_PORT", "2002"), ("TESSERA_DATA_DIR", "here")];
    let flagged = run(&arguments, &environment);
    assert!(flagged.status.success(), "{}", stderr(&flagged));
    let flagged = settings(&flagged);
    for (name, value, place) in [
        ("http_port", "3001", "command line"),
        ("tessera_data_dir", "elsewhere", "command line"),
        ("grpc_port", "2002", "environment"),
        ("log_level", "warn", "file"),
        ("seed_relationships", "true", "file"),
        ("db_type", "sqlite", "default"),
    ] {
        let (actual, about) = &flagged[name];
        assert_eq!(actual, value, "{name}");
        assert!(about.starts_with(place), "{name}: {about}");
    }
    let by_variable = settings(&run(&["config", "show"], &[("TESSERA_CONFIG", file.path())]));
    assert_eq!(by_variable["http_port"].0, "1001");
    let demo = settings(&run(&["config", "show", "--demo"], &[("ENVIRONMENT", "production")]));
    assert_eq!(demo["environment"].0, "development");
}

#[test]
fn unreadable_file_is_named() {
    let output = run(&["config", "check", "--config", "absent.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("absent.toml"), "{}", stderr(&output));
    for (text, expected) in [
        ("http_port = = 1", "cannot be read"),
        ("http_port = [1, 2]", "http_port is of the type array"),
        ("[http]\nport = 1", "http is of the type table"),
    ] {
        let file = File::new(text);
        let output = run(&["config", "check", "--config", file.path()], &[]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(stderr(&output).contains(expected), "{text}: {}", stderr(&output));
    }
}

#[test]
fn aliases_of_a_setting_must_agree() {
    let output = run(&["config", "check"], &[("PORT", "3002"), ("HTTP_PORT", "8080")]);
    assert!(stderr(&output).contains("PORT is \"3002\", but HTTP_PORT"), "{}", stderr(&output));
    let alias = settings(&run(&["config", "show"], &[("PORT", "3002"), ("NODE_ENV", "development")]));
    assert_eq!((alias["http_port"].0.as_str(), alias["environment"].0.as_str()), ("3002", "development"));
}

#[test]
fn database_url_excludes_other_database_settings() {
    let url = "postgres://user@localhost/db";
    let beside = run(&["config", "check"], &[("DATABASE_URL", url), ("DB_TYPE", "memdb")]);
    assert_eq!(beside.status.code(), Some(1));
    assert!(stderr(&beside).contains("DATABASE_URL"), "{}", stderr(&beside));
    let agreed = run(&["config", "check"], &[("DATABASE_URL", url), ("DB_TYPE", "postgres")]);
    assert!(agreed.status.success(), "{}", stderr(&agreed));
}
