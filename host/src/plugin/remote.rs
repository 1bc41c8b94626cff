//! `tessera plugin` commands that call a host over gRPC: push, install, rollback, calls and timers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use tessera_proto::plugin::v1 as pb;
use tessera_proto::plugin::v1::plugin_service_client::PluginServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use super::cli::{InstallArgs, Remote};
use super::records;
use crate::print;

/// Interval at which `calls --follow` polls.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Largest message to or from the host, in bytes.
const MAX_MESSAGE: usize = 64 << 20;

type Client = PluginServiceClient<InterceptedService<Channel, Bearer>>;

/// Adds the API key to every call.
#[derive(Clone)]
struct Bearer(MetadataValue<Ascii>);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

async fn client(remote: &Remote) -> Result<Client> {
    let Some(key) = &remote.key else {
        bail!("the API key is missing; set TESSERA_KEY or pass --key");
    };
    let bearer = format!("Bearer {}", key.0).parse();
    let bearer = bearer.map_err(|_| anyhow!("the API key contains invalid characters"))?;
    let mut endpoint = Channel::from_shared(remote.server.clone())
        .with_context(|| {
            format!(
                "invalid server address {}; expected an address such as http://127.0.0.1:50052",
                remote.server
            )
        })?
        .connect_timeout(Duration::from_secs(10));
    if remote.server.starts_with("https://") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    let channel = endpoint.connect().await.with_context(|| format!("cannot connect to {}", remote.server))?;
    let client = PluginServiceClient::with_interceptor(channel, Bearer(bearer));
    Ok(client.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE))
}

/// Converts a host's refusal into an error with its reason, message and field violations.
fn status_error(status: &Status) -> anyhow::Error {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let mut text = if reason.is_empty() { format!("{:?}", status.code()) } else { reason };
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    if violations.is_empty() {
        text.push_str(": ");
        text.push_str(status.message());
    }
    for violation in violations {
        text.push_str(&format!("\n  {} {}", violation.field, violation.description));
    }
    anyhow!(text)
}

/// Uploads a component.
pub(super) async fn push(remote: &Remote, path: &Path) -> Result<()> {
    let component = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut client = client(remote).await?;
    let request = pb::UploadReleaseRequest { component };
    let answer = client.upload_release(request).await.map_err(|status| status_error(&status))?.into_inner();
    let release = answer.release.context("the response of the host contains no release")?;
    print(&format!("{}@{}\n{}\n", release.plugin, release.version, release.digest))
}

/// Installs a release, or updates the plugin's installation at that scope.
pub(super) async fn install(remote: &Remote, args: &InstallArgs) -> Result<()> {
    let mut client = client(remote).await?;
    let release = find_release(&mut client, &args.release).await?;
    let project_id = args.project.clone().unwrap_or_default();
    let event_id = args.event.clone().unwrap_or_default();
    let settings = args.settings.as_deref().map(read_settings).transpose()?;
    let grants = (!args.grant.is_empty()).then(|| pb::Grants { rights: args.grant.clone() });
    let on_failure = match args.on_failure {
        None => pb::OnFailure::Unspecified,
        Some(super::cli::Policy::Closed) => pb::OnFailure::Closed,
        Some(super::cli::Policy::Open) => pb::OnFailure::Open,
    };
    let state_map = args.map.iter().cloned().collect();
    let installations = installations(&mut client, &release.plugin).await?;
    let existing = installations.into_iter().find(|existing| {
        existing.project_id.as_deref().unwrap_or_default() == project_id
            && existing.event_id.as_deref().unwrap_or_default() == event_id
    });
    let (installation, lagging) = match existing {
        Some(existing) => {
            let request = pb::UpdateInstallationRequest {
                installation_id: existing.installation_id,
                release: Some(by_digest(&release)),
                settings_json: settings,
                order: args.order,
                on_failure: on_failure.into(),
                grants,
                enabled: Some(!args.disabled),
                state_map,
                ..pb::UpdateInstallationRequest::default()
            };
            let answer = client
                .update_installation(request)
                .await
                .map_err(|status| status_error(&status))?
                .into_inner();
            (answer.installation, answer.lagging_hosts)
        }
        None => {
            let request = pb::CreateInstallationRequest {
                release: Some(by_digest(&release)),
                project_id,
                settings_json: settings.unwrap_or_default(),
                order: args.order.unwrap_or_default(),
                on_failure: on_failure.into(),
                grants,
                limits: None,
                enabled: Some(!args.disabled),
                state_map,
                event_id,
            };
            let answer = client
                .create_installation(request)
                .await
                .map_err(|status| status_error(&status))?
                .into_inner();
            (answer.installation, answer.lagging_hosts)
        }
    };
    report(installation, &lagging)
}

/// Rolls an installation back to an earlier release.
pub(super) async fn rollback(
    remote: &Remote,
    installation: &str,
    to: Option<&str>,
    map: &[(String, String)],
) -> Result<()> {
    let mut client = client(remote).await?;
    let installation = find_installation(&mut client, installation).await?;
    let release = to.map(|version| pb::ReleaseName {
        digest: String::new(),
        plugin: installation.plugin.clone(),
        version: version.to_owned(),
    });
    let request = pb::RollbackInstallationRequest {
        installation_id: installation.installation_id,
        release,
        state_map: map.iter().cloned().collect(),
        etag: String::new(),
    };
    let answer =
        client.rollback_installation(request).await.map_err(|status| status_error(&status))?.into_inner();
    report(answer.installation, &answer.lagging_hosts)
}

/// Prints the last calls of an installation, and with `follow` new calls as well.
pub(super) async fn calls(remote: &Remote, installation: &str, follow: bool) -> Result<()> {
    let mut client = client(remote).await?;
    let id = find_installation(&mut client, installation).await?.installation_id;
    let mut after = 0;
    loop {
        let request = pb::ListInstallationCallsRequest { installation_id: id.clone(), after };
        let answer = client
            .list_installation_calls(request)
            .await
            .map_err(|status| status_error(&status))?
            .into_inner();
        for call in &answer.calls {
            after = call.number;
            print(&records::call_record(call))?;
        }
        if !follow {
            let all = answer.counters.unwrap_or_default();
            return print(&format!(
                "{} calls: {} refused, {} failed, {} skipped\n",
                all.calls, all.refused, all.failed, all.passed_over
            ));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Prints the timers of an installation.
pub(super) async fn timers(remote: &Remote, installation: &str, issue: &str, parked: bool) -> Result<()> {
    let mut client = client(remote).await?;
    let installation_id = find_installation(&mut client, installation).await?.installation_id;
    let mut terms = Vec::new();
    if !issue.is_empty() {
        terms.push(format!("issue:{issue}"));
    }
    if parked {
        terms.push("parked:true".to_owned());
    }
    let filter = terms.join(" ");
    let (mut page_token, mut count) = (String::new(), 0);
    loop {
        let request = pb::ListInstallationTimersRequest {
            installation_id: installation_id.clone(),
            page_size: 200,
            page_token,
            filter: filter.clone(),
            order_by: String::new(),
        };
        let page = client
            .list_installation_timers(request)
            .await
            .map_err(|status| status_error(&status))?
            .into_inner();
        count += page.timers.len();
        for timer in &page.timers {
            print(&records::timer(timer))?;
        }
        if page.next_page_token.is_empty() {
            return print(&format!("timers: {count}\n"));
        }
        page_token = page.next_page_token;
    }
}

/// Retries all parked timers of an installation, or those of one issue, and prints them.
pub(super) async fn retry(remote: &Remote, installation: &str, issue_id: String) -> Result<()> {
    let mut client = client(remote).await?;
    let installation_id = find_installation(&mut client, installation).await?.installation_id;
    let request = pb::RetryInstallationTimersRequest { installation_id, issue_id, ..Default::default() };
    let mut count = 0;
    loop {
        let answer = client.retry_installation_timers(request.clone()).await;
        let timers = answer.map_err(|status| status_error(&status))?.into_inner().timers;
        if timers.is_empty() {
            return print(&format!("timers retried: {count}\n"));
        }
        count += timers.len();
        for timer in &timers {
            print(&records::timer(timer))?;
        }
    }
}

fn report(installation: Option<pb::Installation>, lagging: &[String]) -> Result<()> {
    let installation = installation.context("the response of the host contains no installation")?;
    let release = installation.release.unwrap_or_default();
    let scope = match (&installation.project_id, &installation.event_id) {
        (None, None) => "the whole tenant".to_owned(),
        (Some(project), _) => format!("the project {project}"),
        (None, Some(event)) => format!("the event {event}"),
    };
    let state = if installation.enabled { "installed" } else { "installed and disabled" };
    print(&format!(
        "{}@{} is {state} in {scope}\n{}\n",
        installation.plugin, release.version, installation.installation_id
    ))?;
    if !lagging.is_empty() {
        print(&format!("not yet active on: {}\n", lagging.join(", ")))?;
    }
    Ok(())
}

/// Finds a release by its digest, or as `plugin` (the newest release) or `plugin@version`.
async fn find_release(client: &mut Client, named: &str) -> Result<pb::Release> {
    let digest = named.strip_prefix("sha256:").unwrap_or(named);
    if digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        let request = pb::GetReleaseRequest { digest: digest.to_owned() };
        let answer = client.get_release(request).await.map_err(|status| status_error(&status))?.into_inner();
        return answer.release.context("the response of the host contains no release");
    }
    let (plugin, version) =
        named.split_once('@').map_or((named, None), |(plugin, version)| (plugin, Some(version)));
    let mut page_token = String::new();
    loop {
        let filter = format!("plugin:{plugin}");
        let request = pb::ListReleasesRequest { page_size: 100, page_token, filter, order_by: String::new() };
        let page = client.list_releases(request).await.map_err(|status| status_error(&status))?.into_inner();
        let matches = |release: &pb::Release| version.is_none_or(|version| version == release.version);
        if let Some(release) = page.releases.into_iter().find(matches) {
            return Ok(release);
        }
        if page.next_page_token.is_empty() {
            bail!("the host has no release {named}; upload it first: tessera plugin push FILE");
        }
        page_token = page.next_page_token;
    }
}

fn by_digest(release: &pb::Release) -> pb::ReleaseName {
    pb::ReleaseName { digest: release.digest.clone(), ..pb::ReleaseName::default() }
}

async fn installations(client: &mut Client, plugin: &str) -> Result<Vec<pb::Installation>> {
    let request = pb::ListInstallationsRequest {
        page_size: 100,
        filter: format!("plugin:{plugin}"),
        ..pb::ListInstallationsRequest::default()
    };
    Ok(client
        .list_installations(request)
        .await
        .map_err(|status| status_error(&status))?
        .into_inner()
        .installations)
}

/// Finds an installation by its id, or as the only one of a plugin.
async fn find_installation(client: &mut Client, named: &str) -> Result<pb::Installation> {
    if uuid::Uuid::try_parse(named).is_ok() {
        let request = pb::GetInstallationRequest { installation_id: named.to_owned() };
        let answer =
            client.get_installation(request).await.map_err(|status| status_error(&status))?.into_inner();
        return answer.installation.context("the response of the host contains no installation");
    }
    let mut found = installations(client, named).await?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => bail!("{named} is installed at several scopes; pass the id of the installation"),
        (None, _) => bail!("{named} is not installed"),
    }
}

/// Returns settings that are given as JSON or as the path of a file.
pub(super) fn read_settings(argument: &str) -> Result<String> {
    if argument.trim_start().starts_with('{') {
        return Ok(argument.to_owned());
    }
    std::fs::read_to_string(argument).with_context(|| format!("cannot read the settings {argument}"))
}
