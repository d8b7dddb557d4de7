//! How the gateway asks others over HTTP: whom it believes, how long it waits, and that it is led
//! nowhere else than it was told to go.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::tls::install_provider;

/// An agent for one request, which takes no longer than `patience` in all. It follows no redirect and
/// asks no proxy, and what is no success is an answer like any other.
///
/// # Errors
/// The certificates of `ca_file` cannot be used; in words.
pub(crate) fn agent(
    url: &str,
    ca_file: Option<&Path>,
    patience: Duration,
) -> Result<Agent, String> {
    install_provider();
    let roots = if url.starts_with("https:") { roots(ca_file)? } else { Vec::new() };
    let tls = TlsConfig::builder().root_certs(RootCerts::from(roots)).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().new_agent())
}

/// Whom to believe: the authorities in this file, or those that the system believes.
///
/// # Errors
/// The file cannot be read or holds none; in words.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<Vec<Certificate<'static>>, String> {
    let Some(path) = ca_file else {
        let found = rustls_native_certs::load_native_certs().certs;
        return Ok(found.iter().map(|der| Certificate::from_der(der).to_owned()).collect());
    };
    let pem = std::fs::read(path)
        .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    let roots: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        })
        .collect();
    if roots.is_empty() {
        return Err(format!("`{}` holds no certificate", path.display()));
    }
    Ok(roots)
}
