//! Where the public suffix of a name begins.
//!
//! A table of the words under which countries register domains, instead of the whole public suffix list: what hangs on it
//! is only which label is the brand of a name, and reverse names stand under few of the list's ten thousand suffixes.

/// Labels under which the registries of many countries register, as `co` in `co.uk`.
const SECOND: &[&str] = &[
    "ac",
    "ad",
    "adv",
    "art",
    "asn",
    "asso",
    "biz",
    "co",
    "com",
    "coop",
    "csiro",
    "ed",
    "edu",
    "eng",
    "firm",
    "gen",
    "go",
    "gob",
    "gop",
    "gos",
    "gouv",
    "gov",
    "govt",
    "gr",
    "hi",
    "id",
    "idv",
    "ind",
    "inf",
    "info",
    "int",
    "iwi",
    "lg",
    "ltd",
    "maori",
    "me",
    "mil",
    "mob",
    "muni",
    "name",
    "ne",
    "net",
    "nhs",
    "nic",
    "nom",
    "nsw",
    "or",
    "org",
    "parliament",
    "pe",
    "plc",
    "police",
    "post",
    "pp",
    "pro",
    "psi",
    "qld",
    "re",
    "red",
    "sa",
    "sch",
    "school",
    "sld",
    "srv",
    "tas",
    "tm",
    "tur",
    "tv",
    "vic",
    "wa",
    "web",
];

/// Countries under which one registers directly, whatever the label.
const FLAT: &[&[u8; 2]] =
    &[b"be", b"bg", b"ch", b"cz", b"de", b"dk", b"ee", b"eu", b"fi", b"ie", b"li", b"lu", b"nl", b"si", b"sk"];

/// Regions under which single countries register: country, labels.
const REGIONS: &[(&str, &[&str])] = &[
    ("ca", &["ab", "bc", "mb", "nb", "nf", "nl", "ns", "nt", "nu", "on", "pe", "qc", "sk", "yk"]),
    (
        "cn",
        &[
            "bj", "cq", "fj", "gd", "gs", "gx", "gz", "ha", "hb", "he", "hk", "hl", "hn", "jl", "js", "ln", "sc", "sd",
            "sh", "sx", "tj", "tw", "yn", "zj",
        ],
    ),
    (
        "jp",
        &[
            "aichi",
            "akita",
            "chiba",
            "fukuoka",
            "gifu",
            "gunma",
            "hiroshima",
            "hyogo",
            "kanagawa",
            "kyoto",
            "nagano",
            "nagoya",
            "niigata",
            "osaka",
            "saitama",
            "shizuoka",
            "tokyo",
        ],
    ),
    (
        "pl",
        &[
            "aid",
            "agro",
            "bialystok",
            "bielawa",
            "bydgoszcz",
            "elk",
            "gda",
            "gdansk",
            "gdynia",
            "gliwice",
            "katowice",
            "krakow",
            "lodz",
            "lublin",
            "miasta",
            "olsztyn",
            "opole",
            "ostroda",
            "poznan",
            "radom",
            "rzeszow",
            "slask",
            "sopot",
            "szczecin",
            "torun",
            "warszawa",
            "waw",
            "wroc",
            "wroclaw",
            "zgora",
        ],
    ),
    ("ru", &["msk", "nov", "nnov", "spb"]),
    (
        "ua",
        &[
            "cherkassy",
            "chernigov",
            "cn",
            "cv",
            "crimea",
            "dn",
            "dnepropetrovsk",
            "donetsk",
            "dp",
            "if",
            "in",
            "kh",
            "kharkov",
            "kherson",
            "kiev",
            "kr",
            "ks",
            "kv",
            "kyiv",
            "lg",
            "lt",
            "lutsk",
            "lviv",
            "mk",
            "nikolaev",
            "od",
            "odesa",
            "odessa",
            "pl",
            "poltava",
            "rivne",
            "rv",
            "sebastopol",
            "sumy",
            "te",
            "ternopil",
            "uz",
            "vinnica",
            "vn",
            "volyn",
            "zp",
            "zt",
        ],
    ),
    (
        "us",
        &[
            "ak", "al", "ar", "az", "ca", "co", "ct", "dc", "de", "fl", "ga", "hi", "ia", "id", "il", "in", "ks", "ky",
            "la", "ma", "md", "me", "mi", "mn", "mo", "ms", "mt", "nc", "nd", "ne", "nh", "nj", "nm", "nv", "ny", "oh",
            "ok", "or", "pa", "ri", "sc", "sd", "tn", "tx", "ut", "va", "vt", "wa", "wi", "wv", "wy",
        ],
    ),
];

/// Where the public suffix begins in a lower-case name: after its last dot but one where the last two labels are a suffix.
pub(super) fn start(name: &[u8]) -> usize {
    let Some(last) = name.iter().rposition(|&byte| byte == b'.') else { return 0 };
    let top = &name[last + 1..];
    let Ok(top) = <&[u8; 2]>::try_from(top) else { return last + 1 };
    if FLAT.contains(&top) {
        return last + 1;
    }
    let second = name[..last].iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
    let label = &name[second..last];
    // Bounded by the longest word, so that a long label costs nothing.
    let is_suffix = label.len() <= 16
        && (SECOND.binary_search_by(|word| word.as_bytes().cmp(label)).is_ok()
            || REGIONS.iter().any(|(country, regions)| {
                country.as_bytes() == top.as_slice() && regions.iter().any(|region| region.as_bytes() == label)
            }));
    if is_suffix { second } else { last + 1 }
}

#[cfg(test)]
mod tests {
    use super::{SECOND, start};

    #[test]
    fn suffixes_are_found() {
        let suffix = |name: &str| name[start(name.as_bytes())..].to_owned();
        let cases = [
            ("a.example.com", "com"),
            ("example.co.uk", "co.uk"),
            ("x.example.ne.jp", "ne.jp"),
            ("x.example.waw.pl", "waw.pl"),
            ("net.example.de", "de"),
            ("x.example.qc.ca", "qc.ca"),
            ("a.qc.de", "de"),
            ("mail.web.de", "de"),
            ("co.uk", "co.uk"),
            ("co.com", "com"),
        ];
        for (name, expected) in cases {
            assert_eq!(suffix(name), expected, "{name}");
        }
    }

    #[test]
    fn the_table_is_sorted_for_its_search() {
        assert!(SECOND.is_sorted());
    }
}
