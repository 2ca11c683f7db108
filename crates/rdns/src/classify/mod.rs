//! What a reverse name says about the host behind it.

use std::fmt;

/// What a reverse name says about the host behind it. A name alone lists nobody; it says which list an abuser goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Made by an access network for whoever holds the address just now: dial-up, DSL, cable, mobile, pools.
    Dynamic,
    /// Made by a machine as well, but for a rented server or a line sold as static or business.
    StaticGeneric,
    /// A name that somebody chose for this host.
    Mailserver,
}

impl Class {
    /// The word by which commands, listings and documents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::StaticGeneric => "static-generic",
            Self::Mailserver => "mailserver",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn classes_are_called_as_the_documents_call_them() {
        let names = [Class::Dynamic, Class::StaticGeneric, Class::Mailserver].map(|class| class.to_string());
        assert_eq!(names, ["dynamic", "static-generic", "mailserver"]);
    }
}
