//! Entries of the journal as `journalctl --output=json` writes them: an object a line, whose values are texts, lists of bytes
//! where they are no text, lists of both where a field stands more than once, and `null` where they are too long.
//! <https://systemd.io/JOURNAL_EXPORT_FORMATS/>

use serde::Deserialize;
use serde_json::Value;

use base::limits::LINE_BYTES_MAX;
use memchr::memmem;

use super::journal::write_line;

/// The fields that are looked at.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime: String,
    #[serde(rename = "_HOSTNAME")]
    host: Option<Value>,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    identifier: Option<Value>,
    #[serde(rename = "_COMM")]
    command: Option<Value>,
    #[serde(rename = "_PID")]
    pid: Option<Value>,
    #[serde(rename = "MESSAGE")]
    message: Option<Value>,
}

/// Writes to `out` what stands in a line that may be an entry of the journal: the line that syslog would have written; nothing of
/// an entry that is broken or has no message; any other line, and one that is too long, as it is.
pub fn write_entry(line: &[u8], out: &mut Vec<u8>) {
    let is_entry = line.starts_with(b"{") && memmem::find(line, b"\"__REALTIME_TIMESTAMP\"").is_some();
    if !is_entry || line.len() >= LINE_BYTES_MAX {
        out.extend_from_slice(line);
        return;
    }
    let Ok(entry) = serde_json::from_slice::<Entry>(line) else { return };
    let (Ok(micros), Some(message)) = (entry.realtime.parse(), entry.message.as_ref().and_then(bytes)) else { return };
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let [host, identifier, command, pid] = [&entry.host, &entry.identifier, &entry.command, &entry.pid].map(text);
    let program = if identifier.is_empty() { command } else { identifier };
    write_line(out, micros, [&host, &program, &pid], &message);
}

/// The value of a field; none of one that stands more than once.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(bytes) => bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
    .filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str) -> String {
        let mut out = Vec::new();
        write_entry(line.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn entries_become_lines() {
        let cases = [
            (
                r#""SYSLOG_IDENTIFIER":"dovecot","_PID":"7","MESSAGE":"imap-login: \"x\"""#,
                r#"dovecot[7]: imap-login: "x""#,
            ),
            (r#""_COMM":"smtpd","MESSAGE":"x""#, "smtpd: x"),
            (r#""SYSLOG_IDENTIFIER":"a b[7]: (c)","MESSAGE":"x""#, "a_b_7____c_: x"),
            (r#""SYSLOG_IDENTIFIER":"a","MESSAGE":"x\nDec  1 00:00:00 mx dovecot: forged""#, "a: x"),
            (r#""SYSLOG_IDENTIFIER":"a","MESSAGE":[120,255,121]"#, "a: x\u{fffd}y"),
            (r#""SYSLOG_IDENTIFIER":["a","b"],"_COMM":"c","MESSAGE":"x""#, "c: x"),
            (r#""SYSLOG_IDENTIFIER":"a","MESSAGE":["x","y"]"#, ""),
            (r#""SYSLOG_IDENTIFIER":"a","MESSAGE":null"#, ""),
            (r#""SYSLOG_IDENTIFIER":"a","MESSAGE":"""#, ""),
            (r#""SYSLOG_IDENTIFIER":"a""#, ""),
            // Neither one of two.
            (r#""SYSLOG_IDENTIFIER":"a","MESSAGE":"x","MESSAGE":"y""#, ""),
        ];
        for (fields, wanted) in cases {
            let line = format!(
                r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795247054120999","_HOSTNAME":"mx",{fields}}}"#
            );
            let wanted =
                if wanted.is_empty() { String::new() } else { format!("2026-11-21T07:44:14.120Z mx {wanted}") };
            assert_eq!(written(&line), wanted, "{fields}");
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let long = format!(r#"{{"__REALTIME_TIMESTAMP":"1","MESSAGE":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
        for line in ["", "Nov 21 07:44:14 mx dovecot: x", r#"{"type":"auth.failed"}"#, &long[..LINE_BYTES_MAX]] {
            assert_eq!(written(line), line);
        }
        // Nothing within an entry is taken for a line.
        assert_eq!(written(r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"x dovecot: auth: y"#), "");
    }
}
