use super::values::ValueId;

/// What a client may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// It gets no answer at all.
    Ignore,
    /// It gets REFUSED.
    Refuse,
    /// It is told that nothing is listed.
    Empty,
    /// It is answered as everybody else.
    Pass,
    /// It is told that everything is listed, with this value.
    Listed(ValueId),
}

/// One network of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessRule {
    /// The network; IPv4 in its mapped form, so that its length is from 96 on.
    pub base: u128,
    /// The prefix length, from 0 to 128.
    pub length: u8,
    /// What its clients may do.
    pub access: Access,
}

impl Access {
    /// The action of a keyword.
    pub(super) fn from_keyword(word: &[u8]) -> Option<Self> {
        let words: [(&[u8], Self); 5] = [
            (b"ignore", Self::Ignore),
            (b"blackhole", Self::Ignore),
            (b"refuse", Self::Refuse),
            (b"empty", Self::Empty),
            (b"pass", Self::Pass),
        ];
        words.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, access)| access)
    }
}
