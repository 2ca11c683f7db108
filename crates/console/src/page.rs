//! The page on which people see whether an address is listed, and take it off. It needs no script, and nothing that others
//! wrote gets on it unescaped.

use core::fmt::Write as _;

use crate::api::{LookedUp, PublicListing, Removal, Way};

/// The frame of the page; `{content}` is what changes.
const FRAME: &str = include_str!("../static/removal.html");

/// Where `{content}` stands in it.
const CONTENT: &str = "{content}";

/// What the page says besides the form.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// What is known of the address.
    LookedUp(&'a LookedUp),
    /// What became of a request.
    Removed(&'a Removal),
    /// What is wrong, and what is known of the address if it is one.
    Fault(&'a str, Option<&'a LookedUp>),
}

/// The whole page.
pub fn render(told: Told<'_>) -> String {
    let mut content = String::new();
    match told {
        Told::LookedUp(known) => look_up(&mut content, known),
        Told::Removed(removal) => removed(&mut content, removal),
        Told::Fault(message, known) => {
            paragraph(&mut content, "fault", message);
            if let Some(known) = known {
                look_up(&mut content, known);
            }
        }
    }
    FRAME.replacen(CONTENT, &content, 1)
}

fn look_up(page: &mut String, known: &LookedUp) {
    let address = escaped(&known.address);
    if known.listings.is_empty() {
        paragraph(page, "good", &format!("{} is on none of our lists.", known.address));
        return;
    }
    put(page, format_args!("<h2>{address} is listed</h2>\n"));
    table(page, &known.listings);
    let has = |way: Way| known.listings.iter().any(|listing| listing.removal == way);
    if has(Way::ReverseName) {
        paragraph(
            page,
            "",
            "A listing for a reverse name ends when the address has a proper one: not none, and not one of a dial-up line. \
             Whoever runs its reverse zone gives it that; nothing else takes it off.",
        );
    }
    if has(Way::Operator) {
        paragraph(page, "", "Some of this ends by the operator of the list alone, or by its time.");
    }
    if has(Way::Proof) {
        prove(page, known);
        button(page, known, &format!("Take {} off", known.address));
    } else if has(Way::ReverseName) {
        button(page, known, "The name is mended: look it up again");
    }
}

fn prove(page: &mut String, known: &LookedUp) {
    if known.is_yours {
        paragraph(page, "", "You come from this address: that is proof enough.");
    } else {
        paragraph(page, "", "Ask from this very address, or put one of these records into its reverse zone first:");
        let records: Vec<String> = known.records.iter().map(|record| escaped(record)).collect();
        put(page, format_args!("<pre>{}</pre>\n", records.join("\n")));
    }
}

fn button(page: &mut String, known: &LookedUp, says: &str) {
    let (address, says) = (escaped(&known.address), escaped(says));
    put(page, format_args!("<form method=\"post\" action=\"?address={address}\"><button>{says}</button></form>\n"));
}

fn removed(page: &mut String, removal: &Removal) {
    for list in &removal.removed {
        paragraph(
            page,
            "good",
            &format!("{} is off {list}. It may take some minutes until everybody sees it.", removal.address),
        );
    }
    if removal.removed.is_empty() && removal.left.is_empty() {
        paragraph(page, "good", &format!("{} is on none of our lists.", removal.address));
    }
    if !removal.left.is_empty() {
        paragraph(page, "", "What still holds it:");
        table(page, &removal.left);
    }
}

fn table(page: &mut String, listings: &[PublicListing]) {
    page.push_str("<table><tr><th>List</th><th>What</th><th>Since</th><th>Until</th><th>Why</th></tr>\n");
    for listing in listings {
        let until = listing.until.as_deref().unwrap_or("it is lifted");
        let cells = [&*listing.list, &listing.subject, &listing.since, until, &listing.reason].map(escaped);
        put(page, format_args!("<tr><td>{}</td></tr>\n", cells.join("</td><td>")));
    }
    page.push_str("</table>\n");
}

fn paragraph(page: &mut String, class: &str, text: &str) {
    put(page, format_args!("<p class=\"{class}\">{}</p>\n", escaped(text)));
}

fn put(page: &mut String, text: core::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes all");
}

/// Text as it stands between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_promised_a_removal_that_only_a_name_can_bring() {
        let page = |removal: Way| {
            let listings = vec![PublicListing {
                subject: "203.0.113.7".to_owned(),
                list: "dyna".to_owned(),
                since: String::new(),
                until: None,
                reason: String::new(),
                removal,
            }];
            let (address, token) = ("203.0.113.7".to_owned(), String::new());
            render(Told::LookedUp(&LookedUp { address, is_yours: true, listings, token, records: Vec::new() }))
        };
        let [proof, name, operator] = [Way::Proof, Way::ReverseName, Way::Operator].map(page);
        assert!(proof.contains("Take 203.0.113.7 off") && !proof.contains("mended"), "{proof}");
        assert!(name.contains("The name is mended") && !name.contains("Take 203.0.113.7 off"), "{name}");
        assert!(!name.contains("proof enough"), "{name}");
        assert!(!operator.contains("action=\"?address="), "{operator}");
    }

    #[test]
    fn nothing_that_others_wrote_becomes_markup() {
        let evil = "<script>alert('&\"')</script>".to_owned();
        let listing = PublicListing {
            subject: evil.clone(),
            list: evil.clone(),
            since: evil.clone(),
            until: Some(evil.clone()),
            reason: evil.clone(),
            removal: Way::Proof,
        };
        let known = LookedUp {
            address: evil.clone(),
            is_yours: false,
            listings: vec![listing.clone()],
            token: evil.clone(),
            records: vec![evil.clone()],
        };
        let removal = Removal { address: evil.clone(), removed: vec![evil.clone()], left: vec![listing] };
        for told in [Told::LookedUp(&known), Told::Removed(&removal), Told::Fault(&evil, Some(&known))] {
            let page = render(told);
            assert!(!page.contains("<script") && !page.contains("alert('"), "{page}");
            assert!(page.contains("&lt;script&gt;") && page.ends_with("</html>\n") && !page.contains(CONTENT));
        }
    }
}
