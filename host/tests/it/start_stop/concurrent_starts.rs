//! Concurrent first starts of several hosts on one empty store.

use futures_util::future::join_all;

use super::printed_key;
use crate::harness::{Home, Host, Kind};
use crate::tracker::{all_pages, count, done, until};

const SECRET: (&str, &str) = ("TESSERA_SECRET_KEY", "");
const KEY: (&str, &str) = ("TESSERA_BOOTSTRAP_KEY", "");

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_starts_create_one_tenant() {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let home = Home::empty(kind).await;
        let hosts = join_all((0..3).map(|_| Host::start(&home))).await;
        let mut project = String::new();
        for host in &hosts {
            let tenants = all_pages(&host.rest(), "/v1/tenants", "tenants", 50).await;
            assert_eq!(tenants.len(), 1, "{kind:?}: {tenants:?}");
            if project.is_empty() {
                project = host.rest().project("P").await;
            }
        }
        let creations = hosts.iter().flat_map(|host| {
            let project = &project;
            (0..20).map(move |n| {
                let rest = host.rest();
                async move { rest.issue(project, &format!("{n}")).await }
            })
        });
        let ids = join_all(creations).await;
        for host in &hosts {
            assert_eq!(count(&host.rest(), &project).await, 60, "{kind:?}");
            for id in &ids {
                done(&host.rest().get(&format!("/v1/issues/{id}")).await);
            }
        }
        // The facts of all hosts have distinct numbers.
        let audit = "/v1/audit?filter=type:issue.created&page_size=200";
        let page = until(&hosts[0].rest(), audit, |page| {
            page.body["facts"].as_array().is_some_and(|facts| facts.len() == 60)
        })
        .await;
        let cursors: std::collections::BTreeSet<_> =
            page.body["facts"].as_array().unwrap().iter().map(|fact| fact["cursor"].to_string()).collect();
        assert_eq!(cursors.len(), 60, "{kind:?}");
    }
}

/// Hosts without a configured key and secret that share a data folder agree on both; each printed key works on
/// all of them.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_starts_agree_on_one_secret() {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let home = Home::empty(kind).await;
        let hosts = join_all((0..3).map(|_| Host::start_with(&home, &[SECRET, KEY]))).await;
        let keys: Vec<_> = hosts.iter().filter_map(|host| printed_key(&host.greeting)).collect();
        assert!(!keys.is_empty(), "{kind:?}: no host printed a key");
        for host in &hosts {
            for key in &keys {
                done(&host.rest().with_key(Some(key)).get("/v1/me").await);
            }
        }
        let files = std::fs::read_dir(&home.folder).unwrap().map(|entry| entry.unwrap().file_name());
        let secrets: Vec<_> = files.filter(|name| name.to_string_lossy().starts_with("secret.key")).collect();
        assert_eq!(secrets, ["secret.key"], "{kind:?}");
    }
}
