//! The table of passwords, each with its verdict by either profile for alice@example.org. Its first rows are those that were
//! measured beside cracklib and zxcvbn: where either of them is alone mistaken, both together are not.

use crate::{About, Fault, Profile, Words, judge};

/// A verdict in a letter: `.` good, `s` short, `k` one kind of characters, `f` few different ones, `w` a word, `o` its owner, `a` an address or number, `g` guessable, `c`
/// holds what cannot be typed.
fn letters(faults: &[Fault]) -> String {
    let letter = |fault: &Fault| match fault {
        Fault::Short { .. } => 's',
        Fault::Long => 'l',
        Fault::Control => 'c',
        Fault::OneKind => 'k',
        Fault::Few => 'f',
        Fault::Word(_) => 'w',
        Fault::Owner => 'o',
        Fault::Known(_) => 'a',
        Fault::Stolen => 'x',
        Fault::Guessable(_) => 'g',
    };
    if faults.is_empty() { ".".to_owned() } else { faults.iter().map(letter).collect() }
}

/// Password, verdict by `mail`, by `nist`, score of zxcvbn.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &str, u8)] = &[
    ("correcthorsebattery", "k", ".", 4),
    ("Passw0rd1234", "w", "sw", 1),
    ("qwertyuiop12", "w", "sw", 1),
    ("dragondragon", "kw", "sw", 0),
    ("abcdefghijkl", "kg", "s", 0),
    ("aaaaaaaaaaaa", "kfg", "sf", 0),
    ("letmeinletmein", "kw", "sw", 0),
    ("iloveyou1234", "w", "sw", 1),
    ("Welcome12345", "w", "sw", 1),
    ("P@ssw0rd2024!", "w", "sw", 2),
    ("Vq7-mLx2-Rp9c", ".", "s", 4),
    ("zebra lamp orbit quiz", ".", ".", 4),
    ("short1A!", "s", "s", 1),
    ("password", "skw", "sw", 0),
    ("Password1", "sw", "sw", 0),
    ("passwordpassword", "kw", "w", 0),
    ("PasswordPassword1", "w", "w", 1),
    ("123456789012", "kg", "s", 1),
    ("1234567890123456", "kg", "g", 1),
    ("qwertyuiopasdfgh", "kg", "g", 1),
    ("1qaz2wsx3edc4rfv", "g", "g", 1),
    ("zaq12wsxcde34rfv", "g", "g", 2),
    ("Sommer2024!!", "w", "sw", 3),
    ("Summer2025!!", "w", "sw", 3),
    ("Winter2025!!!", "w", "sw", 3),
    ("January2026!", "w", "sw", 2),
    ("sunshine2024", "w", "sw", 1),
    ("Sunshine!2024", "w", "sw", 2),
    ("princess12345", "w", "sw", 1),
    ("football2025!", "w", "sw", 2),
    ("Liverpool1892", "w", "sw", 2),
    ("charlie123456", "w", "sw", 1),
    ("superman12345", "w", "sw", 1),
    ("trustno1trustno1", "g", "g", 0),
    ("monkeymonkey1", "w", "sw", 1),
    ("baseball!!!!", "w", "sw", 1),
    ("Passwort1234", "w", "sw", 1),
    ("passwort123!", "w", "sw", 2),
    ("hallo1234567", "w", "sw", 1),
    ("changeme1234", "w", "sw", 1),
    ("Changeme!2025", "w", "sw", 3),
    ("admin1234567", "w", "sw", 1),
    ("administrator", "kw", "sw", 1),
    ("Administrator1", "w", "sw", 1),
    ("alice1234567", "o", "so", 1),
    ("alice.example", "o", "so", 3),
    ("alicealice99", "o", "so", 1),
    ("example.org2025", "o", "o", 3),
    ("Alice2025!!!", "o", "so", 3),
    ("secret123456", "w", "sw", 1),
    ("webmail12345", "w", "sw", 3),
    ("postmaster2025", "w", "sw", 1),
    ("abcabcabcabc", "kfw", "sfw", 0),
    ("abc123abc123", "g", "s", 0),
    ("ababababababab", "kfg", "sf", 0),
    ("111111111111", "kfg", "sf", 0),
    ("000000000000", "kfg", "sf", 0),
    ("112233445566", "kg", "s", 1),
    ("123123123123", "kfg", "sf", 0),
    ("987654321098", "kg", "s", 1),
    ("13579246801357", "kg", "s", 1),
    ("2025-11-21-2025", ".", ".", 3),
    ("01/02/1990!!", "g", "s", 2),
    ("20240101202401", "kf", "sf", 3),
    ("asdfghjklasdf", "kg", "s", 1),
    ("asdfasdfasdf", "kfw", "sfw", 0),
    ("zxcvbnm12345", "w", "sw", 1),
    ("qazwsxedcrfv", "kg", "s", 1),
    ("poiuytrewq12", "w", "sw", 1),
    ("!@#$%^&*()_+", "kg", "s", 1),
    ("drowssap2025", "w", "sw", 1),
    ("nogardnogard", "kw", "sw", 0),
    ("P4$$w0rd!!!!", "w", "sw", 1),
    ("5unsh1ne2025", "w", "sw", 1),
    ("m0nkey!m0nkey", "w", "sw", 3),
    ("Dr@g0n123456", "w", "sw", 1),
    ("W3lc0me!2025", "w", "sw", 3),
    ("il0veY0u!!!!", "w", "sw", 1),
    ("computer2025", "w", "sw", 1),
    ("internet1234", "w", "sw", 1),
    ("thunder12345", "w", "sw", 1),
    ("butterfly!!!", "w", "sw", 1),
    ("chocolate123", "w", "sw", 1),
    ("elephant", "sk", "s", 0),
    ("correct horse battery staple", ".", ".", 4),
    ("correct-horse-battery", ".", ".", 4),
    ("horse battery staple", ".", ".", 4),
    ("tavern quilt mango river", ".", ".", 4),
    ("plum tundra oboe kettle", ".", ".", 4),
    ("Gravel-Otter-Violin-9", ".", ".", 4),
    ("my cat eats blue paper", ".", ".", 4),
    ("blue paper cat", ".", "s", 4),
    ("The rain in Spain 1999", ".", ".", 4),
    ("to be or not to be", ".", ".", 4),
    ("four score and seven", ".", ".", 4),
    ("k8Fz-Q2mw-Xt5r", ".", "s", 4),
    ("Xk9#mQ2$vL7p", ".", "s", 4),
    ("hT6vB2nQ8wYz", ".", "s", 4),
    ("jfkwpqmzntyr", "k", "s", 4),
    ("jfkwpqmzntyrbd", "k", "s", 4),
    ("7391-8264-5038-1", ".", ".", 4),
    ("4862019375284", "k", "s", 4),
    ("ÄpfelÜberÖl2x", ".", "s", 4),
    ("日本語のパスワードです", "sk", "s", 4),
    ("пароль-корова-дом", ".", ".", 4),
    ("müde kuh tanzt leise", ".", ".", 4),
    ("naïve café résumé 42", ".", ".", 4),
    ("Tr0ub4dor&3", "s", "s", 4),
    ("Tr0ub4dor&3-xkcd", ".", ".", 4),
    ("onetwothreefour", "kg", "g", 2),
    ("OneTwoThree456", ".", "s", 3),
    ("letmein!letmein!", "w", "w", 1),
    ("openSesame!!42", ".", "s", 3),
    ("OpenTheDoor!Now7", ".", ".", 4),
    ("gandalf-the-grey", ".", ".", 4),
    ("maryhadalittlelamb", "k", ".", 4),
    ("ihateMondays!99", ".", ".", 4),
    ("Manchester1878", "w", "sw", 2),
    ("mypassword1234", "w", "sw", 1),
    ("thisismypassword", "k", ".", 3),
    ("qwerty123456!", "w", "sw", 1),
    ("Qwerty!Qwerty!", "w", "sw", 1),
    ("aB3$aB3$aB3$", "fg", "sf", 1),
    ("xxxxxXXXXX11", "f", "sf", 3),
    ("tab\tinside the text", "c", "c", 4),
    ("bob.smith@example.net", "a", "a", 4),
    ("Bob.Smith@example.net1", "a", "a", 4),
    ("imap.provider-one.com", "a", "a", 4),
    ("https://www.provider-one.com/", "a", "a", 4),
    ("+49 30 90185429", "a", "a", 4),
    ("info@mail.example.com", "a", "a", 4),
    ("0170 7391826", "a", "sa", 4),
    ("we.saw.purple.monkeys.near.us", ".", ".", 4),
    ("der.hund.lief.in.den.garten.um", ".", ".", 4),
    ("www.zebra.lampe.gurke.tisch", ".", ".", 4),
    ("rabbit.drives.tractor@midnight.snack", ".", ".", 4),
    ("q7f-zk2m.x9vb-pl3w.kd", ".", ".", 4),
    ("v9kq2@xw7h3m.tzpqk", ".", ".", 4),
    ("0147-2583-6914-70", ".", ".", 4),
    ("9vK2pX", "s", "s", 1),
    ("wq-9", "sf", "sf", 1),
    ("r7Tq zp4M hh2W", ".", "s", 4),
];

#[test]
fn each_password_has_its_verdict() {
    let words = Words::embedded();
    let mut wrong = Vec::new();
    for &(password, mail, nist, score) in TABLE {
        let by = |profile| judge(password, &About { profile, about: &["alice@example.org"], words: &words });
        let (by_mail, by_nist) = (by(Profile::Mail), by(Profile::Nist));
        let found = (password, letters(&by_mail.faults), letters(&by_nist.faults), by_mail.score);
        if (found.1.as_str(), found.2.as_str(), found.3) != (mail, nist, score) {
            wrong.push(format!("{found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_password_is_never_too_long_to_be_judged() {
    let words = Words::embedded();
    let about = About { profile: Profile::Mail, about: &[], words: &words };
    assert_eq!(judge(&"long words ".repeat(100_000), &about).faults, [Fault::Long]);
    let longest: String = ('a'..='z').cycle().take(crate::PASSWORD_CHARS_MAX).collect();
    assert!(!judge(&longest, &about).faults.contains(&Fault::Long));
}

#[test]
fn faults_are_sentences() {
    let verdict = judge("short", &About { profile: Profile::Nist, about: &[], words: &Words::embedded() });
    let said: Vec<_> = verdict.faults.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["It has 5 characters; 15 are needed, and 15 are better."]);
}
