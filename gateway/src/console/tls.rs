//! HTTPS for the console: the operator's certificate, or one that the box makes itself.
//!
//! Off loopback the console speaks TLS unless `plain-http` says otherwise. Without `cert-file` the box
//! makes a certificate of its own (P-256) at first start and keeps it with its key in one file of the
//! store's folder, 0600. A browser does not know it, so its SHA-256 fingerprint is logged and shown: who
//! compares it once knows the box. It is made anew a month before it ends, when its dates cannot be
//! right (it was made while the clock was wrong), and when the box has another address.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::ConsoleConfig;
use crate::tls::{AccessError, certificates, private_key};
use crate::{clock, replace};

/// In the store's folder.
const FILE: &str = "console-tls.json";
/// What browsers accept at most of a certificate's life is 825 days.
const LIFE: Duration = Duration::from_hours(24 * 820);
/// How long before its end, and before it is made, a certificate is renewed and begins.
const AHEAD: Duration = Duration::from_hours(24 * 30);
const BACK_MS: i64 = 24 * 3_600_000;
/// How often its dates are compared with the clock.
const LOOK: Duration = Duration::from_mins(10);

/// Why the console cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    Files(#[from] AccessError),
    #[error("`cert-file` and `key-file` belong together; only one of them is given")]
    Half,
    #[error("`{}` cannot be used: {error}", .path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("no certificate could be made: {0}")]
    NotMade(#[from] rcgen::Error),
    #[error("the certificate and its key do not fit: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Where the certificate comes from.
#[derive(Debug, Clone)]
enum Origin {
    Own { store: PathBuf, listen: IpAddr },
    Files { certificate: PathBuf, key: PathBuf },
}

/// What the console shows of itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls {
    origin: Origin,
    shelf: Arc<Shelf>,
    config: Arc<ServerConfig>,
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Shelf(Mutex<Arc<Shown>>);

#[derive(Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    fingerprint: String,
    /// From when until when, where we made it.
    dates: Option<(Timestamp, Timestamp)>,
}

/// As it lies on the disk: both in one file, so that they always fit.
#[derive(Debug, Serialize, Deserialize)]
struct Own {
    from: Timestamp,
    until: Timestamp,
    names: Vec<String>,
    certificate: String,
    key: String,
}

impl Tls {
    /// What `[console]` asks for; `None` for plain HTTP.
    pub fn of(config: &ConsoleConfig, store: &Path) -> Result<Option<Self>, TlsError> {
        let listen = config.listen.ip();
        let origin = match (&config.cert_file, &config.key_file) {
            (Some(certificate), Some(key)) => {
                Origin::Files { certificate: certificate.clone(), key: key.clone() }
            }
            (None, None) if listen.is_loopback() => return Ok(None),
            (None, None) if config.plain_http => {
                tracing::warn!(%listen, "the console speaks plain HTTP on the network, as \
                    `plain-http` asks: whoever listens there reads passwords");
                return Ok(None);
            }
            (None, None) => Origin::Own { store: store.to_owned(), listen },
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Half),
        };
        let shelf = Arc::new(Shelf(Mutex::new(Arc::new(origin.read(clock::wall())?))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shelf) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { origin, shelf, config: Arc::new(config) }))
    }

    /// SHA-256 of the certificate, as browsers write it.
    pub fn fingerprint(&self) -> String {
        self.shelf.now().fingerprint.clone()
    }

    /// Reads the files again, or renews our own when it is due; what was there stays if that fails.
    pub fn reload(&self) -> Result<(), TlsError> {
        let before = self.fingerprint();
        let shown = self.origin.read(clock::wall())?;
        if shown.fingerprint != before {
            tracing::info!(fingerprint = shown.fingerprint, "the console has another certificate");
        }
        *self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
        Ok(())
    }

    /// Renews our own certificate when it is time, until `stop`.
    pub(super) async fn keep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let dates = self.shelf.now().dates;
            if dates.is_none_or(|dates| hold(dates, clock::wall())) {
                continue;
            }
            let tls = self.clone();
            let renewed = tokio::task::spawn_blocking(move || tls.reload()).await;
            if let Ok(Err(error)) = renewed {
                tracing::error!(%error, "the console's certificate cannot be renewed");
            }
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// The fingerprint of the certificate that the box made itself, if it has.
pub fn own_fingerprint(store: &Path) -> Option<String> {
    let own: Own = serde_json::from_slice(&fs::read(store.join(FILE)).ok()?).ok()?;
    let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).ok()?;
    Some(fingerprint(&certificate))
}

/// What the box is called on its network: its host name, also as multicast DNS says it.
pub fn names() -> Vec<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_plain) {
        return Vec::new();
    }
    let local = format!("{name}.local");
    vec![name, local]
}

impl Shelf {
    fn now(&self) -> Arc<Shown> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.now().key))
    }
}

impl Origin {
    fn read(&self, now: Timestamp) -> Result<Shown, TlsError> {
        match self {
            Self::Files { certificate, key } => {
                shown(certificates(certificate)?, private_key(key)?, None)
            }
            Self::Own { store, listen } => {
                let path = store.join(FILE);
                let names = all_names(*listen);
                if let Ok(text) = fs::read(&path)
                    && let Ok(own) = serde_json::from_slice::<Own>(&text)
                    && hold((own.from, own.until), now)
                    && names.iter().all(|name| own.names.contains(name))
                    && let Ok(shown) = own.shown()
                {
                    return Ok(shown);
                }
                let own = Own::make(names, now)?;
                let text = serde_json::to_vec_pretty(&own).expect("strings are JSON");
                let io = |error| TlsError::Io { path: path.clone(), error };
                fs::create_dir_all(store).map_err(io)?;
                replace::file(&path, &text).map_err(io)?;
                own.shown()
            }
        }
    }
}

impl Own {
    fn make(names: Vec<String>, now: Timestamp) -> Result<Self, TlsError> {
        let (from, until) = (Timestamp(now.0 - BACK_MS), now + LIFE);
        let mut params = CertificateParams::new(names.clone())?;
        let name = names.first().map_or("gatehouse", String::as_str);
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, "Gatehouse");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let ((year, month, day), (end_year, end_month, end_day)) = (date(from), date(until));
        params.not_before = date_time_ymd(year, month, day);
        params.not_after = date_time_ymd(end_year, end_month, end_day);
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { from, until, names, certificate, key: key.serialize_pem() })
    }

    fn shown(&self) -> Result<Shown, TlsError> {
        let broken = |_| rustls::Error::General("the file in the store is damaged".into());
        let certificate =
            CertificateDer::from_pem_slice(self.certificate.as_bytes()).map_err(broken)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(broken)?;
        shown(vec![certificate], key, Some((self.from, self.until)))
    }
}

/// A certificate with its key; refused where they do not fit.
fn shown(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    dates: Option<(Timestamp, Timestamp)>,
) -> Result<Shown, TlsError> {
    let fingerprint = chain.first().map(fingerprint).unwrap_or_default();
    let provider = rustls::crypto::ring::default_provider();
    let key = Arc::new(CertifiedKey::from_der(chain, key, &provider)?);
    Ok(Shown { key, fingerprint, dates })
}

/// Whether a certificate with these dates can be shown for a while yet.
fn hold((from, until): (Timestamp, Timestamp), now: Timestamp) -> bool {
    from <= now && now + AHEAD < until
}

/// Year, month and day.
fn date(at: Timestamp) -> (i32, u8, u8) {
    let text = at.rfc3339();
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u16>().ok());
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let small = |n: Option<u16>| n.and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
    (i32::from(year.unwrap_or(2026)), small(month), small(day))
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().enumerate().fold(String::new(), |mut text, (at, byte)| {
        let colon = if at > 0 { ":" } else { "" };
        write!(text, "{colon}{byte:02X}").expect("a String takes all that is written to it");
        text
    })
}

/// All that a browser may call us.
fn all_names(listen: IpAddr) -> Vec<String> {
    let mut all = names();
    all.push("localhost".into());
    let addresses = if listen.is_unspecified() { addresses() } else { vec![listen] };
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
    all.extend(addresses.into_iter().chain(loopback).map(|address| address.to_string()));
    all.sort();
    all.dedup();
    all
}

/// The IPv4 addresses of this box, as Linux lists them.
fn addresses() -> Vec<IpAddr> {
    local_addresses(&fs::read_to_string("/proc/net/fib_trie").unwrap_or_default())
}

fn local_addresses(trie: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let mut last = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.ends_with("host LOCAL") {
            found.extend(last.filter(|address: &IpAddr| !address.is_loopback()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(listen: &str) -> ConsoleConfig {
        let listen: SocketAddr = listen.parse().unwrap();
        ConsoleConfig { listen, ..ConsoleConfig::default() }
    }

    fn own(store: &Path, now: Timestamp) -> String {
        let origin = Origin::Own { store: store.to_owned(), listen: IpAddr::from([10, 0, 0, 1]) };
        origin.read(now).unwrap().fingerprint
    }

    #[test]
    fn off_loopback_there_is_tls_unless_somebody_asks_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let is_tls = |config: &ConsoleConfig| Tls::of(config, folder.path()).unwrap().is_some();

        assert!(!is_tls(&config("127.0.0.1:8080")) && !is_tls(&config("[::1]:8080")));
        assert!(is_tls(&config("0.0.0.0:8080")) && is_tls(&config("10.0.0.1:8080")));
        assert!(!is_tls(&ConsoleConfig { plain_http: true, ..config("0.0.0.0:8080") }));
        let half = ConsoleConfig { cert_file: Some("c.pem".into()), ..config("127.0.0.1:1") };
        assert!(matches!(Tls::of(&half, folder.path()), Err(TlsError::Half)));
    }

    #[test]
    fn our_certificate_stays_until_its_end_is_near_or_the_clock_was_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp(1_800_000_000_000);
        let days = |n: i64| Timestamp(now.0 + n * 86_400_000);
        let first = own(folder.path(), now);

        assert_eq!(own(folder.path(), days(700)), first);
        let renewed = own(folder.path(), days(800));
        assert_ne!(renewed, first);
        assert_eq!(own(folder.path(), days(801)), renewed);
        let back = own(folder.path(), now);
        assert_ne!(back, renewed, "it was made while the clock was ahead");
        let shown = own_fingerprint(folder.path()).unwrap();
        assert_eq!((shown.len(), &shown), (95, &back));
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_made_anew_and_another_address_makes_another() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp(0);
        let first = own(folder.path(), now);
        fs::write(folder.path().join(FILE), "{").unwrap();
        let second = own(folder.path(), now);
        let origin = Origin::Own { store: folder.path().to_owned(), listen: [10, 0, 0, 9].into() };

        let third = origin.read(now).unwrap().fingerprint;

        assert!(first != second && second != third);
    }

    #[test]
    fn the_box_s_addresses_are_those_that_linux_calls_local() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
            \x20    |-- 10.0.0.7\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n\
            \x20    |-- 127.0.0.1\n        /32 host LOCAL\n";

        assert_eq!(local_addresses(trie), [IpAddr::from([10, 0, 0, 7])]);
    }
}
