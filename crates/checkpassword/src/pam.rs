//! What PAM says to a program that `pam_exec` runs (`PAM_TYPE`, `PAM_USER`, `PAM_RHOST`, `PAM_SERVICE`), and what is asked
//! of the gate for it.
//!
//! A stack asks in `auth` before the password is checked, reports a wrong one behind the check (`--failed`), and reports a
//! right one in `account`, which PAM reaches with a right password only.

use std::net::IpAddr;

/// What is wanted of the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Whether the login may go on.
    Check,
    /// The password was right; whether the client may stay.
    Ok,
    /// The password was wrong.
    Failed,
    /// Nothing: the session begins or ends, or a password is changed.
    Nothing,
}

impl Step {
    /// The step of a `PAM_TYPE`.
    pub fn of(pam_type: &[u8], has_failed: bool) -> Self {
        match pam_type {
            b"auth" if has_failed => Self::Failed,
            b"auth" => Self::Check,
            b"account" => Self::Ok,
            _ => Self::Nothing,
        }
    }

    /// The first word of the line to the gate, and the stage.
    pub fn words(self) -> Option<(&'static str, &'static [u8])> {
        match self {
            Self::Check => Some(("check", b"before")),
            Self::Ok => Some(("ok", b"after")),
            Self::Failed => Some(("failed", b"after")),
            Self::Nothing => None,
        }
    }
}

/// The client's address, where PAM has one: it may have a name, which says nothing for sure, or nothing at all.
pub fn address(rhost: &[u8]) -> &[u8] {
    let is_address = core::str::from_utf8(rhost).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    if is_address { rhost } else { b"" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps() {
        for (pam_type, has_failed, wanted) in [
            ("auth", false, Step::Check),
            ("auth", true, Step::Failed),
            ("account", false, Step::Ok),
            ("open_session", false, Step::Nothing),
            ("password", true, Step::Nothing),
            ("", false, Step::Nothing),
        ] {
            assert_eq!(Step::of(pam_type.as_bytes(), has_failed), wanted, "{pam_type}");
        }
    }

    #[test]
    fn names_are_no_addresses() {
        for (rhost, wanted) in
            [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"), ("mail.example", ""), ("", "")]
        {
            assert_eq!(address(rhost.as_bytes()), wanted.as_bytes(), "{rhost}");
        }
    }
}
