//! The kernel's audit log about logins (`SELinux` systems): sshd, and any other program that asks PAM.
//!
//! ```text
//! type=USER_AUTH msg=audit(1383116263.000:603): pid=… msg='op=password acct="dan" exe="/usr/sbin/sshd" hostname=? addr=ADDRESS terminal=ssh res=failed'
//! ```
//!
//! The account is the client's text; the audit library writes it in hexadecimal digits if it holds a space or a quote. So
//! there is one ` addr=`, and a line with more is passed over. `USER_LOGIN` repeats what `USER_AUTH` said.

use base::EventKind::LoginFailed;

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, split, split_only, word};

pub(super) const AUDIT: Lines = Lines {
    name: "audit",
    aliases: &["selinux", "auditd"],
    service: "ssh",
    speaks: |program| matches!(program, "audispd" | "audit"),
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let kind = text.strip_prefix("type=").unwrap_or(text);
    if !(kind.starts_with("USER_AUTH ") || kind.starts_with("USER_ERR ")) {
        return None;
    }
    let (_, rest) = split(kind, " msg='op=")?;
    let (before, rest) = split_only(rest.strip_suffix(" res=failed'")?, " addr=")?;
    let (client, _) = word(rest);
    let (_, account) = split(before, " acct=")?;
    let login = account.strip_prefix('"').and_then(|account| split(account, "\" exe=")).map_or("", |(login, _)| login);
    Some(Told::new(LoginFailed, address(client)?).by(login).without("?"))
}
