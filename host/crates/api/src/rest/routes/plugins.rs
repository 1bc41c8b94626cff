//! Releases, installations and timers of plugins.

use crate::operations::{installation, release, timer};
use crate::rest::release_upload;
use crate::rest::route::{RouteEntry, delete, get, patch, post};

pub(super) fn routes() -> Vec<(&'static str, Vec<RouteEntry>)> {
    let routes = vec![
        release_upload::route(),
        get("/v1/releases", "release.list", release::list),
        get("/v1/releases/{digest}", "release.get", release::get),
        delete("/v1/releases/{digest}", "release.delete", release::delete),
        post("/v1/releases/{digest}:test", "release.test", release::test),
        post("/v1/installations", "installation.create", installation::create)
            .created("/v1/installations/{id}"),
        get("/v1/installations", "installation.list", installation::list),
        get("/v1/installations/{installation_id}", "installation.get", installation::get),
        patch("/v1/installations/{installation_id}", "installation.update", installation::update),
        post("/v1/installations/{installation_id}:rollback", "installation.rollback", installation::rollback),
        delete("/v1/installations/{installation_id}", "installation.delete", installation::delete),
        get("/v1/installations/{installation_id}/calls", "installation.calls", installation::calls),
        get("/v1/installations/{installation_id}/timers", "timer.list", timer::list),
        post("/v1/installations/{installation_id}/timers:retry", "timer.retry", timer::retry),
    ];
    vec![("plugins", routes)]
}
