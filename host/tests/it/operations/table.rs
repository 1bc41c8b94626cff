//! The table. `{name}` in a path or a text stands for what the fixture has under that name.

mod admission;
mod booking;
mod calls;
mod catalog;
mod fields;
mod further;
mod inventory;
mod lists;
mod plugins;
mod pricing;
mod promotions;

use reqwest::Method;
use serde_json::{Value, json};

pub use self::calls::{Caller, Further};

/// An operation.
#[derive(Clone)]
pub struct Row {
    /// Its id in the OpenAPI document.
    pub id: &'static str,
    pub method: Method,
    pub route: &'static str,
    /// The path to which it goes, where other names of the fixture stand in it.
    pub path: &'static str,
    pub query: &'static str,
    pub body: Value,
    /// `package.Service/Method`
    pub rpc: &'static str,
    pub ask: Value,
    /// The same with a fault in a value: REST's query or body, and gRPC's message.
    pub bad: Option<(Value, Value)>,
    /// More good and bad calls.
    pub further: Vec<Further>,
    /// Whether it goes on until one side ends it.
    pub stream: bool,
    /// Whether it answers a document instead of JSON.
    pub document: bool,
}

impl Row {
    /// The name of the operation in the core.
    pub fn operation(&self) -> &'static str {
        match self.id {
            "stream.token" => "fact.stream",
            "user.replace" | "v2.user.replace" => "user.update",
            "project.replace" => "project.update",
            "issue.replace" => "issue.update",
            "venue.replace" => "venue.update",
            "series.replace" => "series.update",
            "event.replace" => "event.update",
            "ticket_type.replace" => "ticket_type.update",
            "pricing_rule.replace" => "pricing_rule.update",
            "promotion.replace" => "promotion.update",
            "promotion_code.export" => "promotion_code.list",
            "ticket_type.of_event" => "ticket_type.list",
            "ticket_type.by_id" => "ticket_type.get",
            id => id.strip_prefix("v2.").unwrap_or(id),
        }
    }

    /// All that may name objects of the fixture.
    pub fn text(&self) -> String {
        let Self { path, query, body, ask, .. } = self;
        format!("{path} {query} {body} {ask} {}", self.unnamed_objects())
    }

    /// Objects that an answer shows and no request names.
    fn unnamed_objects(&self) -> &'static str {
        match self.id {
            "key.list" => "{key_id}",
            "fact.stream" => "{project_id}",
            "availability.stream" => "{seated_id}",
            "event.categories" => "{event_id} {other_event_id}",
            "signing_key.list" | "signing_key.rotate" => "{ticket_id}",
            _ => "",
        }
    }
}

fn row(
    id: &'static str,
    method: Method,
    route: &'static str,
    body: Value,
    rpc: &'static str,
    ask: Value,
) -> Row {
    Row {
        id,
        method,
        route,
        path: route,
        query: "",
        body,
        rpc,
        ask,
        bad: None,
        further: [further::further(id), fields::further(id), pricing::further(id), promotions::further(id)]
            .concat(),
        stream: false,
        document: false,
    }
}

fn get(id: &'static str, route: &'static str, rpc: &'static str, ask: Value) -> Row {
    row(id, Method::GET, route, Value::Null, rpc, ask)
}

fn post(id: &'static str, route: &'static str, body: Value, rpc: &'static str, ask: Value) -> Row {
    row(id, Method::POST, route, body, rpc, ask)
}

fn delete(id: &'static str, route: &'static str, rpc: &'static str, ask: Value) -> Row {
    row(id, Method::DELETE, route, Value::Null, rpc, ask)
}

impl Row {
    fn bad(mut self, rest: Value, grpc: Value) -> Self {
        self.bad = Some((rest, grpc));
        self
    }

    fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    fn streaming(mut self) -> Self {
        self.stream = true;
        self
    }

    fn document(mut self) -> Self {
        self.document = true;
        self
    }
}

/// All operations, by subject.
pub fn groups() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("tenancy", tenancy()),
        ("users", users()),
        ("projects", projects()),
        ("issues", issues()),
        ("issue_parts", issue_parts()),
        ("facts", facts()),
        ("plugins", plugins::rows()),
        ("catalog", catalog::rows()),
        ("inventory", inventory::rows()),
        ("admission", admission::rows()),
        ("booking", booking::rows()),
        ("pricing", pricing::rows()),
        ("promotions", promotions::rows()),
    ]
}

/// All operations.
pub fn rows() -> Vec<Row> {
    groups().into_iter().flat_map(|(_, rows)| rows).collect()
}

fn tenancy() -> Vec<Row> {
    let tenant = json!({"tenant": "{tenant}"});
    let new = json!({"slug": "{slug}", "name": "New"});
    let bad = json!({"slug": "Not A Slug", "name": "New"});
    let key = json!({"name": "k", "roles": ["viewer"]});
    let (key_id, nameless) = (json!({"key_id": "{key_id}"}), json!({"name": "", "roles": ["viewer"]}));
    vec![
        get("whoami", "/v1/me", "tenancy.v1.KeyService/WhoAmI", json!({})),
        post("tenant.create", "/v1/tenants", new.clone(), "tenancy.v1.TenantService/CreateTenant", new)
            .bad(bad.clone(), bad),
        get("tenant.get", "/v1/tenants/{tenant}", "tenancy.v1.TenantService/GetTenant", tenant.clone()),
        get(
            "tenant.list",
            "/v1/tenants",
            "tenancy.v1.TenantService/ListTenants",
            json!({"filter": "slug:{tenant}"}),
        )
        .query("filter=slug:{tenant}")
        .list_of("slug:{tenant},{second_tenant}"),
        row(
            "tenant.update",
            Method::PATCH,
            "/v1/tenants/{tenant}",
            json!({"name": "Other"}),
            "tenancy.v1.TenantService/UpdateTenant",
            json!({"tenant": "{tenant}", "name": "Other"}),
        ),
        post(
            "tenant.suspend",
            "/v1/tenants/{tenant}:suspend",
            Value::Null,
            "tenancy.v1.TenantService/SuspendTenant",
            tenant.clone(),
        ),
        post(
            "tenant.resume",
            "/v1/tenants/{tenant}:resume",
            Value::Null,
            "tenancy.v1.TenantService/ResumeTenant",
            tenant,
        ),
        post(
            "key.create",
            "/v1/keys",
            key,
            "tenancy.v1.KeyService/CreateKey",
            json!({"name": "k", "roles": ["VIEWER"]}),
        )
        .bad(nameless, json!({"name": "", "roles": ["VIEWER"]})),
        get("key.get", "/v1/keys/{key_id}", "tenancy.v1.KeyService/GetKey", key_id.clone()),
        get("key.list", "/v1/keys", "tenancy.v1.KeyService/ListKeys", json!({"page_size": 1}))
            .query("page_size=1")
            .list(),
        post(
            "key.revoke",
            "/v1/keys/{key_id}:revoke",
            Value::Null,
            "tenancy.v1.KeyService/RevokeKey",
            key_id,
        ),
    ]
}

fn users() -> Vec<Row> {
    let new = json!({"first_name": "Grace", "last_name": "Hopper", "email_address": "{email}"});
    let bad = json!({"first_name": "", "last_name": "Hopper", "email_address": "nowhere"});
    let user = json!({"user_id": "{user_id}"});
    let whole = json!({"user_id": "{user_id}", "first_name": "Grace", "last_name": "Hopper", "email_address": "{email}"});
    let masked = json!({"user_id": "{user_id}", "first_name": "Grace", "update_mask": "firstName"});
    let patch = json!({"first_name": "Grace"});
    let bulk = json!({"users": [new]});
    let bad_bulk = json!({"users": [bad]});
    let mut rows = Vec::new();
    for (version, service) in [("", "user.v1.UserService"), ("v2.", "user.v2.UserService")] {
        let id = |name: &str| -> &'static str { format!("{version}user.{name}").leak() };
        let at = |tail: &str| -> &'static str {
            format!("/{}/users{tail}", if version.is_empty() { "v1" } else { "v2" }).leak()
        };
        let rpc = |name: &str| -> &'static str { format!("{service}/{name}").leak() };
        let filter = json!({"filter": "email:{held_email}"});
        rows.extend([
            post(id("create"), at(""), new.clone(), rpc("CreateUser"), new.clone())
                .bad(bad.clone(), bad.clone()),
            get(id("get"), at("/{user_id}"), rpc("GetUser"), user.clone()),
            get(id("list"), at(""), rpc("ListUsers"), filter)
                .query("filter=email:{held_email}")
                .list_of("email:{held_email},{second_email}"),
            row(id("replace"), Method::PUT, at("/{user_id}"), new.clone(), rpc("UpdateUser"), whole.clone()),
            row(
                id("update"),
                Method::PATCH,
                at("/{user_id}"),
                patch.clone(),
                rpc("UpdateUser"),
                masked.clone(),
            ),
            delete(id("delete"), at("/{user_id}"), rpc("DeleteUser"), user.clone()),
        ]);
    }
    rows.extend([
        post(
            "user.bulk_create",
            "/v2/users:bulkCreate",
            bulk.clone(),
            "user.v2.UserService/BulkCreateUsers",
            bulk,
        )
        .bad(bad_bulk.clone(), bad_bulk),
        get(
            "user.search",
            "/v2/users:search",
            "user.v2.UserService/SearchUsers",
            json!({"query": "{held_email}"}),
        )
        .query("query={held_email}")
        .bad(json!({"query": ""}), json!({"query": ""})),
        post(
            "user.deactivate",
            "/v2/users/{user_id}:deactivate",
            Value::Null,
            "user.v2.UserService/DeactivateUser",
            user.clone(),
        ),
        post(
            "user.activate",
            "/v2/users/{user_id}:activate",
            Value::Null,
            "user.v2.UserService/ActivateUser",
            user,
        ),
    ]);
    rows
}

fn projects() -> Vec<Row> {
    let project = json!({"project_id": "{project_id}"});
    let new = json!({"name": "New", "description": "d"});
    let bad = json!({"name": "a/b"});
    let whole = json!({"project_id": "{project_id}", "name": "New", "description": "d"});
    let masked = json!({"project_id": "{project_id}", "name": "New", "update_mask": "name"});
    let both = json!({"project_id": "{project_id}", "issue_id": "{issue_id}"});
    let machine = |category: &str| {
        json!({
            "initial": "NEW", "states": [{"name": "NEW", "category": category}],
            "transitions": [{"name": "again", "to": "NEW", "from": [], "requires": []}],
        })
    };
    let scheme = |category: &str| {
        json!({
            "types": ["BUG"], "priorities": ["MINOR"], "resolutions": [], "default_type": "BUG",
            "default_priority": "MINOR", "machine": machine(category), "fields": [],
        })
    };
    vec![
        post(
            "project.create",
            "/v1/projects",
            new.clone(),
            "project.v1.ProjectService/CreateProject",
            new.clone(),
        )
        .bad(bad.clone(), bad),
        get(
            "project.get",
            "/v1/projects/{project_id}",
            "project.v1.ProjectService/GetProject",
            project.clone(),
        ),
        get(
            "project.list",
            "/v1/projects",
            "project.v1.ProjectService/ListProjects",
            json!({"filter": "name:{name}"}),
        )
        .query("filter=name:{name}")
        .list_of("name:{name},{second}"),
        row(
            "project.replace",
            Method::PUT,
            "/v1/projects/{project_id}",
            new,
            "project.v1.ProjectService/UpdateProject",
            whole,
        ),
        row(
            "project.update",
            Method::PATCH,
            "/v1/projects/{project_id}",
            json!({"name": "New"}),
            "project.v1.ProjectService/UpdateProject",
            masked,
        ),
        delete(
            "project.delete",
            "/v1/projects/{project_id}",
            "project.v1.ProjectService/DeleteProject",
            json!({"project_id": "{project_id}", "delete_issues": true}),
        )
        .query("delete_issues=true"),
        post(
            "project.add_issue",
            "/v1/projects/{project_id}/issues",
            json!({"issue_id": "{issue_id}"}),
            "project.v1.ProjectService/UpdateProjectWithIssue",
            both,
        ),
        get(
            "project.stream",
            "/v1/projects/{project_id}/stream",
            "project.v1.ProjectService/StreamProjectUpdates",
            json!({"project_id": "{project_id}", "action": "subscribe"}),
        )
        .streaming(),
        get(
            "scheme.get",
            "/v1/projects/{project_id}/scheme",
            "project.v1.ProjectService/GetScheme",
            project.clone(),
        ),
        row(
            "scheme.set",
            Method::PUT,
            "/v1/projects/{project_id}/scheme",
            scheme("open"),
            "project.v1.ProjectService/SetScheme",
            json!({"project_id": "{project_id}", "scheme": scheme("OPEN")}),
        ),
        delete(
            "scheme.reset",
            "/v1/projects/{project_id}/scheme",
            "project.v1.ProjectService/ResetScheme",
            project,
        ),
    ]
}

fn issues() -> Vec<Row> {
    let issue = json!({"issue_id": "{issue_id}"});
    let new = json!({"project_id": "{project_id}", "summary": "New", "type": "FEATURE", "priority": "MAJOR"});
    let bad = json!({"project_id": "{project_id}", "summary": "", "type": "FEATURE", "priority": "MAJOR"});
    let whole = json!({"summary": "New", "status": "ASSIGNED", "type": "BUG", "priority": "MAJOR"});
    let change = json!({"status": "ASSIGNED", "add_labels": ["a"]});
    vec![
        post("issue.create", "/v1/issues", new.clone(), "issues.v1.IssuesService/CreateIssue", new)
            .bad(bad.clone(), bad),
        get("issue.get", "/v1/issues/{issue_id}", "issues.v1.IssuesService/GetIssue", issue.clone()),
        get(
            "issue.list",
            "/v1/issues",
            "issues.v1.IssuesService/ListIssues",
            json!({"filter": "project:{project_id} label:held"}),
        )
        .query("filter=project:{project_id}%20label:held")
        .list(),
        row(
            "issue.replace",
            Method::PUT,
            "/v1/issues/{issue_id}",
            whole,
            "issues.v1.IssuesService/UpdateIssue",
            json!({
                "issue_id": "{issue_id}", "summary": "New", "status": "ASSIGNED", "type": "BUG", "priority": "MAJOR",
                "update_mask": "summary,description,status,resolution,type,priority,assigneeId",
            }),
        ),
        row(
            "issue.update",
            Method::PATCH,
            "/v1/issues/{issue_id}",
            json!({"summary": "New"}),
            "issues.v1.IssuesService/UpdateIssue",
            json!({"issue_id": "{issue_id}", "summary": "New", "update_mask": "summary"}),
        ),
        delete("issue.delete", "/v1/issues/{issue_id}", "issues.v1.IssuesService/DeleteIssue", issue.clone()),
        get(
            "issue.transitions",
            "/v1/issues/{issue_id}/transitions",
            "issues.v1.IssuesService/ListTransitions",
            issue.clone(),
        ),
        post(
            "issue.transition",
            "/v1/issues/{issue_id}:transition",
            json!({"transition": "assign"}),
            "issues.v1.IssuesService/TransitionIssue",
            json!({"issue_id": "{issue_id}", "transition": "assign"}),
        ),
        post(
            "issue.assign",
            "/v1/issues/{issue_id}:assign",
            json!({"assignee_id": "{user_id}"}),
            "issues.v1.IssuesService/AssignIssue",
            json!({"issue_id": "{issue_id}", "assignee_id": "{user_id}"}),
        ),
        post(
            "issue.bulk_update",
            "/v1/issues:bulkUpdate",
            json!({"issue_ids": ["{issue_id}", "{absent}"], "change": change}),
            "issues.v1.IssuesService/BulkUpdateIssues",
            json!({"issue_ids": ["{issue_id}", "{absent}"], "change": change}),
        )
        .bad(json!({"issue_ids": [], "change": {}}), json!({"issue_ids": [], "change": {}})),
        get("issue.history", "/v1/issues/{issue_id}/history", "issues.v1.IssuesService/ListHistory", issue),
    ]
}

fn issue_parts() -> Vec<Row> {
    let issue = json!({"issue_id": "{issue_id}"});
    let (comments, comment) =
        ("/v1/issues/{issue_id}/comments", "/v1/issues/{issue_id}/comments/{comment_id}");
    let (links, link) = ("/v1/issues/{issue_id}/links", "/v1/issues/{issue_id}/links/{kind}/{other_id}");
    let (watchers, watcher) = ("/v1/issues/{issue_id}/watchers", "/v1/issues/{issue_id}/watchers/{user_id}");
    let watching = json!({"issue_id": "{issue_id}", "user_id": "{user_id}"});
    let said = |body: &str| json!({"issue_id": "{issue_id}", "comment_id": "{comment_id}", "body": body});
    let linked = |kind: &str| json!({"issue_id": "{issue_id}", "kind": kind, "other_id": "{other_id}"});
    vec![
        post(
            "comment.add",
            comments,
            json!({"body": "new"}),
            "issues.v1.IssuesService/AddComment",
            json!({"issue_id": "{issue_id}", "body": "new"}),
        ),
        get("comment.list", comments, "issues.v1.IssuesService/ListComments", issue.clone()),
        row(
            "comment.update",
            Method::PATCH,
            comment,
            json!({"body": "other"}),
            "issues.v1.IssuesService/UpdateComment",
            said("other"),
        ),
        delete(
            "comment.delete",
            comment,
            "issues.v1.IssuesService/DeleteComment",
            json!({"issue_id": "{issue_id}", "comment_id": "{comment_id}"}),
        ),
        post(
            "label.add",
            "/v1/issues/{issue_id}/labels",
            json!({"label": "new"}),
            "issues.v1.IssuesService/AddLabel",
            json!({"issue_id": "{issue_id}", "label": "new"}),
        ),
        delete(
            "label.remove",
            "/v1/issues/{issue_id}/labels/{label}",
            "issues.v1.IssuesService/RemoveLabel",
            json!({"issue_id": "{issue_id}", "label": "{label}"}),
        ),
        post(
            "link.add",
            links,
            json!({"kind": "relates", "other_id": "{other_id}"}),
            "issues.v1.IssuesService/AddLink",
            linked("LINK_KIND_RELATES"),
        ),
        delete("link.remove", link, "issues.v1.IssuesService/RemoveLink", linked("LINK_KIND_BLOCKS")),
        get("link.list", links, "issues.v1.IssuesService/ListLinks", issue.clone()),
        post(
            "watcher.add",
            watchers,
            json!({"user_id": "{user_id}"}),
            "issues.v1.IssuesService/AddWatcher",
            watching.clone(),
        ),
        delete("watcher.remove", watcher, "issues.v1.IssuesService/RemoveWatcher", watching),
        get("watcher.list", watchers, "issues.v1.IssuesService/ListWatchers", issue),
    ]
}

fn facts() -> Vec<Row> {
    vec![
        get(
            "audit.list",
            "/v1/audit",
            "facts.v1.FactsService/ListAudit",
            json!({"filter": "object:{issue_id}"}),
        )
        .query("filter=object:{issue_id}")
        .list(),
        get("fact.stream", "/v1/streams/facts", "facts.v1.FactsService/StreamFacts", json!({})).streaming(),
        // A browser's way in; gRPC needs none.
        post(
            "stream.token",
            "/v1/streams/token",
            Value::Null,
            "facts.v1.FactsService/StreamFacts",
            json!({}),
        )
        .streaming(),
    ]
}
