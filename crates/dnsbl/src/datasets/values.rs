use core::net::Ipv4Addr;
use std::collections::HashMap;

use super::fault::Wrong;
use super::ip::ip4_value;

/// Longest text of a value, in bytes: what fits into one character string (RFC 1035 section 3.3.14).
pub const TEXT_BYTES_MAX: usize = 255;

/// What a listed entry is answered with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Value {
    /// The A record.
    pub code: Ipv4Addr,
    /// The template of the TXT record; none if it is empty. `$` is the entry, `$$` a dollar sign, `$0` to `$9` are the
    /// file's variables, `$=` is this text in the file's base template.
    pub text: Box<[u8]>,
}

/// A value by its place in [`Values`]; [`EXCLUDED`] is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ValueId(pub u32);

/// What an entry has that is excluded from being listed.
pub const EXCLUDED: ValueId = ValueId(0);

/// The values of a dataset, each once.
#[derive(Clone, Debug, Default)]
pub struct Values {
    all: Vec<Value>,
    ids: HashMap<Value, ValueId>,
}

impl Values {
    /// The number of that value, which is added if it is new.
    pub fn add(&mut self, value: Value) -> ValueId {
        if let Some(id) = self.ids.get(&value) {
            return *id;
        }
        self.all.push(value.clone());
        let id = ValueId(self.all.len() as u32);
        self.ids.insert(value, id);
        id
    }

    /// The value of a number; none for [`EXCLUDED`].
    pub fn get(&self, id: ValueId) -> Option<&Value> {
        self.all.get((id.0 as usize).checked_sub(1)?)
    }

    /// All values; the first one has the number 1.
    pub fn all(&self) -> &[Value] {
        &self.all
    }
}

/// How many values are remembered as they stand in the file.
const RECENT: usize = 32;

/// What entries without a value get, and what was read lately, because a file mostly has few different values.
#[derive(Debug)]
pub(super) struct Defaults {
    value: Value,
    /// Whether any address may be a return code.
    any_code: bool,
    id: Option<ValueId>,
    recent: [(Vec<u8>, ValueId); RECENT],
}

impl Default for Defaults {
    fn default() -> Self {
        Self { value: Value::built_in(), any_code: false, id: None, recent: [const { (Vec::new(), EXCLUDED) }; RECENT] }
    }
}

impl Value {
    /// What rbldnsd answers where a file says nothing.
    pub(super) fn built_in() -> Self {
        Self { code: Ipv4Addr::new(127, 0, 0, 2), text: Box::default() }
    }
}

impl Defaults {
    /// Those of a dataset of clients, whose values are no listings: refusals are 127.255.255.x by custom.
    pub(super) fn of_clients() -> Self {
        Self { any_code: true, ..Self::default() }
    }

    /// The built-in value again.
    pub(super) fn forget(&mut self) {
        *self = Self { any_code: self.any_code, ..Self::default() };
    }

    /// A line that begins with a colon: the value of the entries that follow.
    pub(super) fn set(&mut self, line: &[u8], at: usize) -> Result<(), Wrong> {
        self.forget();
        self.value = parse(line, at, &self.value, self.any_code)?;
        Ok(())
    }

    /// The value of entries that have none.
    pub(super) fn id(&mut self, values: &mut Values) -> ValueId {
        *self.id.get_or_insert_with(|| values.add(self.value.clone()))
    }

    /// The value that stands at `at` in the line, or the default one.
    #[inline]
    pub(super) fn read(&mut self, line: &[u8], at: usize, values: &mut Values) -> Result<ValueId, Wrong> {
        let at = skip_space(line, at);
        if is_over(line, at) {
            return Ok(self.id(values));
        }
        let rest = &line[at..];
        let place = rest.iter().take(24).fold(rest.len(), |sum, byte| sum.wrapping_mul(31) ^ usize::from(*byte));
        let (text, known) = &mut self.recent[place % RECENT];
        if *known != EXCLUDED && *text == rest {
            return Ok(*known);
        }
        let id = values.add(parse(line, at, &self.value, self.any_code)?);
        text.clear();
        text.extend_from_slice(rest);
        *known = id;
        Ok(id)
    }
}

/// Where the white space at `at` ends.
pub(super) fn skip_space(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// Whether nothing but a comment is left.
pub(super) fn is_over(line: &[u8], at: usize) -> bool {
    matches!(line.get(at), None | Some(b'#' | b';'))
}

/// `:A:TXT`, `:A`, `:A:` or `TXT`.
fn parse(line: &[u8], at: usize, default: &Value, any_code: bool) -> Result<Value, Wrong> {
    if line.get(at) != Some(&b':') {
        return Ok(Value { code: default.code, text: cut(&line[at..]) });
    }
    let (code, end) = ip4_value(line, at + 1)
        .map_err(|wrong| wrong.hint("a value is `:127.0.0.2:text`, `:2:text`, `:2` or a text alone"))?;
    let end = skip_space(line, end);
    let code = Ipv4Addr::from_bits(code);
    if !any_code {
        check(code).map_err(|what| Wrong::new(at + 1, what))?;
    }
    if line.get(end) == Some(&b':') {
        let from = skip_space(line, end + 1);
        let text = if is_over(line, from) { Box::default() } else { cut(&line[from..]) };
        return Ok(Value { code, text });
    }
    if is_over(line, end) {
        return Ok(Value { code, text: default.text.clone() });
    }
    Err(Wrong::new(end, "a colon is wanted between the return code and the text"))
}

/// Whether an address may be the return code of a listing (RFC 5782 section 2.3, RFC 6471 section 3.4).
fn check(code: Ipv4Addr) -> Result<(), &'static str> {
    match code.octets() {
        [127, 255, 255, _] => Err("return codes 127.255.255.x say that somebody may not ask"),
        [127, 0, 0, 1] => Err("the return code 127.0.0.1 stands for no listing"),
        [127, ..] => Ok(()),
        _ => Err("return codes are in 127.0.0.0/8"),
    }
}

/// A text's first 255 octets, as DNS takes no more of it.
fn cut(text: &[u8]) -> Box<[u8]> {
    text[..text.len().min(TEXT_BYTES_MAX)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_defaults() {
        let mut values = Values::default();
        let mut defaults = Defaults::default();
        let mut check = |defaults: &mut Defaults, text: &str, wanted: Option<(&str, &str)>| {
            let got = defaults.read(text.as_bytes(), 0, &mut values).ok().map(|id| values.get(id).unwrap().clone());
            let got = got.map(|value| (value.code.to_string(), String::from_utf8(value.text.into()).unwrap()));
            assert_eq!(got.as_ref().map(|(code, text)| (code.as_str(), text.as_str())), wanted, "{text}");
        };
        check(&mut defaults, "", Some(("127.0.0.2", "")));
        check(&mut defaults, " # comment", Some(("127.0.0.2", "")));
        check(&mut defaults, "text # of it", Some(("127.0.0.2", "text # of it")));
        defaults.set(b":127.0.0.5: default $", 0).unwrap();
        check(&mut defaults, "", Some(("127.0.0.5", "default $")));
        check(&mut defaults, " own", Some(("127.0.0.5", "own")));
        check(&mut defaults, ":6", Some(("127.0.0.6", "default $")));
        check(&mut defaults, ":6 ; comment", Some(("127.0.0.6", "default $")));
        check(&mut defaults, ":6:", Some(("127.0.0.6", "")));
        check(&mut defaults, ":6:#c", Some(("127.0.0.6", "")));
        check(&mut defaults, ":6: own: x", Some(("127.0.0.6", "own: x")));
        check(&mut defaults, ":0:", None);
        check(&mut defaults, ":x:", None);
        check(&mut defaults, ":6 x", None);
        check(&mut defaults, ":127.255.255.254:x", None);
        check(&mut defaults, ":1:x", None);
        check(&mut defaults, ":192.0.2.1:x", None);
        check(&mut Defaults::of_clients(), ":127.255.255.254:x", Some(("127.255.255.254", "x")));
        defaults.set(b":7", 0).unwrap();
        check(&mut defaults, "", Some(("127.0.0.7", "")));
        assert_eq!(values.get(EXCLUDED), None);
    }
}
