//! `tessera keys recover`: creates an operator's key on the host's machine, for operators who have lost theirs.

use anyhow::{Context as _, Result, bail};
use tessera_core::ErrorKind;
use tessera_core::id::TenantId;
use tessera_core::tenancy::tenant::DEFAULT_SLUG;
use tessera_core::tenancy::{CreateKey, TenantState};
use tessera_store::StoreConfig;

use crate::config::Config;
use crate::{bootstrap, data_dir, secret, wiring};

/// Creates a key with the roles of the first one, and returns its text. Resumes the tenant of the operators if it is
/// suspended, since its keys are refused otherwise.
pub(crate) async fn recover(config: &Config) -> Result<String> {
    match &config.store {
        StoreConfig::Memory => bail!("DB_TYPE is memdb, whose data other processes cannot reach"),
        // Opening would create a new database, for which the key is of no use.
        StoreConfig::Sqlite { path } if !path.exists() => {
            bail!("there is no database {}; set TESSERA_DATA_DIR to the host's data folder", path.display())
        }
        StoreConfig::Sqlite { .. } | StoreConfig::Postgres(_) => {}
    }
    data_dir::prepare(config)?;
    let secret = secret::load(config)?;
    let app = wiring::app(config, &secret, &uuid::Uuid::now_v7().to_string()).await?;
    let system = bootstrap::ctx(&app, TenantId(uuid::Uuid::nil()));
    let tenant = match app.tenants.get(&system, DEFAULT_SLUG).await {
        Ok(tenant) => tenant,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "the database has no tenant {DEFAULT_SLUG:?}; the first start of a host creates it with its key"
            )
        }
        Err(error) => return Err(error).context("the tenant of the operators cannot be read"),
    };
    if tenant.state == TenantState::Suspended {
        app.tenants.resume(&system, DEFAULT_SLUG).await.context("the tenant cannot be resumed")?;
    }
    let command = CreateKey { name: "recovered".to_owned(), ..bootstrap::first_key() };
    let key = app.keys.create(&bootstrap::ctx(&app, tenant.id), command).await;
    let key = key.context("the key cannot be created")?;
    app.close().await;
    key.text.context("the key has no text")
}
