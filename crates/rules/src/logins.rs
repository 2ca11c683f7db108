//! What a login is called: the forms that one person's login comes in, made one.

use std::borrow::Cow;
use std::collections::HashMap;

use base::CanonicalLogin;

/// Most other names of logins.
pub const ALIASES_MAX: usize = 100_000;

/// How logins are made one. Without any of it a login is what the mail server says, with ASCII letters in lower case.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Logins {
    /// The domain of a login that has none.
    pub default_domain: Option<Box<str>>,
    /// Whether `alice+shop` is `alice`.
    pub drops_tags: bool,
    /// Other names with the logins that they stand for, both whole and in canonical form.
    pub aliases: HashMap<Box<str>, Box<str>>,
}

impl Logins {
    /// The form under which a login is counted, listed and shown. The form of a form is itself, unless an alias says
    /// otherwise: a name that stands for another one stands for no third.
    pub fn canonical<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        let has_tag = self.drops_tags && raw.contains('+');
        if self.default_domain.is_none() && !has_tag && self.aliases.is_empty() {
            return Cow::Borrowed(raw);
        }
        let Some(login) = CanonicalLogin::new(raw) else { return Cow::Borrowed(raw) };
        let (local, domain) = match login.as_str().rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (login.as_str(), None),
        };
        // A tag of nothing but itself is a name.
        let local = match local.split_once('+') {
            Some((name, _)) if self.drops_tags && !name.is_empty() => name,
            _ => local,
        };
        let whole = match domain.or(self.default_domain.as_deref()) {
            Some(domain) => format!("{local}@{domain}"),
            None => local.to_owned(),
        };
        match self.aliases.get(whole.as_str()) {
            Some(login) => Cow::Owned(login.to_string()),
            None => Cow::Owned(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_login() {
        let plain = Logins::default();
        let whole = Logins {
            default_domain: Some("example.org".into()),
            drops_tags: true,
            aliases: [("info@example.org", "alice@example.org"), ("old@a.example", "bob@b.example")]
                .map(|(alias, login)| (alias.into(), login.into()))
                .into(),
        };
        for (raw, of_plain, of_whole) in [
            ("alice", "alice", "alice@example.org"),
            ("ALICE@Example.ORG", "ALICE@Example.ORG", "alice@example.org"),
            ("alice+shop", "alice+shop", "alice@example.org"),
            ("alice+a+b@example.net", "alice+a+b@example.net", "alice@example.net"),
            ("alice@exa+mple.net", "alice@exa+mple.net", "alice@exa+mple.net"),
            ("+shop@example.net", "+shop@example.net", "+shop@example.net"),
            ("Info", "Info", "alice@example.org"),
            ("info+x@example.org", "info+x@example.org", "alice@example.org"),
            ("old@a.example", "old@a.example", "bob@b.example"),
            ("", "", ""),
        ] {
            assert_eq!((&*plain.canonical(raw), &*whole.canonical(raw)), (of_plain, of_whole), "{raw}");
            let once = whole.canonical(raw).into_owned();
            assert_eq!(whole.canonical(&once), once, "{raw}");
        }
    }
}
