//! Opaque tokens: page tokens, cursors of fact streams, and stream tokens, which open a stream without a header.
//!
//! Tokens are encrypted and authenticated with ChaCha20-Poly1305: a cursor has the number of a fact, which counts the facts
//! of all tenants. A page token also authenticates the tenant and the query, a cursor the tenant, so a token is valid only
//! there. Hosts with the same secret accept each other's tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use tessera_core::access::Operation;
use tessera_core::id::{KeyId, TenantId};
use tessera_core::outbox::Seq;
use tessera_core::page::{Keyset, SortKey};
use tessera_core::secret::{SecretKey, random_hex};
use tessera_core::{Error, Result, Timestamp};

/// The lifetime of a stream token.
pub const STREAM_TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// The prefix of stream tokens.
const STREAM_PREFIX: &str = "tst_";

/// The length of the salt in a token, in bytes.
const SALT_LENGTH: usize = 16;

/// The longest text that is decoded as a token.
const MAX_TOKEN_LENGTH: usize = 4_096;

/// The query of a list, which a page token is bound to.
#[derive(Clone, Copy, Debug)]
pub struct PageQuery<'a> {
    /// The list operation.
    pub operation: Operation,
    /// The filter as the client wrote it.
    pub filter: &'a str,
    /// The order as the client wrote it.
    pub order_by: &'a str,
    /// Other arguments of the query: ids in the path, a search text.
    pub scope: &'a [&'a str],
}

/// Encrypts and decrypts tokens.
pub struct Tokens {
    pages: [u8; 32],
    cursors: [u8; 32],
    streams: [u8; 32],
}

/// The content of a stream token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPass {
    /// The key whose holder opens the stream.
    pub key: KeyId,
    /// The nonce by which the store records that the token was used.
    pub nonce: String,
    /// The end of its lifetime.
    pub until: Timestamp,
}

impl Tokens {
    /// Derives the keys of the tokens from the host's secret.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        Self {
            pages: secret.derive("page tokens"),
            cursors: secret.derive("fact cursors"),
            streams: secret.derive("stream tokens"),
        }
    }

    /// Returns the token of the page that begins after `after`.
    #[must_use]
    pub fn seal_page(&self, tenant: TenantId, query: &PageQuery<'_>, after: &Keyset) -> String {
        seal(&self.pages, &query.context(tenant), &encode(after)).unwrap_or_default()
    }

    /// Returns where a page begins; fails if the token was not made for this tenant and query.
    pub fn open_page(&self, tenant: TenantId, query: &PageQuery<'_>, token: &str) -> Result<Keyset> {
        let after = open(&self.pages, &query.context(tenant), token).and_then(|body| decode(&body));
        after.ok_or_else(|| {
            Error::invalid("page_token", "is not a token of this list; begin without one, with the same filter and order for every page")
        })
    }

    /// Returns the cursor after a sequence number.
    #[must_use]
    pub fn seal_cursor(&self, tenant: TenantId, seq: Seq) -> String {
        seal(&self.cursors, tenant.0.as_bytes(), &seq.to_be_bytes()).unwrap_or_default()
    }

    /// Returns the sequence number of a cursor, which the client sent in `field`.
    pub fn open_cursor(&self, field: &str, tenant: TenantId, cursor: &str) -> Result<Seq> {
        let body = open(&self.cursors, tenant.0.as_bytes(), cursor);
        let seq = body.and_then(|body| body.try_into().ok()).map(Seq::from_be_bytes);
        seq.ok_or_else(|| Error::invalid(field, "is not a cursor of this tenant"))
    }

    /// Returns a token with which the holder of `key` can open one stream before `until`.
    pub fn seal_stream(&self, key: &KeyId, until: Timestamp) -> Result<String> {
        let nonce = random_hex::<16>()?;
        let body = [&until.micros().to_be_bytes()[..], nonce.as_bytes(), key.as_str().as_bytes()].concat();
        Ok(format!("{STREAM_PREFIX}{}", seal(&self.streams, b"", &body).unwrap_or_default()))
    }

    /// Returns the content of a valid stream token. The store records whether it was used.
    pub fn open_stream(&self, token: &str, now: Timestamp) -> Result<StreamPass> {
        let body = token.strip_prefix(STREAM_PREFIX).and_then(|text| open(&self.streams, b"", text));
        let pass = body.and_then(|body| {
            let (until, rest) = body.split_first_chunk::<8>()?;
            let (nonce, key) = rest.split_at_checked(32)?;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
            Some(StreamPass {
                key: KeyId::parse("token", &text(key)?).ok()?,
                nonce: text(nonce)?,
                until: Timestamp::from_micros(i64::from_be_bytes(*until))?,
            })
        });
        pass.filter(|pass| pass.until > now).ok_or_else(|| {
            Error::unauthenticated(
                "the stream token is invalid or has expired; request a new one, which opens one stream within a minute",
            )
        })
    }
}

impl PageQuery<'_> {
    fn context(&self, tenant: TenantId) -> Vec<u8> {
        let mut context = tenant.0.as_bytes().to_vec();
        for part in [self.operation.name(), self.filter, self.order_by].iter().chain(self.scope) {
            context.extend_from_slice(&(part.len() as u64).to_be_bytes());
            context.extend_from_slice(part.as_bytes());
        }
        context
    }
}

/// Returns a token with this body; `None` if the cipher refuses the key or the body, which it does for no token. The salt
/// is a hash of the content, so that a cursor is the same in every answer.
fn seal(key: &[u8; 32], context: &[u8], body: &[u8]) -> Option<String> {
    let content = [&(context.len() as u64).to_be_bytes()[..], context, body].concat();
    let hash = blake3::keyed_hash(key, &content);
    let salt = hash.as_bytes().first_chunk::<SALT_LENGTH>()?;
    let (cipher, nonce) = cipher(key, salt)?;
    let mut sealed = body.to_vec();
    cipher.seal_in_place_append_tag(nonce, Aad::from(context), &mut sealed).ok()?;
    Some(URL_SAFE_NO_PAD.encode([&salt[..], &sealed].concat()))
}

fn open(key: &[u8; 32], context: &[u8], text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TOKEN_LENGTH {
        return None;
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (salt, sealed) = bytes.split_first_chunk_mut::<SALT_LENGTH>()?;
    let (cipher, nonce) = cipher(key, salt)?;
    Some(cipher.open_in_place(nonce, Aad::from(context), sealed).ok()?.to_vec())
}

/// Returns the cipher of a token. Each salt has its own key, which encrypts one content, so the nonce is constant.
fn cipher(key: &[u8; 32], salt: &[u8; SALT_LENGTH]) -> Option<(LessSafeKey, Nonce)> {
    let key = blake3::derive_key("tessera 2026 key of one token", &[&key[..], salt].concat());
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?);
    Some((key, Nonce::assume_unique_for_key([0; NONCE_LEN])))
}

fn encode(keyset: &Keyset) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (tag, key) = match &keyset.key {
        SortKey::Time(at) => (b't', at.micros().to_be_bytes().to_vec()),
        SortKey::Integer(number) => (b'i', number.to_be_bytes().to_vec()),
        SortKey::Text(text) => (b's', text.as_bytes().to_vec()),
    };
    bytes.push(tag);
    bytes.extend_from_slice(&(key.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&key);
    bytes.extend_from_slice(keyset.id.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Keyset> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (key, id) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    let number = || key.try_into().ok().map(i64::from_be_bytes);
    let key = match tag {
        b't' => SortKey::Time(Timestamp::from_micros(number()?)?),
        b'i' => SortKey::Integer(number()?),
        b's' => SortKey::Text(String::from_utf8(key.to_vec()).ok()?),
        _ => return None,
    };
    Some(Keyset { key, id: String::from_utf8(id.to_vec()).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: char) -> Tokens {
        Tokens::new(&SecretKey::from_text(&secret.to_string().repeat(32)).unwrap())
    }

    fn query<'a>(filter: &'a str, scope: &'a [&'a str]) -> PageQuery<'a> {
        PageQuery { operation: Operation::IssueList, filter, order_by: "", scope }
    }

    #[test]
    fn page_token_is_bound_to_its_query() {
        let (tokens, tenant) = (tokens('a'), TenantId::generate());
        let keys = [
            SortKey::Time(Timestamp::from_micros(-5).unwrap()),
            SortKey::Text("a b\u{e9}".into()),
            SortKey::Integer(i64::MIN),
        ];
        for key in keys {
            let after = Keyset { key, id: "x".into() };
            let token = tokens.seal_page(tenant, &query("status:NEW", &["p"]), &after);
            let open = |tenant, query: PageQuery<'_>| tokens.open_page(tenant, &query, &token);
            assert_eq!(open(tenant, query("status:NEW", &["p"])).unwrap(), after);
            assert!(open(TenantId::generate(), query("status:NEW", &["p"])).is_err());
            assert!(open(tenant, query("status:OLD", &["p"])).is_err());
            assert!(open(tenant, query("status:NEW", &[])).is_err());
            let other = PageQuery { operation: Operation::UserList, ..query("status:NEW", &["p"]) };
            assert!(open(tenant, other).is_err());
        }
    }

    #[test]
    fn forged_and_malformed_page_tokens_are_refused() {
        let (tokens, tenant) = (tokens('a'), TenantId::generate());
        let after = Keyset { key: SortKey::Integer(1), id: "x".into() };
        let forged = self::tokens('b').seal_page(tenant, &query("", &[]), &after);
        let (long, short) = ("A".repeat(5_000), "A".repeat(44));
        for text in ["", "A", "AAAA", "====", "é", &long, &short, &forged] {
            let error = tokens.open_page(tenant, &query("", &[]), text).unwrap_err();
            assert_eq!(error.faults()[0].field, "page_token");
        }
        let token = tokens.seal_page(tenant, &query("", &[]), &after);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for changed in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[changed] ^= 1;
            let text = URL_SAFE_NO_PAD.encode(bytes);
            assert!(tokens.open_page(tenant, &query("", &[]), &text).is_err(), "byte {changed}");
        }
    }

    #[test]
    fn cursor_is_bound_to_its_tenant() {
        let (tokens, tenant) = (tokens('a'), TenantId::generate());
        let cursor = tokens.seal_cursor(tenant, 7);
        assert_eq!(tokens.open_cursor("after", tenant, &cursor).unwrap(), 7);
        assert!(tokens.open_cursor("after", TenantId::generate(), &cursor).is_err());
        assert!(tokens.open_cursor("after", tenant, "7").is_err());
    }

    #[test]
    fn content_of_tokens_is_encrypted() {
        let (tokens, tenant) = (tokens('a'), TenantId::generate());
        let bytes = |seq| URL_SAFE_NO_PAD.decode(tokens.seal_cursor(tenant, seq)).unwrap();
        let (seventh, eighth) = (bytes(7), bytes(8));
        assert_eq!(seventh.len(), SALT_LENGTH + size_of::<Seq>() + CHACHA20_POLY1305.tag_len());
        assert_eq!(bytes(7), seventh, "a cursor is the same in every answer");
        let body = |token: &[u8]| token[SALT_LENGTH..SALT_LENGTH + size_of::<Seq>()].to_vec();
        assert_ne!(body(&seventh), 7_u64.to_be_bytes());
        assert_ne!(body(&seventh)[..7], body(&eighth)[..7]);
    }

    #[test]
    fn stream_token_has_its_key_until_it_expires() {
        let (tokens, key) = (tokens('a'), KeyId::parse("id", "root").unwrap());
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let token = tokens.seal_stream(&key, at(100)).unwrap();
        let pass = tokens.open_stream(&token, at(99)).unwrap();
        assert_eq!((&pass.key, pass.until), (&key, at(100)));
        assert_ne!(pass, tokens.open_stream(&tokens.seal_stream(&key, at(100)).unwrap(), at(0)).unwrap());
        assert!(tokens.open_stream(&token, at(100)).is_err());
        let forged = self::tokens('b').seal_stream(&key, at(100)).unwrap();
        for bad in ["", "tst_", "tst_AAAA", &token[4..], &forged] {
            assert!(tokens.open_stream(bad, at(0)).is_err(), "{bad}");
        }
    }
}
