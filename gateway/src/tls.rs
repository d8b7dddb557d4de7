//! How a broker is reached and trusted: its URL, our name and password there, certificates.
//!
//! Only the authority in `ca-file` is believed: a broker on a sensor network or at a township has a
//! private one, and none of the world's public authorities has any business there. Certificates are judged by
//! a time that is never before the program was built or the clock was last known to be right.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::clock;
use crate::config::Access;

/// `mqtt://host:port` or `mqtts://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
}

impl FromStr for Endpoint {
    type Err = AccessError;

    fn from_str(url: &str) -> Result<Self, AccessError> {
        let wrong = || AccessError::Url(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let is_tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        // A colon inside brackets belongs to an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            Some(_) | None => (rest, if is_tls { 8883 } else { 1883 }),
        };
        if host.is_empty() || port == 0 || host.contains(['/', '@', '?']) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, is_tls })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Why a broker cannot even be tried: the configuration or a file that it names is wrong.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("`{0}` is no broker address; expected `mqtt://host:port` or `mqtts://host:port`")]
    Url(String),
    #[error("`{0}` wants TLS, but no `ca-file` says whom to believe")]
    NoAuthority(Endpoint),
    #[error("`cert-file` and `key-file` belong together; only one of them is given")]
    HalfACertificate,
    #[error("`password-file` is given, but no `user`")]
    PasswordWithoutUser,
    #[error("{} cannot be read: {error}", .path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{} holds no {expected} in PEM form{}", .path.display(), detail(.why))]
    NotPem { path: PathBuf, expected: &'static str, why: String },
    #[error("{} cannot be used: {error}", .path.display())]
    Unusable { path: PathBuf, error: rustls::Error },
}

impl AccessError {
    /// The file that it is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { path, .. }
            | Self::NotPem { path, .. }
            | Self::Unusable { path, .. } => Some(path),
            Self::Url(_)
            | Self::NoAuthority(_)
            | Self::HalfACertificate
            | Self::PasswordWithoutUser => None,
        }
    }
}

fn detail(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({why})") }
}

/// What is needed to log in, read from the files that the configuration names.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub endpoint: Endpoint,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Present for `mqtts://`.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Credentials {
    /// Reads and checks everything, so that what can be wrong before the first connection is told
    /// at start.
    pub fn read(url: &str, access: &Access) -> Result<Self, AccessError> {
        let endpoint: Endpoint = url.parse()?;
        let login = match (&access.user, &access.password_file) {
            (Some(user), Some(path)) => Some((user.clone(), password(path)?)),
            (Some(user), None) => Some((user.clone(), String::new())),
            (None, Some(_)) => return Err(AccessError::PasswordWithoutUser),
            (None, None) => None,
        };
        let tls = endpoint.is_tls.then(|| client_config(&endpoint, access)).transpose()?;
        Ok(Self { endpoint, login, tls })
    }
}

/// A warning only: the gateway's connection is worth more, and others' rights may have been given
/// on purpose.
pub fn warn_if_exposed(access: &Access) {
    let secrets = access.password_file.iter().chain(&access.key_file);
    for path in secrets.filter(|path| is_exposed(path)) {
        tracing::warn!(file = %path.display(),
            "others on this box can read this secret; close it to them (`chmod 600`)");
    }
}

fn is_exposed(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0)
}

pub(crate) fn password(path: &Path) -> Result<String, AccessError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| AccessError::Unreadable { path: path.to_owned(), error })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn client_config(endpoint: &Endpoint, access: &Access) -> Result<Arc<ClientConfig>, AccessError> {
    install_provider();
    let Some(ca) = &access.ca_file else {
        return Err(AccessError::NoAuthority(endpoint.clone()));
    };
    let builder = judging().with_root_certificates(roots(ca)?);
    let config = match (&access.cert_file, &access.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let unusable = |error| AccessError::Unusable { path: key.clone(), error };
            let private = private_key(key)?;
            builder.with_client_auth_cert(certificates(cert)?, private).map_err(unusable)?
        }
        (Some(_), None) | (None, Some(_)) => return Err(AccessError::HalfACertificate),
    };
    Ok(Arc::new(config))
}

/// A connection of ours, which judges by the right time; whom it believes is still to be said.
pub(crate) fn judging() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_details(provider, Arc::new(Plausible))
        .with_safe_default_protocol_versions()
        .expect("ring has ciphers for both versions")
}

/// The authorities in a PEM file.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, AccessError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let added = roots.add(certificate);
        added.map_err(|error| AccessError::Unusable { path: path.to_owned(), error })?;
    }
    Ok(roots)
}

/// The time by which certificates are judged.
#[derive(Debug)]
struct Plausible;

impl TimeProvider for Plausible {
    fn current_time(&self) -> Option<UnixTime> {
        let now = u64::try_from(clock::wall().0).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(now)))
    }
}

/// The certificates in a PEM file; one at least.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let not_pem =
        |why: String| AccessError::NotPem { path: path.to_owned(), expected: "certificate", why };
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(not_pem(String::new())),
        Ok(found) => Ok(found),
        Err(error) => Err(not_pem(error.to_string())),
    }
}

/// The private key in a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, AccessError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| AccessError::NotPem {
        path: path.to_owned(),
        expected: "private key",
        why: error.to_string(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    std::fs::read(path).map_err(|error| AccessError::Unreadable { path: path.to_owned(), error })
}

/// Makes ring the process's TLS engine. Harmless when it is one already.
pub fn install_provider() {
    let _already = rustls::crypto::ring::default_provider().install_default();
}

/// What a broken connection's text means for the person who has to mend it.
pub fn explain(error: &str) -> String {
    const HINTS: [(&str, &str); 9] = [
        ("UnknownIssuer", "its certificate is not from the authority in `ca-file`"),
        ("not valid for name", "its certificate is for another host name than the one in `url`"),
        ("certificate expired", "its certificate has expired, or the clock here is wrong"),
        ("not valid yet", "its certificate is not valid yet, or the clock here is wrong"),
        ("CertificateRequired", "it wants a certificate of ours: `cert-file` and `key-file`"),
        ("UnknownCA", "it does not believe the authority of our `cert-file`"),
        ("NotAuthorized", "check `user`, `password-file` and the broker's access list"),
        ("BadUserNamePassword", "check `user` and `password-file`"),
        ("os error 111", "nothing listens there; is it running?"),
    ];
    let hint = HINTS.iter().find(|(word, _)| error.contains(word));
    hint.map_or_else(|| error.to_owned(), |(_, hint)| format!("{error}: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        let endpoint = |host: &str, port, is_tls| Endpoint { host: host.into(), port, is_tls };
        let cases = [
            ("mqtt://broker:1884", Some(endpoint("broker", 1884, false))),
            ("mqtts://broker", Some(endpoint("broker", 8883, true))),
            ("mqtt://10.0.0.1/", Some(endpoint("10.0.0.1", 1883, false))),
            ("mqtt://[::1]:1999", Some(endpoint("[::1]", 1999, false))),
            ("mqtt://[::1]", Some(endpoint("[::1]", 1883, false))),
            ("http://broker", None),
            ("broker:1883", None),
            ("mqtt://:1883", None),
            ("mqtt://broker:0", None),
            ("mqtt://broker:70000", None),
            ("mqtt://user:secret@broker", None),
        ];
        for (url, expected) in cases {
            assert_eq!(url.parse::<Endpoint>().ok(), expected, "{url}");
        }
    }

    #[test]
    fn what_is_missing_for_tls_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let text = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let said = |access: &Access| {
            Credentials::read("mqtts://broker:8883", access).unwrap_err().to_string()
        };

        assert_eq!(
            said(&Access::default()),
            "`mqtts://broker:8883` wants TLS, but no `ca-file` says whom to believe"
        );
        let empty = Access { ca_file: Some(text("ca.pem", "hello")), ..Access::default() };
        assert!(said(&empty).ends_with("ca.pem holds no certificate in PEM form"));
        let missing = Access { ca_file: Some(folder.path().join("no.pem")), ..Access::default() };
        assert!(said(&missing).contains("no.pem cannot be read: No such file"));
        let lonely = Access { password_file: Some(text("p", "x")), ..Access::default() };
        assert_eq!(said(&lonely), "`password-file` is given, but no `user`");
    }

    #[test]
    fn a_password_file_may_end_in_a_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, " se cret \r\n").unwrap();
        let access =
            Access { user: Some("u".into()), password_file: Some(path), ..Access::default() };

        let credentials = Credentials::read("mqtt://broker", &access).unwrap();

        assert_eq!(credentials.login, Some(("u".into(), " se cret ".into())));
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_noticed_and_one_for_a_group_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();

        for (mode, expected) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(is_exposed(file.path()), expected, "{mode:o}");
        }
    }
}
