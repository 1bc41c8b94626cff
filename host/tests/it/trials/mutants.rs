//! Mutated components: the host compiles each in its child process and calls what compiles. It survives all of them, and
//! keeps nothing of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use wasmparser::{Parser, Payload};

use super::{seed, size, tenant};
use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::plugins::{component, upload};
use crate::tracker::done;

/// Tenants that upload at once: more than the host compiles at once.
const TENANTS: usize = 4;

/// The most uploads for each component that is called.
const MAX_UPLOADS: usize = 100;

/// The longest time of one call, with the wait for a place.
const MAX_CALL: Duration = Duration::from_secs(10);

/// A component with the places that are mutated, and a call of it.
struct Original {
    bytes: Vec<u8>,
    /// Machine instructions and data of its core modules, where most changes leave it valid.
    ranges: Vec<Range<usize>>,
    call: Value,
}

/// The outcomes of mutated components.
#[derive(Default)]
struct Totals {
    uploads: usize,
    called: usize,
    refused: BTreeMap<String, usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_components_are_refused_or_called_within_limits() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let (calls, seed) = (size(12, 10_000), seed());
    let mut running = Vec::new();
    for n in 0..TENANTS {
        let rest = tenant(&host.rest(), &format!("mutants-{n}")).await;
        running.push(tokio::spawn(upload_mutants(rest, seed * 1_000 + n as u64, calls / TENANTS)));
    }
    let mut totals = Totals::default();
    for one in running {
        let one = one.await.unwrap();
        totals.uploads += one.uploads;
        totals.called += one.called;
        for (reason, count) in one.refused {
            *totals.refused.entry(reason).or_default() += count;
        }
    }
    let left: Vec<_> = std::fs::read_dir(home.folder.join("plugins")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    upload(&host.rest(), component("required-fields")).await;
    println!(
        "{} mutated components from seed {seed}: {} compiled and called, refused {:?}, 0 files left",
        totals.uploads, totals.called, totals.refused
    );
}

fn originals() -> Vec<Original> {
    let subject = json!({"kind": "issue", "id": "1", "fields": {"summary": "s"}});
    let validate = |settings: Value| {
        let input = json!({"operation": "create", "subject": subject});
        json!({"function": "validate", "settings": settings, "input": input})
    };
    let line = json!({
        "ticket_type": "t", "name": "Seat", "quantity": 9, "unit_price": 1_005, "available": 100, "capacity": 100,
    });
    let quote = json!({
        "function": "quote", "settings": {"steps": [{"units": 2, "percent": "10"}]},
        "input": {"currency": "EUR", "currency_exponent": 2, "lines": [line]},
    });
    [
        ("required-fields", validate(json!({"rules": [{"fields": ["description"]}]}))),
        ("text-policy", validate(json!({"min_summary": 5}))),
        ("group-discount", quote),
    ]
    .map(|(name, call)| {
        let bytes = component(name);
        let payloads = Parser::new(0).parse_all(&bytes).filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionStart { range, .. } => Some(range),
            Payload::DataSection(section) => Some(section.range()),
            _ => None,
        });
        Original { ranges: payloads.collect(), bytes, call }
    })
    .into()
}

/// Uploads mutated components until this many were called.
async fn upload_mutants(rest: Rest, seed: u64, calls: usize) -> Totals {
    let (originals, mut random, mut totals) = (originals(), Random::new(seed), Totals::default());
    while totals.called < calls {
        assert!(totals.uploads < calls * MAX_UPLOADS, "{} uploads: {:?}", totals.uploads, totals.refused);
        totals.uploads += 1;
        let original = &originals[random.below(originals.len())];
        let request = rest.request(Method::POST, "/v1/releases").header("content-type", "application/wasm");
        let answer = rest.send(request.body(random.mutate(original))).await;
        match answer.status.as_u16() {
            201 => totals.called += usize::from(is_called(&rest, &answer, &original.call).await),
            // A call or a compilation that does not get a place in time may be tried again.
            413 | 422 | 503 => {
                *totals.refused.entry(answer.body["code"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            status => panic!("{status}: {:#}", answer.body),
        }
    }
    totals
}

/// Calls a release and deletes it; returns whether it was called. Its changed schema may refuse the settings.
async fn is_called(rest: &Rest, uploaded: &Answer, call: &Value) -> bool {
    let path = format!("/v1/releases/{}", uploaded.body["release"]["digest"].as_str().unwrap());
    let begin = Instant::now();
    let answer = rest.post(&format!("{path}:test"), call.clone()).await;
    assert!(begin.elapsed() < MAX_CALL, "the call took {:?}", begin.elapsed());
    let status = answer.status.as_u16();
    assert!(matches!(status, 200 | 400 | 413 | 422 | 424 | 503), "{status}: {:#}", answer.body);
    done(&rest.delete(&path).await);
    status == 200
}

/// A pseudo-random generator.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // The state must not be zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap() % limit
    }

    /// Returns the component with up to three bytes changed; one component of eight is changed outside the code and data
    /// as well.
    fn mutate(&mut self, original: &Original) -> Vec<u8> {
        let mut bytes = original.bytes.clone();
        for _ in 0..=self.below(3) {
            let everything = 0..bytes.len();
            let range = match self.below(8) {
                0 => &everything,
                _ => &original.ranges[self.below(original.ranges.len())],
            };
            let at = range.start + self.below(range.len());
            bytes[at] ^= 1 << self.below(8);
        }
        bytes
    }
}
