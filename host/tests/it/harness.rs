//! Starts hosts on private ports and stores, and calls them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::transport::Channel;

/// The first key of every host: operator and admin of the tenant `default`.
pub const ROOT_KEY: &str = "tsk_root_00112233445566778899aabbccddeeff";

const SECRET: &str = "a secret for tests, of at least 32 characters";

/// Which store a host runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Sqlite,
    Memory,
    Postgres,
}

/// A folder for hosts, and a database where the store is one. Removed when dropped.
pub struct Home {
    pub kind: Kind,
    pub folder: PathBuf,
    database: Option<Database>,
    _time: TestTime,
}

/// A database, and the address of its server.
struct Database {
    server: String,
    name: String,
}

/// Measures a test. When dropped, it writes the begin and the end where `cargo xtask test` asks for them.
pub struct TestTime {
    begin: SystemTime,
    /// The name of the test's thread, which is the name of the test.
    test: String,
}

impl TestTime {
    pub fn start() -> Self {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        Self { begin: SystemTime::now(), test }
    }
}

impl Drop for TestTime {
    fn drop(&mut self) {
        let Some(file) = std::env::var_os("TESSERA_TEST_TIMES") else { return };
        let millis = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
        let line = format!("{} {} {}\n", millis(self.begin), millis(SystemTime::now()), self.test);
        let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

impl Home {
    /// A home whose store has its schema.
    pub async fn new(kind: Kind) -> Self {
        static POSTGRES: OnceCell<String> = OnceCell::const_new();
        static SQLITE: OnceCell<PathBuf> = OnceCell::const_new();
        match kind {
            Kind::Memory => Self::without_database(kind),
            Kind::Postgres => Self::from_template(server_url(), &POSTGRES).await,
            Kind::Sqlite => {
                let template = SQLITE.get_or_init(sqlite_template).await;
                let home = Self::without_database(kind);
                std::fs::copy(template, home.folder.join(SQLITE_FILE)).unwrap();
                home
            }
        }
    }

    /// The same; its PostgreSQL does not call fsync, if the tests have such a server. For tests that neither kill nor
    /// restart anything.
    pub async fn without_fsync(kind: Kind) -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        match std::env::var("TESSERA_TEST_POSTGRES_WITHOUT_FSYNC") {
            Ok(server) if kind == Kind::Postgres => Self::from_template(server, &TEMPLATE).await,
            Ok(_) | Err(_) => Self::new(kind).await,
        }
    }

    /// A home whose store has nothing yet.
    pub async fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Memory | Kind::Sqlite => Self::without_database(kind),
            Kind::Postgres => Self::with_database(server_url(), None).await,
        }
    }

    /// A home with a copy of the server's template, which is made once for each process.
    async fn from_template(server: String, template: &OnceCell<String>) -> Self {
        let template = template.get_or_init(|| postgres_template(&server)).await;
        Self::with_database(server, Some(template.as_str())).await
    }

    fn without_database(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let time = TestTime::start();
        let name = format!("it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self { kind, folder, database: None, _time: time }
    }

    async fn with_database(server: String, template: Option<&str>) -> Self {
        let mut home = Self::without_database(Kind::Postgres);
        let name = home.folder.file_name().unwrap().to_str().unwrap().to_owned();
        let template = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
        let creation = format!("CREATE DATABASE {name}{template}");
        run_sql(&server, [format!("DROP DATABASE IF EXISTS {name}"), creation]).await;
        home.database = Some(Database { server, name });
        home
    }

    /// The database's address, where there is one.
    pub fn database_url(&self) -> Option<String> {
        let Database { server, name } = self.database.as_ref()?;
        let (base, _) = server.rsplit_once('/').unwrap();
        Some(format!("{base}/{name}"))
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let folder = self.folder.display().to_string();
        let mut environment: BTreeMap<_, _> = [
            ("TESSERA_DATA_DIR", folder.as_str()),
            ("TESSERA_BOOTSTRAP_KEY", ROOT_KEY),
            ("TESSERA_SECRET_KEY", SECRET),
            ("HTTP_PORT", "0"),
            ("GRPC_PORT", "0"),
            ("LOG_LEVEL", "debug"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        match self.kind {
            Kind::Sqlite => environment.insert("DB_TYPE".into(), "sqlite".into()),
            Kind::Memory => environment.insert("DB_TYPE".into(), "memdb".into()),
            Kind::Postgres => environment.insert("DATABASE_URL".into(), self.database_url().unwrap()),
        };
        environment
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        if let Some(Database { server, name }) = self.database.take() {
            // Dropping cannot wait on the runtime that it may run in. The server writes a checkpoint first, for which no
            // test waits; what is left when the process ends is removed by the next one.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let removal = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                runtime.block_on(run_sql(&server, [removal]));
            });
        }
    }
}

/// The file of a host's data on SQLite.
const SQLITE_FILE: &str = "tessera.db";

/// Brings the store of a home up to date.
fn migrate(home: &Home) {
    let migrated = Host::command(home, &[]).arg("migrate").output().unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

/// The database of a server that others are copied from. What a process that has ended left there is removed.
async fn postgres_template(server: &str) -> String {
    let names = "SELECT datname::text FROM pg_database WHERE datname LIKE 'it\\_%'";
    for name in query_texts(server, names).await {
        // `it_template_<process>`, or `it_<process>_<number>`.
        let owner = name.split('_').find(|part| part.parse::<u32>().is_ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            run_sql(server, [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await;
        }
    }
    let mut home = Home::with_database(server.to_owned(), None).await;
    migrate(&home);
    let template = format!("it_template_{}", std::process::id());
    let made = home.database.take().unwrap().name;
    let renaming = format!("ALTER DATABASE {made} RENAME TO {template}");
    run_sql(server, [format!("DROP DATABASE IF EXISTS {template}"), renaming]).await;
    template
}

/// The file that others are copied from, made once for each process.
async fn sqlite_template() -> PathBuf {
    let home = Home::empty(Kind::Sqlite).await;
    migrate(&home);
    let template = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("it_template.db");
    let made = home.folder.join(SQLITE_FILE);
    // Replaced as a whole, for whoever copies the former one.
    std::fs::rename(made, &template).unwrap();
    template
}

fn server_url() -> String {
    std::env::var("TESSERA_TEST_POSTGRES")
        .expect("TESSERA_TEST_POSTGRES is not set: run the tests by `cargo xtask test`, or start its servers with `cargo xtask services up`")
}

/// Executes statements one after another on one connection.
async fn run_sql<const N: usize>(server: &str, statements: [String; N]) {
    let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
    let mut connection = options.connect().await.expect("PostgreSQL of the tests does not answer");
    for statement in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn query_texts(server: &str, sql: &str) -> Vec<String> {
    let options: sqlx::postgres::PgConnectOptions = server.parse().unwrap();
    let mut connection = options.connect().await.expect("PostgreSQL of the tests does not answer");
    let rows =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

/// A running host. Killed when dropped.
pub struct Host {
    child: Child,
    /// `http://127.0.0.1:…`
    pub http: String,
    /// `127.0.0.1:…`
    pub grpc: String,
    /// What it wrote to standard output until it was ready.
    pub greeting: String,
    log: PathBuf,
}

impl Host {
    /// A host on that home.
    pub async fn start(home: &Home) -> Self {
        Self::start_with(home, &[]).await
    }

    /// Starts a host that allows plugins' calls more time, for tests that are not about time and keep the machine busy.
    pub async fn start_patient(home: &Home) -> Self {
        Self::start_with(home, &[("TESSERA_PLUGIN_TIME_MS", "10000")]).await
    }

    /// The same with more settings; an empty value takes one away.
    pub async fn start_with(home: &Home, settings: &[(&str, &str)]) -> Self {
        let mut command = Self::command(home, settings);
        let log = home.folder.join(format!("log-{}", uuid::Uuid::now_v7()));
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().expect("the binary cannot be started");
        let stdout = child.stdout.take().unwrap();
        let read = tokio::task::spawn_blocking(move || greeting(stdout));
        let greeting = tokio::time::timeout(Duration::from_secs(60), read).await;
        let greeting = greeting.expect("the host was not ready in time").unwrap();
        let after = |word: &str| {
            let line = greeting.lines().find(|line| line.trim_start().starts_with(word));
            line.and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned)
        };
        let (Some(http), Some(grpc)) = (after("REST"), after("gRPC")) else {
            let _ = child.wait();
            panic!("the host did not start:\n{greeting}\n{}", std::fs::read_to_string(&log).unwrap());
        };
        Self { child, http, grpc, greeting, log }
    }

    /// The command that starts a host, not started.
    pub fn command(home: &Home, settings: &[(&str, &str)]) -> Command {
        let mut environment = home.environment();
        for (name, value) in settings {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command.env_clear().envs(environment.iter().filter(|(_, value)| !value.is_empty()));
        command.current_dir(&home.folder).stdin(Stdio::null());
        command
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// How it ended, once it has been told to.
    pub fn wait(&mut self, at_most: Duration) -> ExitStatus {
        let end = Instant::now() + at_most;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the host did not end in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Calls REST with the first key.
    pub fn rest(&self) -> Rest {
        Rest { base: self.http.clone(), key: Some(ROOT_KEY.to_owned()), client: reqwest::Client::new() }
    }

    /// Calls gRPC with the first key.
    pub async fn grpc(&self) -> Grpc {
        let channel = Channel::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap();
        Grpc { channel, key: Some(ROOT_KEY.to_owned()) }
    }
}

/// Returns the path of libfaketime, which shifts the clock of a process; `cargo xtask` installs it.
pub fn faketime() -> String {
    let folders = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"];
    let mut found = folders.iter().map(|folder| format!("/usr/{folder}/faketime/libfaketime.so.1"));
    found.find(|path| Path::new(path).is_file()).expect("libfaketime is installed by `cargo xtask test`")
}

/// Returns the settings of a host whose clock is off, by an offset such as `+300s`.
pub fn shifted_clock<'a>(library: &'a str, offset: &'a str) -> [(&'a str, &'a str); 3] {
    [("LD_PRELOAD", library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads standard output until the host has said all that it says when it is ready, or ended.
fn greeting(stdout: impl std::io::Read) -> String {
    let mut text = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.unwrap();
        let last = line.trim_start().starts_with("grpcurl");
        text.push_str(&line);
        text.push('\n');
        if last {
            break;
        }
    }
    text
}

/// A client of REST.
#[derive(Clone)]
pub struct Rest {
    pub base: String,
    pub key: Option<String>,
    pub client: reqwest::Client,
}

/// What REST answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Rest {
    /// The same client with another key, or none.
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// A request that can still be changed.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the host does not answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Makes a project and answers its id.
    pub async fn project(&self, name: &str) -> String {
        let answer = self.post("/v1/projects", json!({"name": name})).await;
        answer.expect(201)["project"]["project_id"].as_str().unwrap().to_owned()
    }

    /// Makes an issue and answers its id.
    pub async fn issue(&self, project: &str, summary: &str) -> String {
        let answer = self.post("/v1/issues", json!({"project_id": project, "summary": summary})).await;
        answer.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned()
    }

    /// Makes a user and answers its id.
    pub async fn user(&self, email: &str) -> String {
        let body = json!({"first_name": "Ada", "last_name": "Lovelace", "email_address": email});
        self.post("/v1/users", body).await.expect(201)["user"]["user_id"].as_str().unwrap().to_owned()
    }

    /// Makes a key with these roles and answers its text.
    pub async fn new_key(&self, roles: &[&str], user: Option<&str>) -> String {
        let mut body = json!({"name": "test", "roles": roles});
        if let Some(user) = user {
            body["user_id"] = json!(user);
        }
        self.post("/v1/keys", body).await.expect(201)["secret"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// The body, when the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        &self.body
    }

    /// The error's code, when the status is the expected one.
    #[track_caller]
    pub fn code(&self, status: u16) -> &str {
        self.expect(status)["code"].as_str().unwrap_or_else(|| panic!("no code: {:#}", self.body))
    }
}

/// A scheme of a project with this state machine, and with fields of all types.
pub fn scheme_with(machine: Value) -> Value {
    let mut scheme = json!({
        "types": ["STORY", "CHORE"],
        "priorities": ["HIGH", "LOW"],
        "resolutions": ["DONE"],
        "default_type": "STORY",
        "default_priority": "LOW",
        "fields": [
            {"name": "team", "type": "text", "required": true, "options": ["red", "blue"]},
            {"name": "points", "type": "integer"},
            {"name": "cost", "type": "decimal"},
            {"name": "urgent", "type": "boolean"},
            {"name": "due", "type": "time"},
            {"name": "tags", "type": "texts", "options": ["a", "b"]},
        ],
    });
    scheme["machine"] = machine;
    scheme
}

/// A client of gRPC: `SomeClient::with_interceptor(grpc.channel.clone(), grpc.clone())`.
#[derive(Clone)]
pub struct Grpc {
    pub channel: Channel,
    pub key: Option<String>,
}

impl Grpc {
    /// The same client with another key, or none.
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }
}

impl Interceptor for Grpc {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(key) = &self.key {
            let value: MetadataValue<_> = format!("Bearer {key}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}
