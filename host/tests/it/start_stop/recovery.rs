//! `tessera keys recover`.

use serde_json::json;

use super::{output_text, printed_key, run};
use crate::harness::{Home, Host, Kind};
use crate::tracker::done;

#[tokio::test(flavor = "multi_thread")]
async fn recovered_key_is_one_of_an_operator() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let home = Home::empty(kind).await;
        let mut host = Host::start(&home).await;
        // The only operator's key is gone.
        done(&host.rest().post("/v1/keys/root:revoke", json!({})).await);
        // Beside the running host, and without it.
        for round in 0..2 {
            let output = tokio::task::block_in_place(|| run(&home, &["keys", "recover"], &[]));
            assert!(output.status.success(), "{}", output_text(&output));
            let key = printed_key(&String::from_utf8_lossy(&output.stdout)).expect("no key is printed");
            assert!(!String::from_utf8_lossy(&output.stderr).contains(&key));
            if round == 1 {
                host = Host::start(&home).await;
            }
            let rest = host.rest().with_key(Some(&key));
            assert_eq!(done(&rest.get("/v1/me").await)["tenant_slug"], "default");
            done(&rest.get("/v1/tenants").await);
            let facts = rest.get("/v1/audit?filter=type:key.created&page_size=1").await;
            assert_eq!(done(&facts)["facts"][0]["actor"]["kind"], "system");
            host.kill();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_resumes_the_tenant_of_the_operators() {
    let home = Home::empty(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["operator"], "tenant": "acme"});
    let other = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    done(&rest.with_key(Some(&other)).post("/v1/tenants/default:suspend", json!({})).await);
    assert_eq!(rest.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    drop(host);
    let output = tokio::task::block_in_place(|| run(&home, &["keys", "recover"], &[]));
    let key = printed_key(&output_text(&output)).expect("no key is printed");
    let host = Host::start(&home).await;
    done(&host.rest().with_key(Some(&key)).get("/v1/tenants").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recovered_where_there_is_no_database() {
    for (kind, why) in
        [(Kind::Memory, "memdb"), (Kind::Sqlite, "TESSERA_DATA_DIR"), (Kind::Postgres, "default")]
    {
        let home = Home::empty(kind).await;
        let output = tokio::task::block_in_place(|| run(&home, &["keys", "recover"], &[]));
        let text = output_text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(why) && !text.contains("tsk_"), "{text}");
        assert!(!home.folder.join("tessera.db").exists());
    }
}
