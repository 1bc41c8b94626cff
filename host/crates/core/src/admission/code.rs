//! The code that a ticket shows: signed, so that a scanner without a connection can tell it from a forged one, and short
//! enough for a small QR.
//!
//! 85 bytes as base32: a version, the number of the key, the number of the code, the ticket, and the signature over
//! these, the tenant and the event. A scanner knows its event; what was signed for another does not verify.

use data_encoding::BASE32_NOPAD;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use uuid::Uuid;

use crate::admission::Ticket;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId, TicketId};

/// What codes begin with today.
const VERSION: u8 = 1;

/// How many bytes are signed beside the tenant and the event.
const HEAD: usize = 21;

/// How many bytes a code has.
const LENGTH: usize = HEAD + 64;

/// Before what is signed, so that the signature means a ticket and nothing else.
const PURPOSE: &[u8] = b"tessera ticket 1";

/// A ticket's code as text: capital letters and digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code(pub String);

/// What somebody shows at the door, not verified yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presented {
    /// The number of the key by which it says it was signed.
    pub key: u16,
    /// The number of the code.
    pub serial: u16,
    /// The ticket.
    pub ticket: TicketId,
    bytes: [u8; LENGTH],
}

impl Code {
    /// Signs a ticket's code with the tenant's key of that number.
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

impl Presented {
    /// Reads a code that was sent in `field`; small letters and white space around it are forgiven.
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

    /// Whether this key signed it for that event.
    pub fn verify(&self, public: &[u8], tenant: TenantId, event: EventId) -> Result<()> {
        let (head, signature) = self.bytes.split_at(HEAD);
        UnparsedPublicKey::new(&ED25519, public)
            .verify(&message((tenant, event), head), signature)
            .map_err(|_| forged())
    }
}

/// The code was not signed for this event.
#[must_use]
pub fn forged() -> Error {
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

    fn ticket() -> Ticket {
        Ticket::sample(700, Timestamp::from_micros(1_800_000_000_000_000).unwrap())
    }

    #[test]
    fn a_code_says_its_ticket_and_verifies_for_its_event_alone() {
        let (held, tenant, key) = (ticket(), TenantId::generate(), pair(1));
        let Code(text) = Code::sign((3, &key), tenant, &held);
        assert_eq!(text.len(), 136);
        assert!(text.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)));
        let shown = Presented::parse("qr_code", &format!(" {} ", text.to_lowercase())).unwrap();
        assert_eq!((shown.key, shown.serial, shown.ticket), (3, 700, held.id));
        let public = key.public_key();
        shown.verify(public.as_ref(), tenant, held.event).unwrap();
        assert!(shown.verify(public.as_ref(), tenant, EventId::generate()).is_err());
        assert!(shown.verify(public.as_ref(), TenantId::generate(), held.event).is_err());
        assert!(shown.verify(pair(2).public_key().as_ref(), tenant, held.event).is_err());
        assert!(shown.verify(b"no key", tenant, held.event).is_err());
        assert_eq!(Code::sign((3, &key), tenant, &held).0, text, "a ticket has one code of a key");
    }

    #[test]
    fn no_bit_of_a_code_can_be_changed() {
        let (held, tenant, key) = (ticket(), TenantId::generate(), pair(1));
        let Code(text) = Code::sign((1, &key), tenant, &held);
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let verified = Presented::parse("qr_code", &BASE32_NOPAD.encode(&changed))
                .and_then(|shown| shown.verify(key.public_key().as_ref(), tenant, held.event));
            assert!(verified.is_err(), "bit {bit}");
        }
        for bad in ["", "A", "not base32!", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "é")]
        {
            assert!(Presented::parse("qr_code", bad).is_err(), "{bad:?}");
        }
    }
}
