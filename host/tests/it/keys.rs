//! API keys of operators: who may create and revoke them.

use serde_json::json;

use crate::harness::{Kind, Rest};
use crate::tracker::{done, faults, memory, on, on_every_store};

on_every_store! { only_operators_revoke_keys_of_operators }

/// Returns a client with a new key of these roles, and the key's path.
async fn key(rest: &Rest, roles: &[&str]) -> (Rest, String) {
    let text = rest.new_key(roles, None).await;
    let path = format!("/v1/keys/{}", text.split('_').nth(1).unwrap());
    (rest.with_key(Some(&text)), path)
}

async fn only_operators_revoke_keys_of_operators(kind: Kind) {
    let (_home, _host, root) = on(kind).await;
    let (admin, admin_path) = key(&root, &["admin"]).await;
    let (operator, operator_path) = key(&root, &["operator", "admin"]).await;
    for path in [operator_path.as_str(), "/v1/keys/root"] {
        let refused = admin.post(&format!("{path}:revoke"), json!({})).await;
        assert_eq!(refused.code(403), "PERMISSION_DENIED", "{path}");
        assert!(refused.body["detail"].as_str().unwrap().contains("operator"), "{:#}", refused.body);
        // Admins see which keys there are.
        assert_eq!(done(&admin.get(path).await)["key"]["revoked_at"], json!(null));
    }
    done(&operator.get("/v1/tenants").await);
    done(&root.get("/v1/tenants").await);
    done(&operator.post("/v1/keys/root:revoke", json!({})).await);
    assert_eq!(root.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    done(&operator.post(&format!("{admin_path}:revoke"), json!({})).await);
    done(&operator.post(&format!("{operator_path}:revoke"), json!({})).await);
    assert_eq!(operator.get("/v1/me").await.code(401), "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_create_keys_of_operators_and_none_depends_on_a_user() {
    let (_home, _host, root) = memory().await;
    let (admin, _) = key(&root, &["admin"]).await;
    let body = json!({"name": "k", "roles": ["operator"]});
    assert_eq!(faults(&admin.post("/v1/keys", body.clone()).await), ["roles"]);
    done(&root.post("/v1/keys", body).await);
    // An admin of the tenant could deactivate the user, and so end the key.
    let user = root.user("ada@example.com").await;
    let bound = json!({"name": "k", "roles": ["operator", "admin"], "user_id": user});
    assert_eq!(faults(&root.post("/v1/keys", bound).await), ["user_id"]);
}
