//! Tenants, keys and the audit log.

use crate::operations::{fact, key, tenant};
use crate::rest::route::{RouteEntry, get, patch, post};

pub(super) fn routes() -> Vec<(&'static str, Vec<RouteEntry>)> {
    vec![
        (
            "tenants",
            vec![
                post("/v1/tenants", "tenant.create", tenant::create).created("/v1/tenants/{id}"),
                get("/v1/tenants", "tenant.list", tenant::list),
                get("/v1/tenants/{tenant}", "tenant.get", tenant::get),
                patch("/v1/tenants/{tenant}", "tenant.update", tenant::update),
                post("/v1/tenants/{tenant}:suspend", "tenant.suspend", tenant::suspend),
                post("/v1/tenants/{tenant}:resume", "tenant.resume", tenant::resume),
            ],
        ),
        (
            "keys",
            vec![
                get("/v1/me", "whoami", key::who_am_i),
                post("/v1/keys", "key.create", key::create).created("/v1/keys/{id}").secret(),
                get("/v1/keys", "key.list", key::list),
                get("/v1/keys/{key_id}", "key.get", key::get),
                post("/v1/keys/{key_id}:revoke", "key.revoke", key::revoke),
            ],
        ),
        ("facts", vec![get("/v1/audit", "audit.list", fact::audit)]),
    ]
}
