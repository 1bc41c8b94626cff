//! Ticket codes: signed, so that offline scanners detect forged ones, and short enough for a small QR code.
//!
//! A code is 85 bytes in base32: a version, the number of the key, the serial of the code, the ticket, and the signature
//! over these, the tenant and the event. A scanner verifies for its own event, so codes of other events fail.

use data_encoding::BASE32_NOPAD;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use uuid::Uuid;

use crate::admission::Ticket;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId, TicketId};

/// The version of the format, the first byte of each code.
const VERSION: u8 = 1;

/// The number of signed bytes of the code itself.
const HEAD: usize = 21;

/// The number of bytes of a code.
const LENGTH: usize = HEAD + 64;

/// The prefix of the signed message, so that signatures for other purposes do not verify.
const PURPOSE: &[u8] = b"tessera ticket 1";

/// A ticket's code as text: capital letters and digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code(pub String);

/// A scanned code that is not verified yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScannedCode {
    /// The number of the key that it claims to be signed by.
    pub key: u16,
    /// The serial of the code.
    pub serial: u16,
    /// The ticket.
    pub ticket: TicketId,
    bytes: [u8; LENGTH],
}

impl Code {
    /// Signs a ticket's code with a numbered key.
    #[must_use]
    pub fn sign(key: (u16, &Ed25519KeyPair), tenant: TenantId, ticket: &Ticket) -> Self {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION;
        bytes[1..3].copy_from_slice(&key.0.to_be_bytes());
        bytes[3..5].copy_from_slice(&ticket.serial.to_be_bytes());
        bytes[5..HEAD].copy_from_slice(ticket.id.0.as_bytes());
        let signature = key.1.sign(&message((tenant, ticket.event), &bytes[..HEAD]));
        bytes[HEAD..].copy_from_slice(signature.as_ref());
        Self(BASE32_NOPAD.encode(&bytes))
    }
}

impl ScannedCode {
    /// Reads a code that a client sent in `field`. Accepts lower case and surrounding white space.
    pub fn parse(field: &str, code: &str) -> Result<Self> {
        let malformed = || Error::malformed(field, "is not a ticket's code");
        let bytes = BASE32_NOPAD.decode(code.trim().to_ascii_uppercase().as_bytes());
        let bytes: [u8; LENGTH] = bytes.ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)?;
        if bytes[0] != VERSION {
            return Err(malformed());
        }
        let ticket = Uuid::from_slice(&bytes[5..HEAD]).map_err(|_| malformed())?;
        Ok(Self {
            key: u16::from_be_bytes([bytes[1], bytes[2]]),
            serial: u16::from_be_bytes([bytes[3], bytes[4]]),
            ticket: TicketId(ticket),
            bytes,
        })
    }

    /// Refuses a code that this key did not sign for the event.
    pub fn verify(&self, public: &[u8], tenant: TenantId, event: EventId) -> Result<()> {
        let (head, signature) = self.bytes.split_at(HEAD);
        UnparsedPublicKey::new(&ED25519, public)
            .verify(&message((tenant, event), head), signature)
            .map_err(|_| not_authentic())
    }
}

/// The refusal of a code that was not signed for the event.
#[must_use]
pub fn not_authentic() -> Error {
    let message = "the code was not signed for this event, or was changed since";
    Error::new(ErrorKind::Precondition, "CODE_NOT_AUTHENTIC", message)
}

fn message((tenant, event): (TenantId, EventId), head: &[u8]) -> Vec<u8> {
    [PURPOSE, tenant.0.as_bytes(), event.0.as_bytes(), head].concat()
}

#[cfg(test)]
mod tests {
    use ring::signature::KeyPair as _;

    use super::*;
    use crate::time::Timestamp;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn sample_ticket() -> Ticket {
        Ticket::sample(700, Timestamp::from_micros(1_800_000_000_000_000).unwrap())
    }

    #[test]
    fn code_names_its_ticket_and_verifies_only_for_its_event() {
        let (ticket, tenant, key) = (sample_ticket(), TenantId::generate(), pair(1));
        let Code(text) = Code::sign((3, &key), tenant, &ticket);
        assert_eq!(text.len(), 136);
        assert!(text.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)));
        let scanned = ScannedCode::parse("qr_code", &format!(" {} ", text.to_lowercase())).unwrap();
        assert_eq!((scanned.key, scanned.serial, scanned.ticket), (3, 700, ticket.id));
        let public = key.public_key();
        scanned.verify(public.as_ref(), tenant, ticket.event).unwrap();
        assert!(scanned.verify(public.as_ref(), tenant, EventId::generate()).is_err());
        assert!(scanned.verify(public.as_ref(), TenantId::generate(), ticket.event).is_err());
        assert!(scanned.verify(pair(2).public_key().as_ref(), tenant, ticket.event).is_err());
        assert!(scanned.verify(b"no key", tenant, ticket.event).is_err());
        assert_eq!(Code::sign((3, &key), tenant, &ticket).0, text, "codes are deterministic");
    }

    #[test]
    fn code_with_a_changed_bit_does_not_verify() {
        let (ticket, tenant, key) = (sample_ticket(), TenantId::generate(), pair(1));
        let Code(text) = Code::sign((1, &key), tenant, &ticket);
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let verified = ScannedCode::parse("qr_code", &BASE32_NOPAD.encode(&changed))
                .and_then(|scanned| scanned.verify(key.public_key().as_ref(), tenant, ticket.event));
            assert!(verified.is_err(), "bit {bit}");
        }
        for bad in ["", "A", "not base32!", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "é")]
        {
            assert!(ScannedCode::parse("qr_code", bad).is_err(), "{bad:?}");
        }
    }
}
