use core::net::Ipv4Addr;

use base::Network;
use memchr::memchr;

use super::fault::{Report, Severity, Wrong};
use super::reader::{Options, Source, without_mark};
use super::write::{Form, Layout};

/// A row of a plain list, a CSV or an NDJSON file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlainRow {
    /// The network.
    pub network: Network,
    /// The name of its list, if the file says it.
    pub list: Option<Box<str>>,
    /// What it is answered with, if the file says it.
    pub code: Option<Ipv4Addr>,
    /// When it ends, as the file writes it.
    pub until: Option<Box<str>>,
    /// Why it is listed, if the file says it.
    pub reason: Option<Box<str>>,
}

/// Columns of CSV files and keys of NDJSON ones.
const FIELDS: [&str; 5] = ["network", "list", "code", "until", "reason"];

/// Other names of the column with the network, in files of others.
const NETWORK_NAMES: [&str; 5] = ["ip", "address", "addr", "cidr", "prefix"];

/// Reads a plain list (one network in a line, what is behind it is the reason; `#` and `;` begin comments), a CSV file
/// with a line of titles, or an NDJSON file. None if the form has a reader of its own: see [`super::read`].
pub fn read_plain(form: Form, file: Source<'_>, options: Options) -> Option<Result<Vec<PlainRow>, Report>> {
    if !matches!(form, Form::Plain | Form::Csv | Form::Ndjson) {
        return None;
    }
    let mut report = Report::default();
    let (mut rows, mut columns) = (Vec::new(), None);
    let (mut rest, mut number) = (without_mark(file.bytes), 0);
    while !rest.is_empty() {
        number += 1;
        let end = memchr(b'\n', rest);
        let (line, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind.get(1..).unwrap_or_default();
        if end.is_none() && !options.may_lack_newline {
            let wrong = Wrong::new(line.len(), "the file ends within a line: it may be cut off");
            report.add(Severity::Fault, wrong.place(file.name, number, line));
        }
        let line = line.trim_ascii();
        if line.is_empty() || form != Form::Ndjson && matches!(line[0], b'#' | b';') {
            continue;
        }
        let row = core::str::from_utf8(line).map_err(|error| Wrong::new(error.valid_up_to(), "this is no UTF-8"));
        let row = row.and_then(|line| match form.layout() {
            Layout::Ndjson => json_row(line).map(Some),
            Layout::Csv => csv_row(line, &mut columns),
            Layout::Lines => plain_row(line).map(Some),
        });
        match row {
            Ok(row) => rows.extend(row),
            Err(wrong) => report.add(Severity::Fault, wrong.place(file.name, number, line)),
        }
    }
    if rows.is_empty() && !options.may_be_empty && !report.is_refused() {
        report.refuse(file.name, "there is no entry at all", None);
    }
    Some(if report.is_refused() { Err(report) } else { Ok(rows) })
}

fn network(text: &str, at: usize) -> Result<Network, Wrong> {
    text.parse().map_err(|error: base::NetworkError| Wrong::new(at, error.to_string()))
}

fn plain_row(line: &str) -> Result<PlainRow, Wrong> {
    let (address, behind) = line.split_once([' ', '\t', ',', ';', '#']).unwrap_or((line, ""));
    if matches!(line.as_bytes(), [b'$' | b'!', ..] | [b':', b'0'..=b'9', ..]) {
        let wrong = Wrong::new(0, "this is no address, but a line of a dataset of rbldnsd");
        return Err(wrong.hint("say which one, such as `--format ip4set`"));
    }
    let reason = Some(behind.trim_start_matches([' ', '\t', '#', ';'])).filter(|reason| !reason.is_empty());
    let network = network(address, 0)?;
    Ok(PlainRow { network, list: None, code: None, until: None, reason: reason.map(Into::into) })
}

/// A row from its fields, in the order of [`FIELDS`], with the place of each.
fn row(fields: [Option<(usize, String)>; 5]) -> Result<PlainRow, Wrong> {
    let [address, list, code, until, reason] = fields.map(|field| field.filter(|(_, text)| !text.is_empty()));
    let (at, address) = address.ok_or_else(|| Wrong::new(0, "there is no `network`"))?;
    let code = match code {
        None => None,
        Some((at, text)) => Some(text.parse().map_err(|_| Wrong::new(at, "the code is no IPv4 address"))?),
    };
    let text = |field: Option<(usize, String)>| field.map(|(_, text)| text.into_boxed_str());
    Ok(PlainRow { network: network(&address, at)?, list: text(list), code, until: text(until), reason: text(reason) })
}

/// The first line has the titles.
fn csv_row(line: &str, columns: &mut Option<Vec<Option<usize>>>) -> Result<Option<PlainRow>, Wrong> {
    let fields = csv_fields(line)?;
    let Some(columns) = columns else {
        let title = |(_, title): &(usize, String)| {
            let title = title.trim().to_ascii_lowercase();
            let title = if NETWORK_NAMES.contains(&&*title) { FIELDS[0] } else { &title };
            FIELDS.iter().position(|field| *field == title)
        };
        let found: Vec<_> = fields.iter().map(title).collect();
        if !found.contains(&Some(0)) {
            let wrong = Wrong::new(0, "no column is called `network`");
            return Err(wrong.hint("the first line has the titles: network,list,code,until,reason"));
        }
        *columns = Some(found);
        return Ok(None);
    };
    let mut by_field = [const { None }; 5];
    for (column, field) in columns.iter().zip(fields) {
        if let Some(column) = column {
            by_field[*column] = Some(field);
        }
    }
    row(by_field).map(Some)
}

/// The fields of a line with their places (RFC 4180; no field has a line end in it).
fn csv_fields(line: &str) -> Result<Vec<(usize, String)>, Wrong> {
    let mut fields = Vec::new();
    let (mut rest, mut at) = (line, 0);
    loop {
        let (field, used) = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), end)
            }
            Some(quoted) => {
                let (mut field, mut end) = (String::new(), 0);
                loop {
                    let quote = quoted[end..].find('"').ok_or_else(|| Wrong::new(at, "a quote is not closed"))?;
                    field.push_str(&quoted[end..end + quote]);
                    end += quote + 1;
                    if !quoted[end..].starts_with('"') {
                        break;
                    }
                    field.push('"');
                    end += 1;
                }
                (field, end + 1)
            }
        };
        fields.push((at, field));
        at += used + 1;
        match rest[used..].strip_prefix(',') {
            Some(behind) => rest = behind,
            None if used == rest.len() => return Ok(fields),
            None => return Err(Wrong::new(at - 1, "a comma is wanted behind a quoted field")),
        }
    }
}

fn json_row(line: &str) -> Result<PlainRow, Wrong> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(line).map_err(|error| Wrong::new(error.column().saturating_sub(1), error.to_string()))?;
    let mut by_field = [const { None }; 5];
    for (key, value) in object {
        let key = if NETWORK_NAMES.contains(&&*key) { FIELDS[0] } else { &key };
        let (Some(field), Some(text)) = (FIELDS.iter().position(|field| *field == key), value.as_str()) else {
            continue;
        };
        by_field[field] = Some((0, text.to_owned()));
    }
    row(by_field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: Form, text: &str) -> Result<Vec<String>, String> {
        let source = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
        let rows = read_plain(form, source, Options::default()).unwrap();
        let field = |text: &Option<Box<str>>| text.as_deref().unwrap_or("-").to_owned();
        let show = |row: PlainRow| {
            let code = row.code.map_or_else(|| "-".into(), |code| code.to_string());
            format!("{} {} {code} {} {}", row.network, field(&row.list), field(&row.until), field(&row.reason))
        };
        rows.map(|rows| rows.into_iter().map(show).collect()).map_err(|report| report.faults[0].to_string())
    }

    /// The form, the text, and the rows or the beginning of the fault.
    type Case<'a> = (Form, &'a str, Result<&'a [&'a str], &'a str>);

    #[test]
    fn forms() {
        let cases: [Case<'_>; 18] = [
            (
                Form::Plain,
                "# c\n\n192.0.2.1\n2001:db8::/32 # why\r\n",
                Ok(&["192.0.2.1 - - - -", "2001:db8::/32 - - - why"]),
            ),
            (Form::Plain, "192.0.2.1/24\n", Err("list:1:1: has host bits set; the network is 192.0.2.0/24")),
            (Form::Plain, "192.0.2.1", Err("list:1:10: the file ends within a line")),
            (Form::Plain, "#\n", Err("list: there is no entry at all")),
            (
                Form::Csv,
                "IP,x,reason,list\n192.0.2.1,1,\"a \"\"b\"\", c\",auth\n192.0.2.2\n",
                Ok(&["192.0.2.1 auth - - a \"b\", c", "192.0.2.2 - - - -"]),
            ),
            // As Excel writes it.
            (Form::Csv, "\u{feff}network,reason\r\n192.0.2.1,x\r\n", Ok(&["192.0.2.1 - - - x"])),
            (Form::Plain, "\u{feff}::1\n::ffff:192.0.2.0/120\n", Ok(&["::1 - - - -", "192.0.2.0/24 - - - -"])),
            (Form::Plain, ":127.0.0.2:x\n", Err("list:1:1: this is no address, but a line of a dataset")),
            (Form::Plain, "$SOA 0 a.b c.d 1 1 1 1 1\n", Err("list:1:1: this is no address, but a line of a dataset")),
            (Form::Plain, "!192.0.2.1\n", Err("list:1:1: this is no address, but a line of a dataset")),
            (Form::Plain, ":x\n", Err("list:1:1: is no address")),
            (Form::Csv, "192.0.2.1\n", Err("list:1:1: no column is called `network`")),
            (Form::Csv, "network,reason\n192.0.2.1,\"a\n", Err("list:2:11: a quote is not closed")),
            (Form::Csv, "network,code\n192.0.2.1,x\n", Err("list:2:11: the code is no IPv4 address")),
            (
                Form::Ndjson,
                "{\"network\":\"192.0.2.0/24\",\"code\":\"127.0.0.9\",\"until\":\"2026\",\"n\":1}\n",
                Ok(&["192.0.2.0/24 - 127.0.0.9 2026 -"]),
            ),
            (Form::Ndjson, "{\"list\":\"x\"}\n", Err("list:1:1: there is no `network`")),
            (Form::Ndjson, "{\n", Err("list:1:")),
            (Form::Ndjson, "[]\n", Err("list:1:")),
        ];
        for (form, text, wanted) in cases {
            let got = shown(form, text);
            match wanted {
                Ok(wanted) => assert_eq!(
                    got.as_deref(),
                    Ok(&*wanted.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()),
                    "{text}"
                ),
                Err(wanted) => assert!(got.as_ref().is_err_and(|error| error.starts_with(wanted)), "{text}: {got:?}"),
            }
        }
    }
}
