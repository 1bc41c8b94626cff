//! Users, projects, issues, and the parts of issues.

use crate::operations::{
    command, comment, issue, label, link, project, scheme, transition, user_v1, user_v2, watcher,
};
use crate::rest::route::{RouteEntry, TRACKER, delete, get, patch, post, put};

pub(super) fn routes() -> Vec<(&'static str, Vec<RouteEntry>)> {
    vec![
        ("users", users()),
        ("users v2", users_v2()),
        ("projects", projects()),
        ("schemes", schemes()),
        ("issues", issues()),
        ("comments", comments()),
        ("labels", labels()),
        ("links", links()),
        ("watchers", watchers()),
    ]
}

fn users() -> Vec<RouteEntry> {
    vec![
        post("/v1/users", "user.create", user_v1::create).created("/v1/users/{id}"),
        get("/v1/users", "user.list", user_v1::list),
        get("/v1/users/{user_id}", "user.get", user_v1::get),
        put("/v1/users/{user_id}", "user.replace", user_v1::update).summary("Replaces a user."),
        patch("/v1/users/{user_id}", "user.update", user_v1::update),
        delete("/v1/users/{user_id}", "user.delete", user_v1::delete),
    ]
}

fn users_v2() -> Vec<RouteEntry> {
    vec![
        post("/v2/users", "v2.user.create", user_v2::create).created("/v2/users/{id}"),
        post("/v2/users:bulkCreate", "user.bulk_create", user_v2::bulk_create),
        get("/v2/users", "v2.user.list", user_v2::list),
        get("/v2/users:search", "user.search", user_v2::search),
        get("/v2/users/{user_id}", "v2.user.get", user_v2::get),
        put("/v2/users/{user_id}", "v2.user.replace", user_v2::update).summary("Replaces a user."),
        patch("/v2/users/{user_id}", "v2.user.update", user_v2::update),
        delete("/v2/users/{user_id}", "v2.user.delete", user_v2::delete),
        post("/v2/users/{user_id}:deactivate", "user.deactivate", user_v2::deactivate),
        post("/v2/users/{user_id}:activate", "user.activate", user_v2::activate),
    ]
}

fn projects() -> Vec<RouteEntry> {
    vec![
        post("/v1/projects", "project.create", project::create).created("/v1/projects/{id}"),
        get("/v1/projects", "project.list", project::list),
        get("/v1/projects/{project_id}", "project.get", project::get),
        put("/v1/projects/{project_id}", "project.replace", project::update)
            .summary("Replaces a project, except its scheme."),
        patch("/v1/projects/{project_id}", "project.update", project::update),
        delete("/v1/projects/{project_id}", "project.delete", project::delete),
        post("/v1/projects/{project_id}/issues", "project.add_issue", project::add_issue),
    ]
}

fn schemes() -> Vec<RouteEntry> {
    vec![
        get("/v1/projects/{project_id}/scheme", "scheme.get", scheme::get),
        put("/v1/projects/{project_id}/scheme", "scheme.set", scheme::set).body("scheme"),
        delete("/v1/projects/{project_id}/scheme", "scheme.reset", scheme::reset),
    ]
}

fn issues() -> Vec<RouteEntry> {
    let routes = vec![
        post("/v1/issues", "issue.create", issue::create).created("/v1/issues/{id}"),
        get("/v1/issues", "issue.list", issue::list),
        post("/v1/issues:bulkUpdate", "issue.bulk_update", issue::bulk_update),
        get("/v1/issues/{issue_id}", "issue.get", issue::get),
        put("/v1/issues/{issue_id}", "issue.replace", issue::update)
            .naming_every_field()
            .summary("Replaces an issue. Labels, links and absent fields stay."),
        patch("/v1/issues/{issue_id}", "issue.update", issue::update).merging("fields"),
        delete("/v1/issues/{issue_id}", "issue.delete", issue::delete),
        post("/v1/issues/{issue_id}:assign", "issue.assign", issue::assign),
        get("/v1/issues/{issue_id}/transitions", "issue.transitions", transition::list),
        post("/v1/issues/{issue_id}:transition", "issue.transition", transition::make),
        // The path that the tracker's predecessor documents.
        post("/v1/issues/{issue_id}/transitions", "issue.transition", transition::make).undocumented(),
        get("/v1/issues/{issue_id}/history", "issue.history", issue::history),
        get("/v1/issues/{issue_id}/commands", "issue.command_list", command::list),
        post("/v1/issues/{issue_id}:command", "issue.command", command::call),
    ];
    also_below_tracker(routes)
}

fn comments() -> Vec<RouteEntry> {
    also_below_tracker(vec![
        post("/v1/issues/{issue_id}/comments", "comment.add", comment::add).created_in_place(),
        get("/v1/issues/{issue_id}/comments", "comment.list", comment::list),
        patch("/v1/issues/{issue_id}/comments/{comment_id}", "comment.update", comment::update),
        delete("/v1/issues/{issue_id}/comments/{comment_id}", "comment.delete", comment::delete),
    ])
}

fn labels() -> Vec<RouteEntry> {
    also_below_tracker(vec![
        post("/v1/issues/{issue_id}/labels", "label.add", label::add),
        delete("/v1/issues/{issue_id}/labels/{label}", "label.remove", label::remove),
    ])
}

fn links() -> Vec<RouteEntry> {
    also_below_tracker(vec![
        post("/v1/issues/{issue_id}/links", "link.add", link::add).created_in_place(),
        get("/v1/issues/{issue_id}/links", "link.list", link::list),
        delete("/v1/issues/{issue_id}/links/{kind}/{other_id}", "link.remove", link::remove),
    ])
}

fn watchers() -> Vec<RouteEntry> {
    also_below_tracker(vec![
        post("/v1/issues/{issue_id}/watchers", "watcher.add", watcher::add),
        get("/v1/issues/{issue_id}/watchers", "watcher.list", watcher::list),
        delete("/v1/issues/{issue_id}/watchers/{user_id}", "watcher.remove", watcher::remove),
    ])
}

fn also_below_tracker(routes: Vec<RouteEntry>) -> Vec<RouteEntry> {
    routes.into_iter().map(|route| route.also_below(TRACKER)).collect()
}
