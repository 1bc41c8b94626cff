//! Usage of the host: memory, and files that no release has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::harness::{Home, Host, Rest};
use crate::tracker::all_pages;

/// The memory of a host's process.
pub struct Usage(u32);

impl Usage {
    pub fn of(host: &Host) -> Self {
        Self(host.pid())
    }

    /// Begins a new peak with the present use.
    pub fn reset_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
    }

    /// Returns the most memory since the last reset, in bytes.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).expect("the host has ended");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes << 10
    }
}

/// Returns the bytes of machine code that no release of these tenants has. What is being removed gets a while.
pub async fn left_behind(home: &Home, tenants: [&Rest; 2]) -> u64 {
    let mut known = BTreeSet::new();
    for rest in tenants {
        for release in all_pages(rest, "/v1/releases", "releases", 100).await {
            known.insert(release["digest"].as_str().unwrap().to_owned());
        }
    }
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let files = std::fs::read_dir(home.folder.join("plugins")).unwrap().map(Result::unwrap);
        let unknown = files.filter(|file| {
            let name = file.file_name().into_string().unwrap();
            name.split_once('-').is_none_or(|(digest, _)| !known.contains(digest))
        });
        let bytes: u64 = unknown.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum();
        if bytes == 0 || Instant::now() > end {
            return bytes;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
