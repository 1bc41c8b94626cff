//! Tokens of JSON.

use std::borrow::Cow;

use serde_core::de::{Error as _, Expected, Unexpected};

use super::Error;

/// The deepest nesting of arrays and objects.
const MAX_DEPTH: u8 = 128;

/// Reads a text from its beginning to its end.
pub(super) struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
}

impl<'de> Reader<'de> {
    /// Begins a text.
    pub(super) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space and returns the next byte without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    pub(super) fn syntax(&self, expected: &str) -> Error {
        Error(format!("{expected} is expected at byte {}", self.at))
    }

    /// Takes a byte if it is the next one.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, name: &str) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.syntax(name)) }
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.syntax(word))
    }

    fn slice(&self, from: usize) -> &'de str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Error("the JSON is nested too deep".to_owned())) } else { Ok(()) }
    }

    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, Error> {
        self.expect(b'"', "a string")?;
        let mut text = String::new();
        let mut from = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let last = self.slice(from);
                    self.at += 1;
                    if text.is_empty() {
                        return Ok(Cow::Borrowed(last));
                    }
                    text.push_str(last);
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    text.push_str(self.slice(from));
                    self.at += 1;
                    text.push(self.escape()?);
                    from = self.at;
                }
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return Err(self.syntax("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.byte();
        self.at += 1;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) {
                    self.word("\\u")?;
                    let low = self.hex()?;
                    // Anything but a low surrogate becomes a number that is no character.
                    code = if (0xdc00..0xe000).contains(&low) {
                        0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00)
                    } else {
                        u32::MAX
                    };
                }
                char::from_u32(code).ok_or_else(|| self.syntax("an escaped character"))?
            }
            _ => return Err(self.syntax("an escaped character")),
        })
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.syntax("a hexadecimal digit"))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> Result<(), Error> {
        let from = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.syntax("a digit")) } else { Ok(()) }
    }

    /// Returns a number's text, and whether it is an integer.
    pub(super) fn number(&mut self) -> Result<(&'de str, bool), Error> {
        let from = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.byte() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok((self.slice(from), integer))
    }

    /// Skips a value.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'[') => {
                let mut items = self.items(b'[', b']')?;
                while items.next()? {
                    items.reader.skip()?;
                }
                Ok(())
            }
            Some(b'{') => {
                let mut items = self.items(b'{', b'}')?;
                while items.next()? {
                    items.reader.string()?;
                    items.reader.expect(b':', "a colon")?;
                    items.reader.skip()?;
                }
                Ok(())
            }
            _ => self.number().map(drop),
        }
    }

    pub(super) fn items(&mut self, open: u8, close: u8) -> Result<Items<'_, 'de>, Error> {
        self.expect(open, if open == b'[' { "an array" } else { "an object" })?;
        self.deeper()?;
        Ok(Items { reader: self, close, first: true, ended: false })
    }

    /// Error of a value that is of another type than the visitor wants.
    pub(super) fn mismatch(&mut self, expected: &dyn Expected) -> Error {
        let found = match self.peek() {
            Some(b'"') => match self.string() {
                Ok(text) => return Error::invalid_type(Unexpected::Str(&text), expected),
                Err(error) => return error,
            },
            Some(b't') => Unexpected::Bool(true),
            Some(b'f') => Unexpected::Bool(false),
            Some(b'n') => Unexpected::Unit,
            Some(b'[') => Unexpected::Seq,
            Some(b'{') => Unexpected::Map,
            Some(b'-' | b'0'..=b'9') => match self.number() {
                Ok((text, _)) => Unexpected::Other(text),
                Err(error) => return error,
            },
            _ => return self.syntax("a value"),
        };
        Error::invalid_type(found, expected)
    }

    /// Returns the text of the next number if it is an integer.
    pub(super) fn integer(&mut self, expected: &dyn Expected) -> Result<&'de str, Error> {
        if let Some(b'-' | b'0'..=b'9') = self.peek() {
            return match self.number()? {
                (text, true) => Ok(text),
                (text, false) => Err(Error::invalid_type(Unexpected::Other(text), expected)),
            };
        }
        Err(self.mismatch(expected))
    }
}

/// Items of an array, or members of an object.
pub(super) struct Items<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    close: u8,
    first: bool,
    ended: bool,
}

impl Items<'_, '_> {
    /// Moves to the next item and returns whether there is one. Takes the end of the list.
    pub(super) fn next(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        if self.reader.take(self.close) {
            self.reader.depth -= 1;
            self.ended = true;
            return Ok(false);
        }
        if !self.first {
            self.reader.expect(b',', "a comma or the end of the list")?;
            if self.reader.peek() == Some(self.close) {
                return Err(self.reader.syntax("a value after the comma"));
            }
        }
        self.first = false;
        Ok(true)
    }

    /// Takes the end of the list; fails if there are more items.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if self.next()? { Err(self.reader.syntax("the end of the list")) } else { Ok(()) }
    }
}
