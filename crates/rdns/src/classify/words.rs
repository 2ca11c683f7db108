//! Words of reverse names, in the languages in which networks name their customers.

use std::fmt;

/// What a word tells of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A line on which the holder of an address changes: `dhcp`, `pppoe`, `pool`.
    Dynamic,
    /// A kind of access line or customer: `adsl`, `cable`, `cust`.
    Access,
    /// What generated names often have, and chosen ones too: `host`, `ip`, `rev`.
    Plain,
    /// A line or address sold as fixed or to a business: `static`, `fixo`, `biz`.
    Fixed,
    /// A rented machine: `vps`, `dedicated`, `cloud`.
    Hosting,
    /// A mail server: `mail`, `smtp`, `mx`.
    Mail,
    /// Another service somebody named: `ns`, `www`, `gw`.
    Service,
}

impl Mark {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 7] =
        [Self::Dynamic, Self::Access, Self::Plain, Self::Fixed, Self::Hosting, Self::Mail, Self::Service];
}

impl Mark {
    /// What it tells, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Dynamic => "changing addresses",
            Self::Access => "access line",
            Self::Plain => "generated names",
            Self::Fixed => "fixed or business line",
            Self::Hosting => "rented server",
            Self::Mail => "mail server",
            Self::Service => "named service",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words())
    }
}

const DYNAMIC: &str = "dyn dynamic dynamics dynamik dynamique dinamico dinamica dinamic dynip dynamicip dynpool dyndsl \
    dynadsl dinamika dhcp dhcps netdhcp dhcpr ppp pppoe pppoa pptp l2tp dial dialup dialin dialpool dialuser dip dipool \
    pool pools ippool poolip iptpool slip async isdn modem modems modempool ras bras bng bnas lns nas dslam cmts vpn nat \
    natpool cgn cgnat carriernat roaming hotspot wlan wifi wavelan wireless wless gprs umts edge hspa lte mobile mobil \
    mobility movil mob cellular wimax wibro airbears eduroam guest tmo nomad resnet residential reshsg dorm dorms \
    wohnheim rescomp resi privat priv unassigned kund pppdsl pppadsl userip annex tty inet";

const ACCESS: &str = "\
    adsl dsl vdsl xdsl hdsl shdsl sdsl gdsl adsl2 vdsl2 dslcustomer cable cablemodem modemcable kabel cabo catv cm \
    docsis hfc cpe cpes ftth fttx fttb fttc fttn etth gpon epon pon fiber fibre fibra fios fibernet optic cust custs \
    customer customers client clients cliente clientes clienti klient klienti kunde kunden kunder abo fixed abonent \
    abonents abonne abonnes assinante assinantes suscriptor subscriber subscribers subscr usuario utente home homes \
    homeuser house broadband bband bredband breitband bredbaand brdband adslpool hsd hsi hsia lightspeed ipoe \
    satellite wisp wip acces access acceso telecom comhem speedy dab";

const PLAIN: &str = "\
    host hst node port net ip ipt ipv4 ipv6 rev reverse rdns unknown area city red res lan dom sub subs sat cell air \
    radio user users usr internet isp pcs apn highway nbn bb addr block range";

const FIXED: &str = "static statics statical statik statisch statique statico estatico estatica stat sta stc staticip \
    ipstatic fix fixe fixo fijo fija fixip fixedip fastip perm permanent biz business businesses bizdsl corp corporate \
    corporativo corporativa empresa empresas empresarial enterprise sme smb office b2b leased leasedline dedicated dedicado dedline \
    firma firmy zakelijk pro prof soho institution govt company companies";

const HOSTING: &str = "vps vds vm vmi vmd kvm xen vz openvz lxc srv server servers serv dedi dedibox \
    ded rootserver root colo coloc colocation colocated hosted hosting hostedby host4 cloud cloudhost compute ec2 \
    instance instances datacenter datacentre dc rack idc virtual virtuals vserver vhost vpsserver webhost webhosting \
    hostingservers slice droplet iaas cluster baremetal hv metal dsvr ks linode vultr";

const MAIL: &str = "mail mails mailer mailers mailout mailin mailgw mailgate mailgateway mailhost mailhub mailhubs \
    mailserver mailservers mailsrv mailrelay mailstore mailman mailscan mailfilter mailcluster mailnode webmail email \
    emails emailscan smtp smtps smtpout smtpin smtprelay smtpgw osmtp asmtp esmtp mx mxs mxa mxb mxc mxd mxout mxgw mta \
    mtas omta imta mtaout out outbound outgoing outgw outmail outbox mout relay relays relais imap pop3 exchange \
    exch exchsrv owa antispam spam spamfilter barracuda ironport postfix exim sendmail zimbra newsletter bulk bounce \
    bounces correo correio posta poczta post postman mbox mailbox maildrop mproxy mgw smg esa smx fep lists listserv \
    eblast mms msmtp notify notification kagomail";

const SERVICE: &str = "ns dns nameserver dnscache resolver recursor www web http ftp sftp gw gateway fw firewall router \
    rtr proxy cache squid vpnserver remote portal citrix rdp owa db sql mysql dev test git svn backup nfs ntp ldap ad \
    dc01 bugzilla wiki blog shop store app apps api auth sso monitor nagios irc chat news nntp extern dmz bouncer \
    intranet voip sip pbx asterisk media stream cdn static1 img images download";

/// What every group of words stands for.
const GROUPS: [(Mark, &str); 7] = [
    (Mark::Dynamic, DYNAMIC),
    (Mark::Access, ACCESS),
    (Mark::Plain, PLAIN),
    (Mark::Fixed, FIXED),
    (Mark::Hosting, HOSTING),
    (Mark::Mail, MAIL),
    (Mark::Service, SERVICE),
];

/// How a word stands in its run of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is the run.
    Whole,
    /// The run begins or ends with it.
    Edge,
}

/// A word of the tables in a run of letters.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) mark: Mark,
    pub(super) fit: Fit,
    /// Where it begins in the run.
    pub(super) from: usize,
    /// Its length.
    pub(super) len: usize,
}

/// A word of the tables as it is kept.
type Slot = Option<(&'static [u8], Mark)>;

/// All words, as two hash tables: by the word read forwards, and by the word read backwards. So one pass over a run finds
/// each word with which it begins, and a second each with which it ends.
pub(super) struct Words {
    forward: Table,
    backward: Table,
}

/// One of them.
struct Table {
    slots: Vec<Slot>,
    /// One bit for each slot that is taken: small enough to stay in the processor's nearest memory, where nearly every
    /// look-up that finds nothing ends.
    taken: [u64; SLOTS / 64],
}

/// A power of two, some eight times the number of words, so that a miss is seen at once.
const SLOTS: usize = 4096;

/// Shorter words are looked for as whole runs only: inside others they mean nothing.
const EDGE_LEN_MIN: usize = 4;

/// The same for words of access lines, as in `mdsl` and `vpnb`.
const EDGE_LEN_MIN_LINE: usize = 3;

/// Longest word of the tables.
const WORD_LEN_MAX: usize = 16;

impl Words {
    /// Builds the tables.
    pub(super) fn new() -> Self {
        let mut words = Self { forward: Table::new(), backward: Table::new() };
        for (mark, group) in GROUPS {
            for word in group.split_ascii_whitespace().map(str::as_bytes) {
                debug_assert!(word.len() <= WORD_LEN_MAX);
                words.forward.put(word.iter().fold(Hash::new(), |hash, &byte| hash.with(byte)), word, mark);
                words.backward.put(word.iter().rev().fold(Hash::new(), |hash, &byte| hash.with(byte)), word, mark);
            }
        }
        words
    }

    /// The mark of exactly this word.
    pub(super) fn whole(&self, word: &[u8]) -> Option<Mark> {
        let hash = word.iter().take(WORD_LEN_MAX).fold(Hash::new(), |hash, &byte| hash.with(byte));
        self.forward.get(hash, word)
    }

    /// The word that a run of letters is; else the longest with which it begins, and the longest with which it ends.
    pub(super) fn find(&self, run: &[u8]) -> [Option<Found>; 2] {
        let mut found = [None; 2];
        let mut hash = Hash::new();
        for (at, &byte) in run.iter().enumerate().take(WORD_LEN_MAX) {
            hash = hash.with(byte);
            found[0] = self.forward.edge(hash, run, 0, at + 1).or(found[0]);
        }
        if found[0].is_some_and(|found: Found| found.fit == Fit::Whole) {
            return found;
        }
        let mut hash = Hash::new();
        for (at, &byte) in run.iter().rev().enumerate().take(WORD_LEN_MAX) {
            hash = hash.with(byte);
            found[1] = self.backward.edge(hash, run, run.len() - at - 1, at + 1).or(found[1]);
        }
        found
    }
}

impl Table {
    fn new() -> Self {
        Self { slots: vec![None; SLOTS], taken: [0; SLOTS / 64] }
    }

    /// The word that stands in the run from `from` on, if it is long enough to mean something there.
    fn edge(&self, hash: Hash, run: &[u8], from: usize, len: usize) -> Option<Found> {
        if !self.is_taken(hash.slot()) || (len < EDGE_LEN_MIN_LINE && len != run.len()) {
            return None;
        }
        let mark = self.get(hash, &run[from..from + len])?;
        if len == run.len() {
            return Some(Found { mark, fit: Fit::Whole, from, len });
        }
        let is_line = matches!(mark, Mark::Dynamic | Mark::Access);
        let least = if is_line { EDGE_LEN_MIN_LINE } else { EDGE_LEN_MIN };
        (len >= least).then_some(Found { mark, fit: Fit::Edge, from, len })
    }

    const fn is_taken(&self, slot: usize) -> bool {
        self.taken[slot / 64] & 1 << (slot % 64) != 0
    }

    fn put(&mut self, hash: Hash, word: &'static [u8], mark: Mark) {
        let mut at = hash.slot();
        while self.slots[at].is_some_and(|(known, _)| known != word) {
            at = (at + 1) % SLOTS;
        }
        // The first group that names a word keeps it.
        self.slots[at].get_or_insert((word, mark));
        self.taken[at / 64] |= 1 << (at % 64);
    }

    fn get(&self, hash: Hash, word: &[u8]) -> Option<Mark> {
        let mut at = hash.slot();
        while let Some((known, mark)) = self.slots[at] {
            if known == word {
                return Some(mark);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }
}

/// FNV-1a, one byte after the other.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn with(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x100_0000_01b3))
    }

    const fn slot(self) -> usize {
        (self.0 >> 40) as usize % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, Mark, Words};

    #[test]
    fn words_are_found_whole_and_at_the_edges() {
        let words = Words::new();
        let found =
            |run: &str| words.find(run.as_bytes()).map(|found| found.map(|found| (found.mark, found.fit, found.len)));
        let cases = [
            ("adsl", [Some((Mark::Access, Fit::Whole, 4)), None]),
            ("dynamic", [Some((Mark::Dynamic, Fit::Whole, 7)), None]),
            ("adslfixo", [Some((Mark::Access, Fit::Edge, 4)), Some((Mark::Fixed, Fit::Edge, 4))]),
            ("mystatic", [None, Some((Mark::Fixed, Fit::Edge, 6))]),
            ("mx", [Some((Mark::Mail, Fit::Whole, 2)), None]),
            ("mxyzptlk", [None, None]),
            ("", [None, None]),
            ("a", [None, None]),
        ];
        for (run, expected) in cases {
            assert_eq!(found(run), expected, "{run}");
        }
    }
}
