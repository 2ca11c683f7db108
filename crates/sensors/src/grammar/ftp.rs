//! The smaller FTP servers.
//!
//! ```text
//! pure-ftpd:  (?@ADDRESS) [WARNING] Authentication failed for user [LOGIN]
//! pure-ftpd:  (?@ADDRESS) [INFO] LOGIN is now logged in
//! wu-ftpd:    failed login from NAME [ADDRESS]
//! ftpd:       repeated login failures from ADDRESS (NAME)
//! ```
//!
//! What stands before the address is the server's, or a reverse name, which holds neither space nor bracket.

use base::EventKind::{LoginFailed, LoginOk, ProtocolAbuse};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, named, rsplit_byte, split, word};

pub(super) const PURE_FTPD: Lines = Lines {
    name: "pure-ftpd",
    aliases: &["pureftpd"],
    service: "ftp",
    speaks: |program| program == "pure-ftpd",
    hinted: Hinted::Nothing,
    told: pure,
};

pub(super) const WU_FTPD: Lines = Lines {
    name: "wu-ftpd",
    aliases: &["wuftpd"],
    service: "ftp",
    speaks: |program| program == "wu-ftpd",
    hinted: Hinted::Nothing,
    told: |text| Some(Told::new(LoginFailed, named(text.trim_ascii_start().strip_prefix("failed login from ")?)?.0)),
};

pub(super) const GSS_FTPD: Lines = Lines {
    name: "gssftpd",
    aliases: &["ftpd"],
    service: "ftp",
    speaks: |program| program == "ftpd",
    hinted: Hinted::Nothing,
    told: |text| {
        // inetutils and BSD: `FTP LOGIN FAILED FROM ADDRESS, LOGIN`.
        let refusals = ["FTP LOGIN FAILED FROM ", "FTP LOGIN REFUSED FROM "];
        if let Some(rest) = refusals.iter().find_map(|refusal| text.strip_prefix(refusal)) {
            let (client, login) = split(rest, ", ").unwrap_or((rest, ""));
            return Some(Told::new(LoginFailed, address(client)?).by(login));
        }
        let (client, rest) = word(text.strip_prefix("repeated login failures from ")?);
        rest.starts_with('(').then(|| Some(Told::new(LoginFailed, address(client)?)))?
    },
};

fn pure(text: &str) -> Option<Told<'_>> {
    /// What stands before the login in the languages Pure-FTPd is built for.
    const REFUSALS: &[&str] = &[
        "Authentication failed for user [",
        "Authentifizierung fehlgeschlagen für Benutzer [",
        "Autentificación fallida para el usuario [",
        "Erreur d'authentification pour l'utilisateur [",
        "Autenticazione falita per l'utente [",
        "Autorisatie faalde voor gebruiker [",
        "Autenticação falhou para usuário [",
        "Autentificare esuata pentru utilizatorul [",
        "Autentifikace uživatele selhala [",
        "Autentyfikacja nie powiodła się dla użytkownika [",
        "Autentifikacia uzivatela zlyhala [",
        "Behörighetskontroll misslyckas för användare [",
        "Godkendelse mislykkedes for [",
        "Godkjennelse mislyktes for [",
        "Azonosítás sikertelen [",
        "Авторизация не удалась пользователю [",
        "使用者[",
        "用户[",
        "妏蚚氪[",
    ];
    let (client, rest) = split(text.strip_prefix('(')?, ") [")?;
    let (user, client) = rsplit_byte(client, b'@')?;
    let client = address(client)?;
    if let Some(rest) = rest.strip_prefix("WARNING] ") {
        // In French, Turkish and Korean the login comes first, and no other warning begins so.
        let inside =
            REFUSALS.iter().find_map(|refusal| rest.strip_prefix(refusal)).or_else(|| rest.strip_prefix('['))?;
        let login = rsplit_byte(inside, b']').map_or(inside, |(login, _)| login);
        return Some(Told::new(LoginFailed, client).by(login));
    }
    if rest == "ERROR] Too many authentication failures" {
        return Some(Told::new(ProtocolAbuse, client));
    }
    let login = rest.strip_prefix("INFO] ")?.strip_suffix(" is now logged in")?;
    // Who has logged in already may say anything.
    (user == "?").then(|| Told::new(LoginOk, client).by(login))
}
