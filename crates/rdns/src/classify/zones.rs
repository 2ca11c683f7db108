//! What is publicly known of the big networks' domains: whose names mean what.
//!
//! Written from what the networks publish and from public rule sets; a domain that is not here is judged by its names
//! alone. A domain stands under what most of its generated names are; words in a name count for more than this.

use std::fmt;

/// What kind of network names hosts under a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// An access network: its generated names are its customers' lines.
    Access,
    /// A hoster or cloud: its generated names are rented machines.
    Hosting,
    /// A mail provider: its names are senders, however they look.
    Sender,
}

impl Network {
    /// What it is, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Access => "access network",
            Self::Hosting => "hoster",
            Self::Sender => "mail provider",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words())
    }
}

const ACCESS: &str = "\
    163data.com.cn 3bb.co.th 3web.net 8ta.com aapt.com.au adamo.es adelphia.net adsl.it afrihost.co.za airtel.in \
    airtelbroadband.in akado.ru albacom.net aliceadsl.fr alicedsl.de alltel.net alter.net ameritech.net amis.net \
    antel.net.uy arcor-ip.de arcor-ip.net arnes.si as13285.net as43234.net as9105.com asahi-net.or.jp asianet.co.th \
    att.net attbi.com avangarddsl.ru axtel.net bahnhof.se bandnet.com.br bbox.fr bbtec.net bell.ca bellsouth.net \
    beotel.rs bezeqint.net bhn.net biglobe.ne.jp bigpond.net.au blueyonder.co.uk bora.net bouygues.fr \
    bouyguestelecom.fr brasiltelecom.net.br bredband2.com bredbandsbolaget.se brfibra.net bsnl.in btcentralplus.com \
    btinternet.com btopenworld.com cablelink.at cableone.net cablevision.com.mx cablevision.net.mx cabovisao.pt \
    cantv.net casema.nl catv.ne.jp catvnet.ne.jp cegetel.net centertel.pl centurylink.net centurytel.net \
    cgocable.net charter.com charter.net chello.at chello.be chello.cz chello.fr chello.hu chello.nl chello.no \
    chello.pl chello.se chello.sk cingular.com claro.com.br claro.net.do clear.net.nz clearwire-dns.net \
    clearwire-wmx.net club-internet.fr codetel.net.do cogeco.ca cogeco.net comcast.net comcor-tv.ru comhem.se \
    comunitel.net corbina.net corbina.ru covad.net cox.net cyberway.com.sg cyta.com.cy cyta.gr cytanet.com.cy \
    dialog.net.pl dion.ne.jp direct-adsl.nl dna.fi dnainternet.fi dodo.com.au domolink.ru dsl.net dslextreme.com \
    earthlink.net eastlink.ca elisa-laajakaista.fi elisa.ee elisa.fi embarqhsd.net emirates.net.ae emobile.ad.jp \
    entel.cl eonet.ne.jp epix.net ertelecom.ru estpak.ee etb.net.co etisalat.ae eunet.yu euskaltel.es evc.net \
    ewe-ip-backbone.de exetel.com.au fastwebnet.it fastwebserver.it fibertel.com.ar forthnet.gr free.fr \
    freedom2surf.net frontiernet.net fuse.net gaoland.net gci.net getinternet.no glocalnet.se googlefiber.net \
    grandenetworks.net gvt.net.br hansenet.de hawaiiantel.net hinet.net hispeed.ch hol.gr home.ne.jp home.nl \
    hughes.net i-cable.com iam.net.ma iburst.co.za iinet.net.au imsbiz.com indosat.net.id infostrada.it \
    infoweb.ne.jp inode.at insightbb.com inter.net.il interbusiness.it invitel.hu invitel.net iprimus.net.au \
    is.co.za iskon.hr itscom.jp j-cnet.jp jazztel.es jcom.ne.jp kabel-badenwuerttemberg.de kabel-deutschland.de \
    kabsi.at kcom.com kornet.net kpn.net kpnxdsl.nl kyivstar.net lagoon.nc ldcom.net level3access.net libero.it \
    liwest.at lttnet.net luna.net maxonline.com.sg mchsi.com mediacomcc.net mediaways.net megacable.com.mx \
    megaline.kg mesh.ad.jp metro.net.pl metronet.co.uk midco.net mindspring.com mnet-online.de mobinil.net \
    monzoon.net mtnbusiness.co.za mtnl.net.in mts.net mtu-net.ru mundo-r.com murphx.net mweb.co.za mycingular.net \
    myvzw.com ncc.net neoviatelecom.com.br netcabo.pt netcologne.de netvigator.com netvisao.pt netvision.net.il \
    nextgentel.com nifty.com ntli.net ntlworld.com ntt.net.pk numericable.be numericable.fr numericable.net nwrk.net \
    o2.co.uk o2.cz ocn.ne.jp odn.ad.jp odn.ne.jp oi.com.br omantel.net.om on.net.mk online.no ono.com onolab.com \
    optonline.net optusnet.com.au orange.es orange.net.il orange.pl orange.sk orangecustomers.net oskarmobil.cz \
    otenet.gr ottawa.net pacbell.net pacenet.net paltel.net panda-world.ne.jp pavlovmedia.com piesc.net pipex.com \
    plala.or.jp planet.nl pldt.net plus.com pol.co.uk pppool.de prod-infinitum.com.mx proxad.net prtc.net ptd.net \
    qualitynet.net quicknet.nl qwest.net rcn.com rdsnet.ro rdstelecom.ro rima-tde.net rima.es rogers.com \
    romtelecom.net rr.com saix.net sakura-catv.ne.jp sasknet.sk.ca sbb.rs sbcglobal.net scarlet.be seed.net.tw \
    sfr.net shawcable.net sify.net siminn.is simnet.is singnet.com.sg siol.net skybroadband.com skylink.ru skynet.be \
    slovanet.sk snet.net so-net.ne.jp so-net.net.tw sonatel.sn sonic.net spcsdns.net speakeasy.net spectrum.com \
    spmode.ne.jp sprintbbd.net starhub.com.sg starhub.net.sg starlinkisp.net stofanet.dk suddenlink.net \
    suddenlinkbusiness.net sunrise.ch sunrise.net supercable.net.ve superkabel.de svenskabredbandsbolaget.se \
    swbell.net swisscom.ch swisscom.com synacor.net t-com.hr t-com.sk t-dialin.net t-ipconnect.de t-mobile.com \
    t-mobilebb.net tdc.net tde.net tds.net tedata.net teksavvy.com tele.dk tele2.ee tele2.hr tele2.nl tele2.no \
    tele2.se telecom.by telecom.net.ar telecomitalia.it telefonica-ca.net telefonica.de telefonica.net \
    telefonica.net.ar telekom.at telekom.hu telekom.net.ua telekom.rs telekom.ru telenet.be telenor.dk telenor.net \
    telenor.se telenordia.se telepac.pt telering.at telesp.net.br teletu.it telia.com telia.net telkom.net.id \
    telkomadsl.co.za telkomsa.net telmex.com telstra.net telus.com telus.net terra.cl terra.es theplanet.ru tim.it \
    tiscali.be tiscali.co.uk tiscali.cz tiscali.fr tiscali.it tiscalidsl.de tm.net.my tpgi.com.au tpnet.pl \
    triolan.net trueinternet.co.th tstt.net.tt ttk.ru ttnet.com.tr ttnet.net.tr tvcabo.ao tvcabo.pt twtelecom.net \
    tznet.com ucom.am ukrtel.net ukrtelecom.net ultranet.com une.net.co uninet.ee uninet.net.mx unitymedia.de \
    unitymediagroup.de upc.at upc.ch upc.cz upc.ie upc.nl upc.ro upcnet.ro upcpoczta.pl uplink.net uu.net uunet.de \
    vectant.ne.jp vectranet.pl velocom.com.ar veloxzone.com.br verizon.net versanet.de versatel.nl vianetworks.nl \
    videotron.ca videotron.net virginm.net virginmedia.com virginmedia.net virtua.com.br vivozap.com.br \
    vodacom.co.za vodafone-ip.de vodafone-net.de vodafone.es vodafone.hu vodafone.it vodafone.net.nz vodafone.net.tr \
    vodafone.pt vodafonedsl.it volia.net vtr.net wanadoo.be wanadoo.es wanadoo.fr wanadoo.nl wateen.com wateen.net \
    wayport.net wideopenwest.com wind.it windstream.net wxdsl.nl xo.net xs4all.nl xtra.co.nz ycn.com yota.ru \
    yoursingapore.net zain.com zaq.ne.jp ziggo.nl ziggozakelijk.nl zoominternet.net zoomtown.com zsttk.net";

const HOSTING: &str = "\
    1and1.co.uk 1and1.com 1blu.de 1dedicated.com a2hosting.com a2webhosting.com active24.cz alibabacloud.com \
    aliyun.com alwyzon.net amazonaws.com amazonaws.com.cn anexia.net aruba.it arubacloud.com arubacloud.fr \
    arubacloud.pl arvixe.com atlantic.net azure.com beget.com beget.ru bhost.net biznesshosting.net bluehost.com \
    buyvm.co.uk buyvm.net canaca.com cheapvps.com cherryservers.net choopa.com choopa.net cinfuserver.com \
    citynetwork.se cloud-ips.com cloudapp.net cloudatcost.com cloudsigma.com cloudsigma.net clouvider.net \
    colo-service.net colo4.com colocation.net colocrossing.com colostore.com conoha.ne.jp contabo.host contabo.net \
    contaboserver.net contina.com corespace.com crissic.net crowncloud.net datacamp.co.uk dataclub.biz dataclub.eu \
    datapacket.com datashack.net dedibox.fr dedicated.com dedicatedpanel.com dedipath.com dediserve.com \
    delimitervps.com digitalocean.com dimenoc.com dinaserver.com dnsiskinky.com dotblock.com dreamhost.com \
    dreamhosters.com dreamhostps.com eapps.com eboundhost.com eigbox.net elastichosts.com emailsrvr.net \
    endurance.com esecuredata.com ethr.net eukhost.com ev1servers.net evanzo.de exoscale.com fastcomet.host \
    fasthosts.co.uk fastrootserver.de fastvps-server.com fastwebhost.com fdcservers.net firstcolo.net \
    firstheberg.com firstheberg.net firstvds.ru fozzy.com frantech.ca fvds.ru gandi.net gcore.lu ggservers.com \
    gigenet.com glesys.net gmocloud.com godaddy.com googleusercontent.com gplhost.net greencloudvps.com happysrv.de \
    heficed.com heg.com hetzner.com hetzner.de hivelocity.net host-h.net hosteurope.de hostfactory.ch hostgator.com \
    hosthatch.com hosting.ua hostinger.com hostinger.io hostingservices.dk hostkey.com hostkey.ru hostnetbv.com \
    hostnetbv.nl hostnoc.net hostpapa.com hostpoint.ch hostsailor.com hostsila.org hostus.us hostvds.com \
    hostwaydcs.com hostwinds.com hostwindsdns.com hudsonvalleyhost.com i3d.net ibmcloud.com idcf.jp ihc.ru ihor.ru \
    ikexpress.com ikoula.com imscp.net incero.com infomaniak.ch infortelecom.es inmotionhosting.com internetdsl.pl \
    interserver.net iomart.com ionos.com ionos.de ip-connect.net.ua ip-pool.com ip-projects.de ispserver.com \
    ispserver.ru iweb.ca iweb.com jaguarpc.com joesdatacenter.com justhost.com justhost.ru kagoya.net keymachine.de \
    keyweb.de kimsufi.com knownhost.com krystal.uk kundencontroller.de layeredtech.com lcn.com leaseweb.com \
    leaseweb.de leaseweb.net lightningbase.com limestonenetworks.com linode.com linodeusercontent.com liquidweb.com \
    liquidwebsites.com lithiumhosting.com live-servers.net locaweb.com.br lstn.net lunanode.com m247.com m247.ro \
    marosnet.ru masterhost.ru mchost.ru mediatemple.net memset.com memset.net metanet.ch midphase.com mirohost.net \
    mivitec.net mivocloud.com modwest.com mvps.eu mvps.net myhosting.com mykvm.net myloc.de mymanaged.host \
    mythic-beasts.com namecheap.com namecheaphosting.com nazwa.pl netangels.ru netcup.de netcup.net netelligent.ca \
    netfirms.com netsons.net netvpx.com nexcess.net nforce.com nfoservers.com nine.ch nobistech.net nocix.net \
    novogara.net novps.net ntup.net nuclearfallout.net onapp.com one.com oneprovider.com online.net \
    onlinehome-server.com onlinehome-server.info openhosting.com opentransfer.com orcsweb.com ovh.ca ovh.net ovh.us \
    pacificrack.com packet.net packetexchange.net peer1.net perfora.net phoenixnap.com poneytelecom.eu power-m.ru \
    premiumdatacenter.net prgmr.com privatelayer.com privatesystems.net profihost.com profitserver.ru psychz.net \
    pureserver.info qhoster.com quadranet.com quickpacket.com rackcentre.com rackspace.com rackspaceclouddb.com \
    rackvm.com ramnode.com rapidswitch.com readyspace.com redstation.co.uk redstation.com reg.ru regruhosting.ru \
    reliablehosting.com reliablesite.net resellerzoom.com rimuhosting.com rootbsd.net sakura.ne.jp scaleway.com \
    sdv.fr securedservers.com secureserver.net seedbox.io seedhost.eu seflow.it seflow.net selectel.com selectel.ru \
    server4you.de server4you.net serveraxis.net serverbeach.com servercentral.net servercloud.com serverel.net \
    serverkompetenz.de serverkompetenz.net servermania.com servermatt.com serverprofi24.com serverprofi24.de \
    serverprofi24.eu serverpronto.com servers.com serverspace.ru serversub.com servint.net sh.cz sharktech.net \
    shinjiru.com shinjiru.com.my singlehop.com site5.com siteground.com sitehost.co.nz slicehost.net smartape.ru \
    softcom.biz softlayer.com sologigabit.com startdedicated.com startdedicated.de startdedicated.net startvps.com \
    steadfast.net steadfastdns.net steephost.com strato.de stratoserver.net superhosting.bg supremecluster.com \
    swiftway.net synergywholesale.com tagadab.com techpark.ua tektonic.net telecity.net tencent.com thegcloud.com \
    theplanet.com tilaa.cloud tilaa.nl timeweb.ru timewebhost.com tmdhosting.com trabia.net transip.net transip.nl \
    tsukaeru.net tzulo.com ubiquity.io ubiquityservers.com uk2.net ukfast.net ukrnames.com ukservers.com ultrasrv.de \
    unesty.net unifiedlayer.com upcloud.com upcloud.host usonyx.net vds.sh vdsina.ru velia.net vhost.cz virmach.com \
    virpus.com volumedrive.com vooservers.com voxel.net voxility.com voxility.net vps-server.ru vps.net vpscheap.net \
    vpsdime.com vpshosting.com.hk vpsnet.lt vpsville.ru vserver.de vstoike.ru vultr.com vultrusercontent.com \
    webair.com webfusion.co.uk webhostbox.net webhostingpad.com webhuset.no websitewelcome.com webzilla.com \
    wedos.com wedos.net whgi.net wholesaleinternet.net wiredtree.com worldstream.nl xentime.com xlhost.com \
    xserver.jp xservernet.com xservers.ua yellowfiber.net your-server.de yourserver.se yourvserver.net zare.com \
    zenexhost.com zenlayer.net zetservers.com zomro.com";

const SENDER: &str = "\
    1e100.net acems1.com acemsrvc.com activecampaign.com agari.com amazonses.com antispamcloud.com \
    antispameurope.com appriver.com aweber.com barracudanetworks.com bigfootinteractive.com bluehornet.com \
    bronto.com campaignmonitor.com cheetahmail.com chtah.com cloud-sec-av.com cloudfilter.net cmail19.com \
    cmail20.com constantcontact.com createsend.com dotdigital.com dotmailer.com e2ma.net ebay.com elasticemail.com \
    eloqua.com emailarray.com emailsrvr.com emarsys.net en25.com epsl1.com everyone.net exacttarget.com \
    exclaimer.net facebook.com fastmail.com fireeyecloud.com forwardemail.net getresponse.com gmx.com gmx.net \
    google.com googlemail.com gpphosted.com groups.io helpscout.net hornetsecurity.com hotmail.com hubspotemail.net \
    icloud.com icontact.com improvmx.com inbox.com infusionmail.com iphmx.com kagomail.com kundenserver.de \
    linkedin.com listrak.com lyris.net mail.com mail.ru mailchannels.net mailchimp.com mailcontrol.com mailgun.co \
    mailgun.info mailgun.net mailgun.org mailgun.us mailhop.org mailjet.com mailroute.net mailspamprotection.com \
    mandrill.com mandrillapp.com mcdlv.net mcsv.net me.com messagegears.net messagelabs.com messagelabs.net \
    messagingengine.com migadu.com mimecast.com mktdns.com mktomail.com mlsend.com mtasv.net mxlogic.net mxroute.com \
    myregisteredsite.com nameprotect.com naver.com netcore.co.in onbmc.com outlook.com pardot.com postini.com \
    postmarkapp.com ppe-hosted.com pphosted.com privateemail.com proton.ch protonmail.ch protonmail.com psmtp.com \
    qq.com redhat.com responsys.net rmx.de rsgsv.net rsys1.com sailthru.com salesforce.com securence.com \
    sendcloud.net sendgrid.net sendinblue.com sendpulse.com sharpspring.com silverpop.com smtp.com smtp2go.com \
    smtpcorp.com smtproutes.com socketlabs.com spamexperts.com sparkpost.com sparkpostmail.com strongmail.com \
    trendmicro.com trendmicro.eu twitter.com vadesecure.com verticalresponse.com webmailer.de wordfly.com \
    yahoo.co.jp yahoo.com yandex.net yandex.ru zendesk.com zeptomail.net zoho.com zohomail.com";

/// Domains with the kind of their network, as a hash table.
pub(super) struct Zones {
    slots: Vec<Option<(&'static [u8], Network)>>,
}

/// A power of two, some three times the number of domains.
const SLOTS: usize = 4096;

impl Zones {
    /// All that are known.
    pub(super) fn known() -> Self {
        let mut slots = vec![None; SLOTS];
        for (network, domains) in [(Network::Sender, SENDER), (Network::Hosting, HOSTING), (Network::Access, ACCESS)] {
            for domain in domains.split_ascii_whitespace() {
                let mut at = slot(domain.as_bytes());
                while slots[at].is_some() {
                    at = (at + 1) % SLOTS;
                }
                slots[at] = Some((domain.as_bytes(), network));
            }
        }
        Self { slots }
    }

    /// None, for figures that must not owe anything to the table.
    #[cfg(feature = "train")]
    pub(super) fn none() -> Self {
        Self { slots: vec![None; SLOTS] }
    }

    /// The kind of network that names hosts under this registrable domain.
    pub(super) fn get(&self, domain: &[u8]) -> Option<Network> {
        let mut at = slot(domain);
        while let Some((known, network)) = self.slots[at] {
            if known == domain {
                return Some(network);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }
}

fn slot(domain: &[u8]) -> usize {
    let hash = domain
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (hash >> 40) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::super::name::Name;
    use super::{ACCESS, HOSTING, Network, SENDER, Zones};

    #[test]
    fn each_domain_stands_once_and_is_registrable() {
        let mut all: Vec<&str> =
            [ACCESS, HOSTING, SENDER].iter().flat_map(|list| list.split_ascii_whitespace()).collect();
        all.sort_unstable();
        let twice: Vec<&str> = all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert_eq!(twice, [""; 0]);
        for domain in all {
            let name = Name::read(domain.as_bytes()).expect(domain);
            assert!(name.host().is_empty(), "{domain} is looked up as {}", String::from_utf8_lossy(name.zone()));
        }
    }

    #[test]
    fn domains_are_found() {
        let zones = Zones::known();
        assert_eq!(zones.get(b"comcast.net"), Some(Network::Access));
        assert_eq!(zones.get(b"linode.com"), Some(Network::Hosting));
        assert_eq!(zones.get(b"sendgrid.net"), Some(Network::Sender));
        assert_eq!(zones.get(b"example.net"), None);
    }
}
