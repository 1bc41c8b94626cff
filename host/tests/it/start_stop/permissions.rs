//! The data folder and its files are private to the host's user.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{output_text, run};
use crate::harness::{Home, Host, Kind};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Settings of a host that keeps its secret in its data folder.
fn settings(folder: &Path) -> Vec<(String, String)> {
    vec![
        ("TESSERA_DATA_DIR".to_owned(), folder.display().to_string()),
        ("TESSERA_SECRET_KEY".to_owned(), String::new()),
    ]
}

async fn start(home: &Home, folder: &Path) -> Host {
    let settings = settings(folder);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Host::start_with(home, &settings).await
}

const FILES: [&str; 4] = ["tessera.db", "tessera.db-wal", "tessera.db-shm", "secret.key"];

#[tokio::test(flavor = "multi_thread")]
async fn new_data_folder_and_its_files_are_private() {
    let home = Home::empty(Kind::Sqlite).await;
    let folder = home.folder.join("data");
    let host = start(&home, &folder).await;
    host.rest().project("P").await;
    assert_eq!(mode(&folder), 0o700);
    for name in FILES {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&folder.join("plugins")), 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_of_other_users_are_removed_at_start() {
    let home = Home::empty(Kind::Sqlite).await;
    let folder = home.folder.join("data");
    let mut host = start(&home, &folder).await;
    host.rest().project("P").await;
    host.kill();
    set_mode(&folder, 0o755);
    for name in FILES {
        set_mode(&folder.join(name), 0o664);
    }
    let host = start(&home, &folder).await;
    assert_eq!(mode(&folder), 0o700);
    for name in FILES {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let log = host.log();
    assert!(log.contains("permissions of other users removed") && log.contains("0664"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_of_all_users_is_refused_as_data_folder() {
    let home = Home::empty(Kind::Sqlite).await;
    let folder = home.folder.join("shared");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o1777);
    let refused = run(&home, &[], &[("TESSERA_DATA_DIR", folder.to_str().unwrap())]);
    let text = output_text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("shared") && text.contains("TESSERA_DATA_DIR"), "{text}");
    assert_eq!((mode(&folder), fs::read_dir(&folder).unwrap().count()), (0o1777, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_file_that_others_can_read_is_reported() {
    let home = Home::empty(Kind::Memory).await;
    let path = home.folder.join("secret");
    fs::write(&path, "a secret for tests, of at least 32 characters").unwrap();
    for (permissions, is_reported) in [(0o644, true), (0o600, false)] {
        set_mode(&path, permissions);
        let settings = [("TESSERA_SECRET_KEY", ""), ("TESSERA_SECRET_KEY_FILE", path.to_str().unwrap())];
        let host = Host::start_with(&home, &settings).await;
        assert_eq!(host.log().contains("other users can use the file"), is_reported, "{}", host.log());
        assert_eq!(mode(&path), permissions, "the file is the operator's");
    }
}
