//! From Python's regular expressions with fail2ban's tags to Rust's with named parts.

/// What stands for an address, where what follows cannot belong to it.
const ADDRESS: &str = "(?P<address>[0-9A-Fa-f:.]+)";

/// What stands for one where a colon or dot follows: IPv4 alone.
const ADDRESS_V4: &str = r"(?P<address>\d+\.\d+\.\d+\.\d+)";

/// What ends an address that is the last of an expression, so that it is not the beginning of a name.
const END: &str = r"(?:[\s,;)\]>'\x22]|$)";

/// Tags that mean something only together with other lines.
const OF_SEVERAL_LINES: [&str; 4] = ["<F-NOFAIL>", "<F-MLFGAINED>", "<SKIPLINES>", "<F-MULTILINE"];

/// Translates an expression of which the prefix is already off.
pub(super) fn translate(text: &str) -> Result<String, String> {
    let text = &["(?:(?:IPv6:)?<IP6>|<IP4>)", "(?:IPv6:<IP6>|<IP4>)"]
        .iter()
        .fold(text.to_owned(), |text, both| text.replace(both, "(?:IPv6:)?<ADDR>"));
    for tag in OF_SEVERAL_LINES {
        if text.contains(tag) {
            return Err(format!("{tag} counts only together with other lines"));
        }
    }
    let hosts: usize = ["<HOST>", "<ADDR>", "<IP4>", "<IP6>"].iter().map(|tag| text.matches(tag).count()).sum();
    if hosts > 1 {
        return Err("it names more than one address".to_owned());
    }
    for tag in ["<DNS>", "<CIDR>", "<SUBNET>"] {
        if text.contains(tag) {
            return Err(format!("{tag} is no single address"));
        }
    }
    if hosts == 0 && !text.contains("<F-USER>") {
        let why =
            if text.contains("<F-ID>") { "<F-ID> counts something else than an address" } else { "it names nobody" };
        return Err(why.to_owned());
    }
    expression(&groups(text)?, true)
}

/// Translates an expression without tags.
pub(super) fn plain(text: &str) -> Result<String, String> {
    let text = ["<HOST>", "<ADDR>", "<IP4>", "<IP6>"]
        .iter()
        .fold(text.to_owned(), |text, tag| text.replace(tag, "[0-9A-Fa-f:.]+"));
    expression(&groups(&text)?.replace("(?P<login>", "(?:"), false)
}

/// The expression with an end for an address that is the last of it.
pub(super) fn bounded(regex: String) -> String {
    if regex.ends_with(ADDRESS) || regex.ends_with(ADDRESS_V4) { format!("{regex}{END}") } else { regex }
}

/// The tags that are groups, as groups.
fn groups(text: &str) -> Result<String, String> {
    let mut text = text.to_owned();
    let login = if text.contains("<F-USER>") { "F-USER" } else { "F-ALT_USER" };
    let mut has_login = false;
    while let Some(start) = text.find("<F-").or_else(|| text.find("</F-")) {
        let end = text[start..].find('>').map(|end| start + end + 1).ok_or("a tag without end")?;
        let name = text[start..end].trim_matches(['<', '>']).to_owned();
        let new = if name.starts_with('/') {
            ")"
        } else if name == login && !has_login {
            has_login = true;
            "(?P<login>"
        } else {
            "(?:"
        };
        text.replace_range(start..end, new);
    }
    Ok(text)
}

/// Rewrites what the two languages write differently.
fn expression(text: &str, with_address: bool) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    let mut is_class = false;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if first == '\\' {
            let next = rest[1..].chars().next().ok_or("a backslash at the end")?;
            length += next.len_utf8();
            match next {
                // In Python plain characters; in Rust the bounds of a word.
                '<' | '>' => out.push(next),
                'Z' => out.push_str("\\z"),
                '1'..='9' if !is_class => return Err("a backreference cannot be matched in linear time".to_owned()),
                _ => out.push_str(&rest[..length]),
            }
        } else if is_class {
            match first {
                '[' => out.push_str("\\["),
                '&' | '~' => out.extend(['\\', first]),
                _ => out.push(first),
            }
            is_class = first != ']';
        } else if first == '[' {
            is_class = true;
            out.push('[');
            // A closing bracket that comes first is one of the class.
            let open = rest[1..].strip_prefix('^').map_or(1, |_| 2);
            out.push_str(&rest[1..open]);
            length = open;
            if rest[open..].starts_with(']') {
                out.push_str("\\]");
                length += 1;
            }
        } else if let Some(tag) = ["<HOST>", "<ADDR>", "<IP4>", "<IP6>"].iter().find(|tag| rest.starts_with(**tag)) {
            if !with_address {
                return Err(format!("{tag} does not belong there"));
            }
            length = tag.len();
            // What older filters write around it for IPv4 in IPv6.
            if out.ends_with("(?:::f{4,6}:)?") {
                out.truncate(out.len() - "(?:::f{4,6}:)?".len());
            }
            let follows = rest[length..].trim_start_matches("(?:");
            let is_v4 = [":", "\\.", "\\:", "\\d"].iter().any(|mark| follows.starts_with(mark));
            out.push_str(if is_v4 { ADDRESS_V4 } else { ADDRESS });
        } else if let Some(group) = rest.strip_prefix("(?") {
            length = group_start(group, &mut out)? + 2;
        } else {
            out.push(first);
        }
        rest = &rest[length..];
    }
    Ok(out)
}

/// Rewrites the beginning of a group behind `(?`; how many bytes of it were read.
fn group_start(group: &str, out: &mut String) -> Result<usize, String> {
    for mark in ["=", "!", "<=", "<!"] {
        if group.starts_with(mark) {
            return Err(format!("a look-around `(?{mark}…)` cannot be matched in linear time"));
        }
    }
    if group.starts_with('(') || group.starts_with("P=") {
        return Err("a reference to another group cannot be matched in linear time".to_owned());
    }
    if group.starts_with("P<login>") {
        out.push_str("(?P<login>");
        return Ok("P<login>".len());
    }
    if group.starts_with("P<") {
        let end = group.find('>').ok_or("a group without name")?;
        out.push_str("(?:");
        return Ok(end + 1);
    }
    out.push_str("(?");
    Ok(0)
}
