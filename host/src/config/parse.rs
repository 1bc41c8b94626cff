//! Parses and validates the settings, and collects all faults.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tessera_core::outbox::audit::Retention;
use tessera_core::plugin::CallLimits;
use tessera_core::pricing::PricingSettings;
use tessera_core::tenancy::key::KeyText;
use tessera_store::{PostgresAddress, PostgresConfig, StoreConfig};

use super::{Bounds, Config, Demo, Fault, Listen, Logs, PluginBounds, Redacted, SETTINGS, Sources, Status};

impl Config {
    /// Parses the settings, or returns all their faults.
    pub(crate) fn parse(sources: &Sources) -> Result<Self, Vec<Fault>> {
        let mut parser = Parser { sources, faults: sources.faults.clone(), texts: BTreeMap::new() };
        parser.reject_unbuilt_parts();
        let config = parser.config();
        match config {
            Some(config) if parser.faults.is_empty() => Ok(config),
            Some(_) | None => Err(parser.faults),
        }
    }
}

/// The most that can be configured as the limit of connections.
const MAX_CONNECTIONS: usize = 1_000_000;

struct Parser<'a> {
    sources: &'a Sources,
    faults: Vec<Fault>,
    texts: BTreeMap<&'static str, &'a str>,
}

impl<'a> Parser<'a> {
    fn reject_unbuilt_parts(&mut self) {
        for setting in SETTINGS {
            let (text, _) = self.sources.get(setting);
            self.texts.insert(setting.name, text);
            let Status::NotBuilt(part, off) = setting.status else { continue };
            if !text.is_empty() && !off.contains(&text) {
                let off =
                    off.first().map_or("leave it unset".to_owned(), |off| format!("leave it unset or {off}"));
                self.fault(setting.name, format!("is set, but {part} is not built yet; {off}"));
            }
        }
    }

    fn fault(&mut self, key: &str, message: impl Into<String>) {
        self.faults.push(Fault::new(key, message));
    }

    fn text(&self, key: &str) -> &'a str {
        self.texts.get(key).copied().unwrap_or_default()
    }

    fn number<T: FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        key: &str,
        min: T,
        max: T,
    ) -> Option<T> {
        let text = self.text(key);
        match text.parse::<T>() {
            Ok(number) if number >= min && number <= max => Some(number),
            Ok(_) | Err(_) => {
                self.fault(key, format!("is {text:?}; it must be a number from {min} to {max}"));
                None
            }
        }
    }

    fn millis(&mut self, key: &str) -> Option<Duration> {
        self.number(key, 1, 3_600_000).map(Duration::from_millis)
    }

    fn one_of<T: Copy>(&mut self, key: &str, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(key);
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            self.fault(key, format!("is {text:?}; it must be one of {}", names.join(", ")));
        }
        found
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.one_of(key, &[("true", true), ("false", false)])
    }

    fn config(&mut self) -> Option<Config> {
        self.check_backends();
        let listen = self.listen();
        let store = self.store();
        let logs = self.logs();
        let demo = self.demo();
        let retention = self.retention();
        let plugins = self.plugins();
        let pricing = self.pricing();
        let price_interval = self.number("PRICE_UPDATE_INTERVAL", 0, 86_400).map(Duration::from_secs);
        let tenant_components = self.number("TESSERA_PLUGIN_TENANT_BYTES", 1_024, 1 << 40);
        let preload = self.millis("TESSERA_PLUGIN_PRELOAD_MS");
        let bounds = self.bounds();
        let cache_entries = self.number("CACHE_MAX_SIZE", 1, 10_000_000);
        let secret = self.secret();
        let bootstrap_key = self.bootstrap_key();
        let (store, uses_data_dir) = store?;
        Some(Config {
            listen: listen?,
            store,
            data: PathBuf::from(self.text("TESSERA_DATA_DIR")),
            uses_data_dir,
            secret,
            secret_file: Some(self.text("TESSERA_SECRET_KEY_FILE"))
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            bootstrap_key,
            cache_entries: cache_entries?,
            logs: logs?,
            demo: demo?,
            retention: retention?,
            plugins: plugins?,
            pricing: pricing?,
            price_interval: price_interval?,
            tenant_components: tenant_components?,
            preload: preload?,
            bounds: bounds?,
            hints: self.sources.hints.clone(),
        })
    }

    fn check_backends(&mut self) {
        let not_built = [
            ("CACHE_TYPE", "memory", &["redis"][..]),
            ("COMMUNICATION_METHOD", "stream", &["kafka", "nats"][..]),
        ];
        for (key, supported, unbuilt) in not_built {
            let text = self.text(key);
            if unbuilt.contains(&text) {
                self.fault(key, format!("is {text:?}, which is not built yet; use {supported}"));
            } else if text != supported {
                self.fault(key, format!("is {text:?}; it must be {supported}"));
            }
        }
    }

    fn listen(&mut self) -> Option<Listen> {
        let text = self.text("TESSERA_LISTEN");
        let address = text.parse::<IpAddr>().ok();
        if address.is_none() {
            self.fault(
                "TESSERA_LISTEN",
                format!("is {text:?}; it must be an IP address such as 127.0.0.1 or 0.0.0.0"),
            );
        }
        let (grpc, http) = (self.number("GRPC_PORT", 0, u16::MAX), self.number("HTTP_PORT", 0, u16::MAX));
        Some(Listen { address: address?, grpc: grpc?, http: http? })
    }

    /// Returns the store and whether the host uses its data folder.
    fn store(&mut self) -> Option<(StoreConfig, bool)> {
        let ssl = self.flag("DATABASE_SSL");
        let connections = self.number("DATABASE_MAX_CONNECTIONS", PostgresConfig::MIN_CONNECTIONS, 1_000);
        let port = self.number("POSTGRES_PORT", 1, u16::MAX);
        let url = self.text("DATABASE_URL");
        let db = self.text("DB_TYPE");
        if !url.is_empty() && db != "postgres" {
            self.fault(
                "DATABASE_URL",
                format!("is set, but DB_TYPE is {db:?}; unset one of them, or set DB_TYPE to postgres"),
            );
        }
        match db {
            "sqlite" => {
                let path = PathBuf::from(self.text("TESSERA_DATA_DIR")).join("tessera.db");
                Some((StoreConfig::Sqlite { path }, true))
            }
            "memdb" => Some((StoreConfig::Memory, false)),
            "postgres" => {
                let (port, ssl, connections) = (port?, ssl?, connections?);
                let config = if url.is_empty() {
                    let address = PostgresAddress {
                        host: self.text("POSTGRES_HOST").to_owned(),
                        port,
                        user: self.text("POSTGRES_USER").to_owned(),
                        password: self.text("POSTGRES_PASSWORD").to_owned(),
                        database: self.text("POSTGRES_DB").to_owned(),
                        ssl,
                    };
                    PostgresConfig::from_address(&address, connections)
                } else {
                    match PostgresConfig::from_url(url, ssl, connections) {
                        Ok(config) => config,
                        Err(error) => {
                            let faults = error.faults().iter();
                            self.faults.extend(faults.map(|fault| Fault::new(&fault.field, &fault.message)));
                            return None;
                        }
                    }
                };
                Some((StoreConfig::Postgres(config), true))
            }
            other => {
                self.fault("DB_TYPE", format!("is {other:?}; it must be one of sqlite, memdb, postgres"));
                None
            }
        }
    }

    fn logs(&mut self) -> Option<Logs> {
        use tracing::Level;
        let levels =
            [("debug", Level::DEBUG), ("info", Level::INFO), ("warn", Level::WARN), ("error", Level::ERROR)];
        let level = self.one_of("LOG_LEVEL", &levels);
        let formats = [("auto", None), ("pretty", Some(true)), ("json", Some(false))];
        let pretty = self.one_of("LOG_FORMAT", &formats);
        Some(Logs { level: level?, pretty: pretty? })
    }

    fn demo(&mut self) -> Option<Option<Demo>> {
        let kinds = [("production", false), ("development", true), ("test", false)];
        let enabled = self.one_of("ENVIRONMENT", &kinds);
        let users = self.number("SEED_USER_COUNT", 0, 10_000_u32);
        let projects = self.number("SEED_PROJECT_COUNT", 0, 10_000_u32);
        let relationships = self.flag("SEED_RELATIONSHIPS");
        let demo = Demo { users: users?, projects: projects?, relationships: relationships? };
        enabled.map(|enabled| enabled.then_some(demo))
    }

    fn retention(&mut self) -> Option<Retention> {
        let day = 24 * 60 * 60;
        let streams = self.number("TESSERA_STREAM_RETENTION_DAYS", 1, 36_500_u64);
        let history = self.number("TESSERA_HISTORY_RETENTION_DAYS", 0, 36_500_u64);
        if let (Some(streams), Some(history)) = (streams, history)
            && history != 0
            && history < streams
        {
            let message =
                format!("is {history}; it must be 0, or at least TESSERA_STREAM_RETENTION_DAYS ({streams})");
            self.fault("TESSERA_HISTORY_RETENTION_DAYS", message);
        }
        let history = history.map(|days| (days != 0).then(|| Duration::from_secs(days * day)));
        Some(Retention { streams: Duration::from_secs(streams? * day), history: history? })
    }

    fn bounds(&mut self) -> Option<Bounds> {
        let request = self.millis("TESSERA_REQUEST_TIMEOUT_MS");
        // Within less than a second a healthy client may not have read.
        let response_read = self.number("TESSERA_RESPONSE_READ_TIMEOUT_MS", 1_000, 3_600_000);
        let shutdown = self.millis("TESSERA_SHUTDOWN_TIMEOUT_MS");
        let keepalive = self.millis("GRPC_KEEPALIVE_TIME_MS");
        let keepalive_timeout = self.millis("GRPC_KEEPALIVE_TIMEOUT_MS");
        let body = self.number("TESSERA_MAX_BODY_BYTES", 1_024, 64 << 20);
        let connections = self.number("TESSERA_MAX_CONNECTIONS", 1, MAX_CONNECTIONS);
        let address_connections = self.address_connections(connections);
        let grpc_receive = self.number("GRPC_MAX_RECEIVE_MESSAGE_LENGTH", 1_024, 64 << 20);
        let grpc_send = self.number("GRPC_MAX_SEND_MESSAGE_LENGTH", 1_024, 64 << 20);
        Some(Bounds {
            request: request?,
            response_read: Duration::from_millis(response_read?),
            shutdown: shutdown?,
            body: body?,
            connections: connections?,
            address_connections: address_connections?,
            grpc_receive: grpc_receive?,
            grpc_send: grpc_send?,
            keepalive: keepalive?,
            keepalive_timeout: keepalive_timeout?,
        })
    }

    /// Returns the limit of connections from one address: by default a quarter of all.
    fn address_connections(&mut self, all: Option<usize>) -> Option<usize> {
        let key = "TESSERA_MAX_CONNECTIONS_PER_ADDRESS";
        if self.text(key).is_empty() {
            return all.map(|all| all.div_ceil(4));
        }
        self.number(key, 1, all.unwrap_or(MAX_CONNECTIONS))
    }

    fn plugins(&mut self) -> Option<PluginBounds> {
        let component = self.number("TESSERA_PLUGIN_MAX_BYTES", 1_024, 64 << 20);
        let fuel = self.number("TESSERA_PLUGIN_FUEL", 10_000, 10_000_000_000);
        let time = self.number("TESSERA_PLUGIN_TIME_MS", 1, 60_000);
        let memory = self.number("TESSERA_PLUGIN_MEMORY_BYTES", 1 << 20, 1 << 30);
        let output = self.number("TESSERA_PLUGIN_OUTPUT_BYTES", 1_024, 16 << 20);
        let calls = self.number("TESSERA_PLUGIN_CALLS", 1, 1_000);
        let tenant_percent = self.number("TESSERA_PLUGIN_TENANT_PERCENT", 1, 100);
        let compile_time = self.millis("TESSERA_PLUGIN_COMPILE_MS");
        let compile_memory = self.number("TESSERA_PLUGIN_COMPILE_BYTES", 256 << 20, 64 << 30);
        let compilations = self.number("TESSERA_PLUGIN_COMPILATIONS", 1, 256);
        let (fuel, time) = (fuel?, Duration::from_millis(time?));
        let call = CallLimits { fuel, time, memory: memory?, output: output?, ..CallLimits::standard() };
        Some(PluginBounds {
            component: component?,
            call,
            calls: calls?,
            tenant_percent: tenant_percent?,
            compile_time: compile_time?,
            compile_memory: compile_memory?,
            compilations: compilations?,
        })
    }

    fn pricing(&mut self) -> Option<PricingSettings> {
        let dynamic = self.flag("DYNAMIC_PRICING_ENABLED");
        let discounts = self.flag("DISCOUNT_RULES_ENABLED");
        let quote_lifetime = self.number("TESSERA_QUOTE_SECONDS", 60, 86_400).map(Duration::from_secs);
        Some(PricingSettings { dynamic: dynamic?, discounts: discounts?, quote_lifetime: quote_lifetime? })
    }

    fn secret(&mut self) -> Option<Redacted> {
        let (text, file) = (self.text("TESSERA_SECRET_KEY"), self.text("TESSERA_SECRET_KEY_FILE"));
        let (key, text) = match (text.is_empty(), file.is_empty()) {
            (true, true) => return None,
            (false, false) => {
                self.fault(
                    "TESSERA_SECRET_KEY_FILE",
                    "and TESSERA_SECRET_KEY are both set; unset one of them",
                );
                return None;
            }
            (false, true) => ("TESSERA_SECRET_KEY", text.to_owned()),
            (true, false) => match std::fs::read_to_string(file) {
                Ok(text) => ("TESSERA_SECRET_KEY_FILE", text),
                Err(error) => {
                    self.fault(
                        "TESSERA_SECRET_KEY_FILE",
                        format!("is {file:?}, which cannot be read: {error}"),
                    );
                    return None;
                }
            },
        };
        let text = text.trim().to_owned();
        if text.chars().count() < 32 {
            self.fault(
                key,
                "has fewer than 32 characters; use for example 32 random bytes as hexadecimal digits",
            );
        }
        Some(Redacted(text))
    }

    fn bootstrap_key(&mut self) -> Option<Redacted> {
        let text = self.text("TESSERA_BOOTSTRAP_KEY");
        if text.is_empty() {
            return None;
        }
        if KeyText::split(text).is_none() {
            self.fault(
                "TESSERA_BOOTSTRAP_KEY",
                "must be tsk_<id>_<secret> with a secret of at least 32 hex digits",
            );
        }
        Some(Redacted(text.to_owned()))
    }
}
