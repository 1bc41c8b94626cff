//! Signing keys of ticket codes.

use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// A key that signs ticket codes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SigningKey {
    /// Its number, from 1. The key with the highest number signs new codes.
    pub id: u16,
    /// The public half: 32 bytes of Ed25519.
    pub public: Vec<u8>,
    /// The encrypted private half.
    pub sealed: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked, which makes its codes invalid.
    pub revoked_at: Option<Timestamp>,
    /// Its version, incremented by each change.
    pub version: u64,
}

impl Snapshot for SigningKey {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("number", Value::Integer(self.id.into())),
            Field::new("revoked_at", self.revoked_at.map_or(Value::None, Value::Time)),
        ]
    }
}
