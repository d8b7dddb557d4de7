//! How the gateway asks others over HTTP: whom it believes, how long it waits, and that it is led
//! nowhere else than it was told to go.

mod secured;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use crate::tls::{self, AccessError};
use secured::Secured;

/// An agent for one request, which takes no longer than `patience` in all.
///
/// # Errors
/// The certificates of `ca_file` cannot be used; in words.
pub(crate) fn agent(
    url: &str,
    ca_file: Option<&Path>,
    patience: Duration,
) -> Result<Agent, String> {
    let roots = if url.starts_with("https:") {
        roots(ca_file).map_err(|error| error.to_string())?
    } else {
        RootCertStore::empty()
    };
    Ok(open(settings().timeout_global(Some(patience)), roots))
}

/// What holds for all of them: no redirect is followed and no proxy asked, and what is no success is an
/// answer like any other.
pub(crate) fn settings() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
}

/// An agent that believes these authorities.
pub(crate) fn open(
    settings: ConfigBuilder<AgentScope>,
    roots: impl Into<Arc<RootCertStore>>,
) -> Agent {
    let tls = tls::judging().with_root_certificates(roots).with_no_client_auth();
    let connector = ().chain(TcpConnector::default()).chain(Secured(Arc::new(tls)));
    Agent::with_parts(settings.build(), connector, DefaultResolver::default())
}

/// Whom to believe: the authorities in this file, or those that the system believes.
///
/// # Errors
/// The file cannot be read, or holds none that can be used.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, AccessError> {
    if let Some(path) = ca_file {
        return tls::roots(path);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(roots)
}
