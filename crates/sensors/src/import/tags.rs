//! From Python's regular expressions with fail2ban's tags to Rust's with named parts.

use super::marks::marks;

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

/// Takes the look-aheads `(?!X)` out of an expression that stand in none of its groups: the expression without them, and for
/// each what must not match, which is all before it and X. Where they stand elsewhere, they are left.
pub(super) fn without_lookaheads(text: &str) -> (String, Vec<String>) {
    let (mut out, mut unless) = (String::new(), Vec::new());
    let (mut depth, mut start) = (0u32, 0);
    for (at, mark) in marks(text) {
        if at < start {
            // Of a look-ahead that is out already.
            continue;
        }
        if depth == 0
            && let Some((inside, after)) = text[at..].strip_prefix("(?!").and_then(split_group)
        {
            out.push_str(&text[start..at]);
            unless.push(format!("{out}(?:{inside})"));
            start = text.len() - after.len();
            continue;
        }
        match mark {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            // What stands before is then not all that was matched before.
            _ if depth == 0 => return (text.to_owned(), Vec::new()),
            _ => {}
        }
    }
    out.push_str(&text[start..]);
    (out, unless)
}

/// What stands before the parenthesis that closes the group in which `text` begins, and after it.
fn split_group(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0u32;
    for (at, mark) in marks(text) {
        match mark {
            '(' => depth += 1,
            ')' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
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
    // The bound of a word lets a name follow that only begins like an address.
    let bare = regex.strip_suffix(r"\b").unwrap_or(&regex);
    if bare.ends_with(ADDRESS) || bare.ends_with(ADDRESS_V4) { format!("{bare}{END}") } else { regex }
}

/// The tags that are groups, as groups.
fn groups(text: &str) -> Result<String, String> {
    let mut text = text.replace("<F-PORT/>", r"\d+");
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
        } else if first == '{' {
            length = braces(rest, &mut out);
        } else if first == '}' {
            out.push_str("\\}");
        } else {
            out.push(first);
        }
        rest = &rest[length..];
    }
    Ok(out)
}

/// Rewrites what begins with a brace: a count (`{,3}` is one in Python), or the character itself; how many bytes were read.
fn braces(text: &str, out: &mut String) -> usize {
    let count = text.get(1..).and_then(|rest| rest.split_once('}')).map(|(count, _)| count);
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match count.map(|count| (count, count.split_once(',').unwrap_or((count, "")))) {
        Some((count, (least, most)))
            if count.len() > usize::from(count == ",") && is_number(least) && is_number(most) =>
        {
            out.push('{');
            out.push_str(if least.is_empty() { "0" } else { "" });
            out.push_str(count);
            out.push('}');
            count.len() + 2
        }
        _ => {
            out.push_str("\\{");
            1
        }
    }
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
