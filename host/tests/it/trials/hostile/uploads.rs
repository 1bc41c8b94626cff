//! Uploads that are refused, many, or slow to compile.

use std::time::Duration;

use serde_json::json;

use super::{Attack, Outcome, size};
use crate::plugins::{children, component, heavy, importing, upload, varied, versioned, with_instances};

/// The most compilers of the host at once.
const MAX_COMPILERS: usize = 2;

/// The longest refusal over REST, in bytes.
const MAX_REFUSAL: usize = 5_000;

/// Uploads components with thousands of imports, and components of too many parts and of the wrong types, which are
/// refused once they are compiled.
pub async fn refused(attack: &Attack<'_>) -> Outcome {
    let count = size(4, 20);
    let good = component("required-fields");
    let mut unlike = good.clone();
    while let Some(at) = unlike.windows(9).position(|window| window == b"\x08validate") {
        unlike[at..at + 9].copy_from_slice(b"\x08validata");
    }
    for n in 0..count {
        let (component, reason) = match n % 4 {
            0 => ([&good[..], &importing(10_000)[8..]].concat(), "COMPONENT_IMPORTS"),
            1 => (with_instances(&good, 201 + n), "COMPONENT_TOO_LARGE"),
            _ => (varied(&heavy(&unlike, 40), &n.to_string()), "COMPONENT_EXPORTS"),
        };
        let answer = attack.upload(component).await;
        let body = answer.body.to_string();
        if answer.body["code"] != reason || body.len() > MAX_REFUSAL {
            return Err(format!("{} instead of {reason}: {} bytes, {body:.200}", answer.status, body.len()));
        }
    }
    Ok(format!("{count} refused"))
}

/// Uploads many components at once.
pub async fn concurrent(attack: &Attack<'_>) -> Outcome {
    let good = component("required-fields");
    let uploads: Vec<_> = (0..size(8, 24))
        .map(|n| {
            let component = heavy(&versioned(&good, &format!("2.{}.{}", n / 9, n % 9)), 40);
            let (rest, request) =
                (attack.rest.clone(), attack.rest.request(reqwest::Method::POST, "/v1/releases"));
            let request = request.header("content-type", "application/wasm").body(component);
            tokio::spawn(async move { rest.send(request).await })
        })
        .collect();
    let mut compilers = 0;
    while !uploads.iter().all(tokio::task::JoinHandle::is_finished) {
        compilers = compilers.max(children(attack.host));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut stored, mut busy) = (0, 0);
    for upload in uploads {
        let answer = upload.await.unwrap();
        match answer.status.as_u16() {
            201 => stored += 1,
            503 if answer.headers.contains_key("retry-after") => busy += 1,
            status => return Err(format!("{status}: {}", answer.body)),
        }
    }
    if compilers > MAX_COMPILERS {
        return Err(format!("{compilers} compilers at once; at most {MAX_COMPILERS}"));
    }
    Ok(format!("{stored} stored, {busy} asked to come later, {compilers} compilers at once"))
}

/// Uploads a component that takes long to compile: it is stored, or refused by name.
pub async fn slow(attack: &Attack<'_>) -> Outcome {
    let slow = heavy(&versioned(&component("required-fields"), "3.0.0"), size(100, 1_200));
    let answer = attack.upload(slow).await;
    let code = answer.body["code"].as_str().unwrap_or_default();
    match answer.status.as_u16() {
        201 => Ok("compiled in time".to_owned()),
        422 if ["COMPONENT_TOO_SLOW", "COMPONENT_TOO_COMPLEX"].contains(&code) => Ok(code.to_owned()),
        status => Err(format!("{status}: {}", answer.body)),
    }
}

/// Installs releases that take a while to compile at the next start.
pub async fn install_heavy(attack: &Attack<'_>) {
    for name in ["text-policy", "support-sla", "issue-lifecycle"] {
        let project = attack.rest.project(name).await;
        let release = upload(&attack.rest, heavy(&component(name), size(40, 200))).await;
        let body = json!({"release": {"digest": release["digest"]}, "project_id": project});
        attack.rest.post("/v1/installations", body).await.expect(201);
    }
}
