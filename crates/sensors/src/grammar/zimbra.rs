//! Zimbra's `mailbox.log` and `audit.log`.
//!
//! ```text
//! INFO  [THREAD] [name=LOGIN;oip=ADDRESS;port=52016;ua=AGENT;soapId=…;] SoapEngine - handler exception: authentication failed for [LOGIN], invalid password
//! WARN  [THREAD] [name=LOGIN;oip=ADDRESS;ua=AGENT;] security - cmd=Auth; account=LOGIN; protocol=soap; error=authentication failed for [LOGIN], invalid password;
//! INFO  [THREAD] [name=LOGIN;ip=…;oip=ADDRESS;] security - cmd=Auth; account=LOGIN; protocol=imap;
//! ```
//!
//! The login and the browser's name are the client's and stand on both sides of the address: only a line with one
//! `oip=` is beyond doubt.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, find_byte, rsplit, split, split_only};

pub(super) const ZIMBRA: Lines =
    Lines { name: "zimbra", aliases: &[], service: "zimbra", speaks: |_| false, hinted: Hinted::Bare, told };

fn told(text: &str) -> Option<Told<'_>> {
    let (before, rest) = split_only(text, "oip=")?;
    if !before.ends_with([';', '[']) {
        return None;
    }
    let client = rest.get(..find_byte(rest, b';')?)?;
    if let Some((_, what)) = rsplit(rest, "authentication failed for [") {
        let (login, _) = rsplit(what, "], ")?;
        let is_known = contains(rest, "] SoapEngine - ") || contains(rest, "] security - cmd=Auth; ");
        return is_known.then(|| Some(Told::new(LoginFailed, address(client)?).by(login)))?;
    }
    let (_, what) = split(rest, "] security - cmd=Auth; account=")?;
    if contains(what, "error=") {
        return None;
    }
    let (login, _) = split(what, "; protocol=")?;
    Some(Told::new(LoginOk, address(client)?).by(login))
}
