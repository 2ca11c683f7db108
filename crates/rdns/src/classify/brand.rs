//! What the label of a registrable domain says of its owner.

use super::zones::Network;

/// Pieces of brands, and the kind of network whose brands have them.
const PIECES: [(Network, &str); 3] = [
    (
        Network::Access,
        "tele telec telekom tel cable kabel catv dsl broadband breitband bredband wireless wifi wisp wimax fiber fibre fibra \
         optic isp online internet gprs mobil mobile cell telco comm komm kom link dial ppp dip satellite airlink rural phone",
    ),
    (
        Network::Hosting,
        "host server vps vds cloud dedi colo rack datacent datacenter hosting virtual compute website domain webhost \
         kvm root dcenter idc cdn",
    ),
    (Network::Sender, "mail smtp sendgrid newsletter postmaster eblast mailer message"),
];

/// The pieces by their first letter.
pub(super) struct Brands {
    by_letter: [Vec<(&'static [u8], Network)>; 26],
    /// For each first letter and each second one a bit for each third one with which a piece begins, so that at nearly
    /// every place of a brand no piece needs to be compared.
    thirds: [[u32; 26]; 26],
}

/// The number of a letter; none for what is none.
fn letter(byte: u8) -> Option<usize> {
    byte.is_ascii_lowercase().then(|| usize::from(byte - b'a'))
}

/// What was found in a brand: one bit for each kind of network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const fn has(self, network: Network) -> bool {
        self.0 & 1 << network as u8 != 0
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }
}

impl Brands {
    pub(super) fn new() -> Self {
        let mut by_letter: [Vec<_>; 26] = Default::default();
        let mut thirds = [[0; 26]; 26];
        for (network, pieces) in PIECES {
            for piece in pieces.split_ascii_whitespace() {
                let piece = piece.as_bytes();
                let [first, second, third] = [0, 1, 2].map(|at| usize::from(piece[at] - b'a'));
                by_letter[first].push((piece, network));
                thirds[first][second] |= 1 << third;
            }
        }
        Self { by_letter, thirds }
    }

    /// The kinds of network of which the brand has pieces, wherever in it.
    pub(super) fn kinds(&self, brand: &[u8]) -> Kinds {
        let mut kinds = Kinds::default();
        for (at, start) in brand.windows(3).enumerate() {
            let (Some(first), Some(second), Some(third)) = (letter(start[0]), letter(start[1]), letter(start[2]))
            else {
                continue;
            };
            if self.thirds[first][second] & 1 << third == 0 {
                continue;
            }
            for (piece, network) in &self.by_letter[first] {
                if brand[at..].starts_with(piece) {
                    kinds.0 |= 1 << *network as u8;
                }
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::super::zones::Network;
    use super::Brands;

    #[test]
    fn brands_say_what_their_owners_sell() {
        let brands = Brands::new();
        let cases = [
            ("examplecable", Some(Network::Access)),
            ("telexample", Some(Network::Access)),
            ("example-hosting", Some(Network::Hosting)),
            ("examplemail", Some(Network::Sender)),
            ("example", None),
            ("", None),
        ];
        for (brand, expected) in cases {
            let kinds = brands.kinds(brand.as_bytes());
            for network in [Network::Access, Network::Hosting, Network::Sender] {
                assert_eq!(kinds.has(network), expected == Some(network), "{brand} {network}");
            }
        }
    }
}
