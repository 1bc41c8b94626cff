//! What is done with plugins. A body that is a text stands for bytes in base64.

use reqwest::Method;
use serde_json::json;

use super::{Row, delete, get, post, row};

const RELEASE: &str = "/v1/releases/{digest}";
const INSTALLATION: &str = "/v1/installations/{installation_id}";

pub(super) fn rows() -> Vec<Row> {
    [releases(), installations(), commands()].concat()
}

fn releases() -> Vec<Row> {
    let digest = json!({"digest": "{digest}"});
    let filter = json!({"filter": "plugin:{spare}"});
    let input = json!({
        "operation": "create",
        "subject": {"kind": "issue", "id": "i", "version": 1, "fields": {"summary": "Tried", "kind": "issue"}},
    });
    let trial = json!({"hook": "validation", "actor": "somebody", "roles": ["agent"], "input": input});
    let asked = json!({
        "digest": "{digest}", "function": "validate", "actor": "somebody", "roles": ["agent"],
        "input_json": input.to_string(),
    });
    vec![
        post(
            "release.upload",
            "/v1/releases",
            json!("{component}"),
            "plugin.v1.PluginService/UploadRelease",
            json!({"component": "{component}"}),
        )
        .bad(json!("bm8gd2FzbQ=="), json!({"component": "bm8gd2FzbQ=="})),
        get("release.list", "/v1/releases", "plugin.v1.PluginService/ListReleases", filter)
            .query("filter=plugin:{spare}")
            .list_of("plugin:support-sla"),
        get("release.get", RELEASE, "plugin.v1.PluginService/GetRelease", digest.clone()),
        delete("release.delete", RELEASE, "plugin.v1.PluginService/DeleteRelease", digest),
        post(
            "release.test",
            "/v1/releases/{digest}:test",
            trial,
            "plugin.v1.PluginService/TestRelease",
            asked,
        ),
    ]
}

fn installations() -> Vec<Row> {
    let installation = json!({"installation_id": "{installation_id}"});
    let new = |policy: &str| {
        json!({
            "release": {"digest": "{digest}"}, "project_id": "{project_id}", "order": 3, "on_failure": policy,
            "limits": {"fuel": 1_000_000},
        })
    };
    let back = json!({"release": {"digest": "{earlier}"}});
    let timers = json!({"installation_id": "{installation_id}", "filter": "parked:false", "order_by": "due"});
    vec![
        post(
            "installation.create",
            "/v1/installations",
            new("open"),
            "plugin.v1.PluginService/CreateInstallation",
            new("OPEN"),
        ),
        get(
            "installation.list",
            "/v1/installations",
            "plugin.v1.PluginService/ListInstallations",
            json!({"filter": "project:{project_id}"}),
        )
        .query("filter=project:{project_id}")
        .list_of("project:{project_id},{sample_project_id}"),
        get(
            "installation.get",
            INSTALLATION,
            "plugin.v1.PluginService/GetInstallation",
            installation.clone(),
        ),
        row(
            "installation.update",
            Method::PATCH,
            INSTALLATION,
            json!({"order": 5, "enabled": false}),
            "plugin.v1.PluginService/UpdateInstallation",
            json!({
                "installation_id": "{installation_id}", "order": 5, "enabled": false,
                "update_mask": "order,enabled",
            }),
        ),
        post(
            "installation.rollback",
            "/v1/installations/{installation_id}:rollback",
            back,
            "plugin.v1.PluginService/RollbackInstallation",
            json!({"installation_id": "{installation_id}", "release": {"digest": "{earlier}"}}),
        ),
        delete(
            "installation.delete",
            INSTALLATION,
            "plugin.v1.PluginService/DeleteInstallation",
            installation.clone(),
        ),
        get(
            "installation.calls",
            "/v1/installations/{installation_id}/calls",
            "plugin.v1.PluginService/ListInstallationCalls",
            installation,
        ),
        get(
            "timer.list",
            "/v1/installations/{installation_id}/timers",
            "plugin.v1.PluginService/ListInstallationTimers",
            timers,
        )
        .query("filter=parked:false&order_by=due")
        .list(),
        post(
            "timer.retry",
            "/v1/installations/{installation_id}/timers:retry",
            json!({"name": "respond"}),
            "plugin.v1.PluginService/RetryInstallationTimers",
            json!({"installation_id": "{installation_id}", "name": "respond"}),
        )
        .bad(json!({"issue_id": "x"}), json!({"installation_id": "{installation_id}", "issue_id": "x"})),
    ]
}

fn commands() -> Vec<Row> {
    let issue = json!({"issue_id": "{issue_id}"});
    vec![
        get(
            "issue.command_list",
            "/v1/issues/{issue_id}/commands",
            "issues.v1.IssuesService/ListIssueCommands",
            issue,
        ),
        post(
            "issue.command",
            "/v1/issues/{issue_id}:command",
            json!({"name": "{command}", "installation_id": "{installation_id}", "input": {}}),
            "issues.v1.IssuesService/CallIssueCommand",
            json!({
                "issue_id": "{issue_id}", "name": "{command}", "installation_id": "{installation_id}",
                "input_json": "{}",
            }),
        ),
    ]
}
