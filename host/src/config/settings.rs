//! The list of settings with their names, defaults and descriptions.

/// Whether a setting has an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// It has an effect.
    Supported,
    /// Another name for the setting.
    Alias(&'static str),
    /// Its part is not built yet: only these values are accepted, which switch the part off.
    NotBuilt(&'static str, &'static [&'static str]),
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Its name in the environment; in the file the same in lower case.
    pub(crate) name: &'static str,
    /// The default value.
    pub(crate) default: &'static str,
    /// Whether its value is hidden.
    pub(crate) secret: bool,
    /// Whether it has an effect.
    pub(crate) status: Status,
    /// The description in `tessera config show`.
    pub(crate) description: &'static str,
}

const fn supported(name: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { name, default, secret: false, status: Status::Supported, description }
}

const fn secret(name: &'static str, default: &'static str, description: &'static str) -> Setting {
    Setting { name, default, secret: true, status: Status::Supported, description }
}

const fn alias(name: &'static str, of: &'static str) -> Setting {
    Setting { name, default: "", secret: false, status: Status::Alias(of), description: "" }
}

const fn unbuilt(name: &'static str, part: &'static str, off: &'static [&'static str]) -> Setting {
    Setting { name, default: "", secret: false, status: Status::NotBuilt(part, off), description: part }
}

const fn unbuilt_secret(name: &'static str, part: &'static str) -> Setting {
    Setting { secret: true, ..unbuilt(name, part, &[]) }
}

/// All settings in the order of `tessera config show`.
pub(crate) const SETTINGS: &[Setting] = &[
    supported("TESSERA_LISTEN", "127.0.0.1", "IP address to listen on; 0.0.0.0 for all interfaces"),
    supported(
        "GRPC_PORT",
        "50052",
        "port of gRPC; the same as HTTP_PORT serves both on one port; 0 chooses a free one",
    ),
    supported("HTTP_PORT", "8080", "port of REST; 0 chooses a free one"),
    alias("PORT", "HTTP_PORT"),
    supported(
        "ENVIRONMENT",
        "production",
        "production, test, or development, which creates example data in an empty host",
    ),
    alias("NODE_ENV", "ENVIRONMENT"),
    supported("TESSERA_DATA_DIR", "./data", "folder of the host's files"),
    secret(
        "TESSERA_SECRET_KEY",
        "",
        "the host's secret, the same on all hosts of a database; generated at the first start if unset",
    ),
    supported("TESSERA_SECRET_KEY_FILE", "", "file that contains the secret, instead of TESSERA_SECRET_KEY"),
    secret(
        "TESSERA_BOOTSTRAP_KEY",
        "",
        "the first API key, tsk_<id>_<secret>; generated and printed once if unset",
    ),
    supported("DB_TYPE", "sqlite", "sqlite (a file in the data folder), memdb (in memory) or postgres"),
    secret(
        "DATABASE_URL",
        "",
        "PostgreSQL as postgres://user:password@host:port/database, instead of POSTGRES_*",
    ),
    supported(
        "DATABASE_SSL",
        "false",
        "whether connections to PostgreSQL require TLS; sslmode=verify-full in DATABASE_URL also verifies the certificate",
    ),
    supported("DATABASE_MAX_CONNECTIONS", "20", "limit of connections to PostgreSQL, at least 7"),
    supported("POSTGRES_HOST", "localhost", "host of PostgreSQL"),
    supported("POSTGRES_PORT", "5432", "port of PostgreSQL"),
    supported("POSTGRES_USER", "postgres", "user of PostgreSQL"),
    secret("POSTGRES_PASSWORD", "postgres", "password of PostgreSQL"),
    supported("POSTGRES_DB", "tessera", "database of PostgreSQL"),
    supported("CACHE_TYPE", "memory", "type of the cache; memory"),
    supported("CACHE_MAX_SIZE", "10000", "limit of entries in the in-process cache"),
    supported("COMMUNICATION_METHOD", "stream", "bus for facts; stream publishes to no broker"),
    supported("LOG_LEVEL", "info", "lowest level that is logged: debug, info, warn or error"),
    supported(
        "LOG_FORMAT",
        "auto",
        "pretty, json, or auto, which is pretty on a terminal and json otherwise",
    ),
    supported("SEED_USER_COUNT", "5", "number of example users"),
    supported("SEED_PROJECT_COUNT", "5", "number of example projects"),
    supported("SEED_RELATIONSHIPS", "false", "whether the example data includes assigned issues"),
    supported("TESSERA_REQUEST_TIMEOUT_MS", "30000", "limit of a request's time"),
    supported(
        "TESSERA_RESPONSE_READ_TIMEOUT_MS",
        "90000",
        "limit of time for which a part of a response waits for the client",
    ),
    supported("TESSERA_SHUTDOWN_TIMEOUT_MS", "10000", "limit of time for requests in flight at shutdown"),
    supported("TESSERA_MAX_BODY_BYTES", "1048576", "limit of a REST request's body"),
    supported("TESSERA_MAX_CONNECTIONS", "10000", "limit of client connections"),
    supported(
        "TESSERA_MAX_CONNECTIONS_PER_ADDRESS",
        "",
        "limit of client connections from one address; a quarter of TESSERA_MAX_CONNECTIONS if unset",
    ),
    supported("TESSERA_STREAM_RETENTION_DAYS", "7", "how long streams of facts can be resumed"),
    supported(
        "TESSERA_HISTORY_RETENTION_DAYS",
        "0",
        "how long history and audit log are kept; 0 is for ever",
    ),
    supported("GRPC_MAX_RECEIVE_MESSAGE_LENGTH", "1048576", "limit of a received gRPC message"),
    supported("GRPC_MAX_SEND_MESSAGE_LENGTH", "4194304", "limit of a sent gRPC message"),
    supported("GRPC_KEEPALIVE_TIME_MS", "30000", "interval of HTTP/2 keepalive pings"),
    supported("GRPC_KEEPALIVE_TIMEOUT_MS", "5000", "limit of time for the answer to a keepalive ping"),
    supported(
        "TESSERA_PLUGIN_MAX_BYTES",
        "4194304",
        "limit of a component's size; 33554432 admits plugins in Python",
    ),
    supported("TESSERA_PLUGIN_FUEL", "10000000", "limit of instructions of a plugin call"),
    supported("TESSERA_PLUGIN_TIME_MS", "250", "limit of a plugin call's time"),
    supported("TESSERA_PLUGIN_MEMORY_BYTES", "16777216", "limit of a plugin call's memory"),
    supported("TESSERA_PLUGIN_OUTPUT_BYTES", "262144", "limit of a plugin call's output"),
    supported("TESSERA_PLUGIN_CALLS", "128", "limit of concurrent plugin calls"),
    supported(
        "TESSERA_PLUGIN_TENANT_PERCENT",
        "50",
        "share of the concurrent plugin calls that one tenant may use",
    ),
    supported("TESSERA_PLUGIN_COMPILE_MS", "60000", "limit of a compilation's time"),
    supported("TESSERA_PLUGIN_COMPILE_BYTES", "2147483648", "limit of a compilation's memory"),
    supported(
        "TESSERA_PLUGIN_COMPILATIONS",
        "2",
        "limit of concurrent compilations; a tenant has one at a time",
    ),
    supported("TESSERA_PLUGIN_TENANT_BYTES", "268435456", "limit of the size of all components of a tenant"),
    supported(
        "TESSERA_PLUGIN_PRELOAD_MS",
        "10000",
        "limit of the time for which a start waits for installed plugins to be compiled",
    ),
    supported("DYNAMIC_PRICING_ENABLED", "true", "whether surcharges and pricing plugins apply"),
    supported(
        "DISCOUNT_RULES_ENABLED",
        "true",
        "whether discount rules apply and discount codes are accepted",
    ),
    supported("TESSERA_QUOTE_SECONDS", "900", "how long the prices of a stored quote can be reserved"),
    supported(
        "PRICE_UPDATE_INTERVAL",
        "300",
        "how many seconds old displayed prices may be; 0: each request computes them",
    ),
    unbuilt("GRPC_TLS_ENABLED", "TLS", &["false"]),
    unbuilt("GRPC_TLS_CERT_PATH", "TLS", &[]),
    unbuilt("GRPC_TLS_KEY_PATH", "TLS", &[]),
    unbuilt("REDIS_ENABLED", "the Redis cache", &["false"]),
    unbuilt("REDIS_ADDR", "the Redis cache", &[]),
    unbuilt_secret("REDIS_URL", "the Redis cache"),
    unbuilt_secret("REDIS_PASSWORD", "the Redis cache"),
    unbuilt("REDIS_DATABASE", "the Redis cache", &[]),
    unbuilt("KAFKA_BROKERS", "the Kafka bus", &[]),
    unbuilt("KAFKA_TOPIC_PREFIX", "the Kafka bus", &[]),
    unbuilt_secret("NATS_URL", "NATS"),
    unbuilt("SERVICE_NAME", "NATS", &[]),
    unbuilt_secret("ELASTICSEARCH_URL", "search"),
    unbuilt("ELASTICSEARCH_INDEX", "search", &[]),
    unbuilt("ELASTICSEARCH_USERNAME", "search", &[]),
    unbuilt_secret("ELASTICSEARCH_PASSWORD", "search"),
    unbuilt("SEARCH_MAX_RESULTS", "search", &["0"]),
    unbuilt("SEARCH_SUGGESTION_LIMIT", "search", &["0"]),
    unbuilt("SEARCH_FUZZY_MATCH", "search", &["false"]),
    unbuilt("CACHE_TTL_EVENTS", "the cache of events", &["0"]),
    unbuilt("CACHE_TTL_AVAILABILITY", "the cache of events", &["0"]),
    unbuilt("CACHE_TTL_SEARCH", "search", &["0"]),
];

/// Returns the setting of this name. Case does not matter.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}
