//! Every setting there is: its name, its default, and whether its part is built.

/// How a setting is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It works.
    Works,
    /// Another name for the setting.
    Alias(&'static str),
    /// Its part is not built yet: anything but these values, or nothing, is refused.
    NotBuilt(&'static str, &'static [&'static str]),
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Its name in the environment; in the file the same in lower case.
    pub(crate) name: &'static str,
    /// What it is when nobody sets it.
    pub(crate) default: &'static str,
    /// Whether it is shown.
    pub(crate) secret: bool,
    /// How it is taken.
    pub(crate) standing: Standing,
    /// What it does.
    pub(crate) about: &'static str,
}

const fn works(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, secret: false, standing: Standing::Works, about }
}

const fn secret(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, secret: true, standing: Standing::Works, about }
}

const fn alias(name: &'static str, of: &'static str, about: &'static str) -> Setting {
    Setting { name, default: "", secret: false, standing: Standing::Alias(of), about }
}

const fn later(name: &'static str, part: &'static str, off: &'static [&'static str]) -> Setting {
    Setting { name, default: "", secret: false, standing: Standing::NotBuilt(part, off), about: part }
}

const fn later_secret(name: &'static str, part: &'static str) -> Setting {
    Setting { secret: true, ..later(name, part, &[]) }
}

/// All settings, in the order in which they are shown.
pub(crate) const SETTINGS: &[Setting] = &[
    works("TESSERA_LISTEN", "127.0.0.1", "the address to listen on; 0.0.0.0 for all"),
    works(
        "GRPC_PORT",
        "50052",
        "the port of gRPC; the same as HTTP_PORT for one port; 0 for any that is free",
    ),
    works("HTTP_PORT", "8080", "the port of REST; 0 for any that is free"),
    alias("PORT", "HTTP_PORT", "another name for HTTP_PORT"),
    works("ENVIRONMENT", "production", "production, or development, which fills an empty host with examples"),
    alias("NODE_ENV", "ENVIRONMENT", "another name for ENVIRONMENT"),
    works("TESSERA_DATA_DIR", "./data", "the folder of what the host keeps"),
    secret(
        "TESSERA_SECRET_KEY",
        "",
        "the host's secret, the same on all hosts of a database; made when there is none",
    ),
    works("TESSERA_SECRET_KEY_FILE", "", "a file that holds the secret instead"),
    secret(
        "TESSERA_BOOTSTRAP_KEY",
        "",
        "the first API key, tsk_<id>_<secret>; made and shown once when there is none",
    ),
    works("DB_TYPE", "sqlite", "sqlite (a file in the data folder), memdb (memory) or postgres"),
    secret(
        "DATABASE_URL",
        "",
        "PostgreSQL as postgres://user:password@host:port/database, instead of POSTGRES_*",
    ),
    works(
        "DATABASE_SSL",
        "false",
        "whether PostgreSQL must be reached by TLS; to have its certificate verified, say sslmode=verify-full in DATABASE_URL",
    ),
    works("DATABASE_MAX_CONNECTIONS", "20", "at most so many connections to PostgreSQL"),
    works("POSTGRES_HOST", "localhost", "the host of PostgreSQL"),
    works("POSTGRES_PORT", "5432", "the port of PostgreSQL"),
    works("POSTGRES_USER", "postgres", "the user of PostgreSQL"),
    secret("POSTGRES_PASSWORD", "postgres", "the password of PostgreSQL"),
    works("POSTGRES_DB", "tessera", "the database of PostgreSQL"),
    works("CACHE_TYPE", "memory", "memory"),
    works("CACHE_MAX_SIZE", "10000", "at most so many entries in the cache of the process"),
    works("COMMUNICATION_METHOD", "stream", "stream: facts stay in the process and the store"),
    works("LOG_LEVEL", "info", "debug, info, warn or error"),
    works("LOG_FORMAT", "auto", "pretty, json, or auto: pretty on a terminal"),
    works("SEED_USER_COUNT", "5", "how many example users"),
    works("SEED_PROJECT_COUNT", "5", "how many example projects"),
    works("SEED_RELATIONSHIPS", "false", "whether the examples have issues that are assigned"),
    works("TESSERA_REQUEST_TIMEOUT_MS", "30000", "how long a request may take"),
    works("TESSERA_SHUTDOWN_TIMEOUT_MS", "10000", "how long requests in flight may take when the host stops"),
    works("TESSERA_MAX_BODY_BYTES", "1048576", "the largest body of a REST request"),
    works("TESSERA_MAX_CONNECTIONS", "10000", "at most so many connections of clients"),
    works("TESSERA_STREAM_RETENTION_DAYS", "7", "how far back a stream of facts can be resumed"),
    works("TESSERA_HISTORY_RETENTION_DAYS", "0", "how far back history and audit log go; 0 for ever"),
    works("GRPC_MAX_RECEIVE_MESSAGE_LENGTH", "1048576", "the largest message that a gRPC client may send"),
    works("GRPC_MAX_SEND_MESSAGE_LENGTH", "4194304", "the largest message that a gRPC client is sent"),
    works(
        "GRPC_KEEPALIVE_TIME_MS",
        "30000",
        "how often an idle HTTP/2 connection is asked for a sign of life",
    ),
    works("GRPC_KEEPALIVE_TIMEOUT_MS", "5000", "how long the sign of life may take"),
    works("TESSERA_PLUGIN_MAX_BYTES", "4194304", "the largest component of a plugin; Python's need 64 MiB"),
    works("TESSERA_PLUGIN_FUEL", "10000000", "the most instructions of a plugin's call"),
    works("TESSERA_PLUGIN_TIME_MS", "250", "how long a plugin's call may run"),
    works("TESSERA_PLUGIN_MEMORY_BYTES", "16777216", "the most memory of a plugin's call"),
    works("TESSERA_PLUGIN_OUTPUT_BYTES", "262144", "the largest answer of a plugin"),
    works("TESSERA_PLUGIN_CALLS", "128", "at most so many calls of plugins at once"),
    works("TESSERA_PLUGIN_TENANT_PERCENT", "50", "what one tenant may have of them, in hundredths"),
    works("TESSERA_PLUGIN_COMPILE_MS", "60000", "how long a component may take to compile"),
    works(
        "TESSERA_PLUGIN_COMPILE_BYTES",
        "2147483648",
        "the most memory that compiling a component may take",
    ),
    later("GRPC_TLS_ENABLED", "TLS", &["false"]),
    later("GRPC_TLS_CERT_PATH", "TLS", &[]),
    later("GRPC_TLS_KEY_PATH", "TLS", &[]),
    later("REDIS_ENABLED", "the Redis cache", &["false"]),
    later("REDIS_ADDR", "the Redis cache", &[]),
    later_secret("REDIS_URL", "the Redis cache"),
    later_secret("REDIS_PASSWORD", "the Redis cache"),
    later("REDIS_DATABASE", "the Redis cache", &[]),
    later("KAFKA_BROKERS", "the Kafka bus", &[]),
    later("KAFKA_TOPIC_PREFIX", "the Kafka bus", &[]),
    later_secret("NATS_URL", "NATS"),
    later("SERVICE_NAME", "NATS", &[]),
    later_secret("ELASTICSEARCH_URL", "search"),
    later("ELASTICSEARCH_INDEX", "search", &[]),
    later("ELASTICSEARCH_USERNAME", "search", &[]),
    later_secret("ELASTICSEARCH_PASSWORD", "search"),
    later("SEARCH_MAX_RESULTS", "search", &["0"]),
    later("SEARCH_SUGGESTION_LIMIT", "search", &["0"]),
    later("SEARCH_FUZZY_MATCH", "search", &["false"]),
    later("CACHE_TTL_EVENTS", "the cache of events", &["0"]),
    later("CACHE_TTL_AVAILABILITY", "the cache of events", &["0"]),
    later("CACHE_TTL_SEARCH", "search", &["0"]),
    later("DYNAMIC_PRICING_ENABLED", "pricing", &["false"]),
    later("PRICE_UPDATE_INTERVAL", "pricing", &["0"]),
    later("DISCOUNT_RULES_ENABLED", "pricing", &["false"]),
];

/// The setting of that name, whatever its case.
pub(crate) fn named(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}
