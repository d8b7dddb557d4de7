//! Contradictions in `gateway.toml` that its types cannot rule out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_core::community::build::{CameraTopic, PictureModel};
use gatehouse_core::community::document::Document;
use gatehouse_core::community::fault::{Fault, listed, nearest};
use gatehouse_core::community::{Source, SourceKind};

use crate::alert::config::ChannelConfig;
use crate::bundle::keys;
use crate::config::camera::CameraAccess;
use crate::config::evidence::{EvidenceConfig, LONGEST, LONGEST_BASIS};
use crate::config::{
    Access, BrokerConfig, BusConfig, Confirm, ConsoleConfig, GatewayConfig, LineConfig,
    MOST_STATISTICS_DAYS, UplinkConfig,
};
use crate::console::tls::Tls;
use crate::console::token::Token;
use crate::sight::masking;
use crate::tls::Credentials;
use crate::web;

use super::{buses, cameras, channels};

/// Speeds that serial ports have.
const BAUDS: [u32; 12] =
    [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800];

/// MQTT 3.1.1, section 2.2.3: the longest packet there can be.
const LONGEST_PACKET: usize = 268_435_455;

/// Makes the paths of secrets relative to the folder of `gateway.toml`.
pub(super) fn resolve(config: &mut GatewayConfig, folder: &Path) {
    let brokers = config.brokers.iter_mut().map(|broker| &mut broker.access);
    for access in brokers.chain(config.uplink.iter_mut().map(|uplink| &mut uplink.access)) {
        let Access { user: _, password_file, ca_file, cert_file, key_file } = access;
        for path in [password_file, ca_file, cert_file, key_file].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    for camera in &mut config.cameras {
        let CameraAccess { user: _, password_file, ca_file } = &mut camera.access;
        for path in [password_file, ca_file].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    for (_, path) in config.channels.iter_mut().flat_map(ChannelConfig::files) {
        *path = folder.join(&*path);
    }
    for hook in &mut config.bays_webhooks {
        for path in [Some(&mut hook.secret_file), hook.ca_file.as_mut()].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    let ConsoleConfig {
        enabled: _,
        listen: _,
        token_file,
        cert_file,
        key_file,
        plain_http: _,
        public_bays: _,
    } = &mut config.console;
    let files = [token_file, cert_file, key_file].into_iter().flatten();
    let command_keys = config.uplink.iter_mut().flat_map(|uplink| &mut uplink.command_keys);
    let bundles = config.bundles.trusted_keys.iter_mut().chain(&mut config.bundles.ca_file);
    for path in files.chain(bundles).chain(command_keys) {
        *path = folder.join(&*path);
    }
}

pub(super) fn check(document: &mut Document, config: &GatewayConfig, folder: &Path) {
    for (key, name) in [("id", &config.gateway.id), ("township", &config.gateway.township)] {
        check_name(document, &format!("gateway.{key}"), name);
    }
    let mut ids = BTreeMap::new();
    for (position, broker) in config.brokers.iter().enumerate() {
        let path = format!("broker.{position}");
        check_name(document, &format!("{path}.id"), &broker.id);
        check_unique(document, &format!("{path}.id"), &broker.id, &mut ids);
        check_broker(document, &path, broker);
    }
    for (position, line) in config.lines.iter().enumerate() {
        let path = format!("line.{position}");
        check_name(document, &format!("{path}.id"), &line.id);
        check_unique(document, &format!("{path}.id"), &line.id, &mut ids);
        check_line(document, &path, line);
    }
    cameras::check(document, config, &mut ids);
    buses::check(document, config, &mut ids);
    check_endpoints(document, config);
    check_models(document, config, folder);
    channels::check(document, config);
    if let Some(uplink) = &config.uplink {
        check_uplink(document, uplink);
    }
    if let Some(evidence) = &config.evidence {
        check_evidence(document, evidence);
    }
    if config.store.statistics_days > MOST_STATISTICS_DAYS {
        let message = format!(
            "`statistics-days` is {}, expected at most {MOST_STATISTICS_DAYS}",
            config.store.statistics_days
        );
        document.fault("store.statistics-days", message, None);
    }
    if config.store.max_waiting == 0 {
        let message = "`max-waiting` is 0, so no event could ever be delivered";
        document.fault("store.max-waiting", message, None);
    } else if config.store.max_journal < config.store.max_waiting {
        let message = format!(
            "`max-journal`, {}, is less than `max-waiting`, {}; waiting records would be lost",
            config.store.max_journal, config.store.max_waiting
        );
        let has_journal = document.has("store.max-journal");
        let key = if has_journal { "store.max-journal" } else { "store.max-waiting" };
        document.fault(key, message, None);
    }
}

fn check_evidence(document: &mut Document, evidence: &EvidenceConfig) {
    let EvidenceConfig { keep, basis } = evidence;
    if keep.0.is_zero() || keep.0 > LONGEST {
        let message = format!("`keep` is {keep}, expected more than nothing and 30 days at most");
        let help = "write `keep = \"72 h\"`; to keep no still at all, leave `[evidence]` out";
        document.fault("evidence.keep", message, Some(help.to_owned()));
    }
    if basis.trim().is_empty() {
        let message = "`basis` is empty; by what right do cameras look here?";
        let help = "as in `basis = \"decision of the residents' assembly of 3 May 2026\"`";
        document.fault("evidence.basis", message, Some(help.to_owned()));
    } else if basis.chars().count() > LONGEST_BASIS {
        let message = format!("`basis` is longer than {LONGEST_BASIS} letters");
        document.fault("evidence.basis", message, None);
    }
}

/// What is told where stills are to be kept and none can be made.
pub(super) fn unmasked(
    document: &Document,
    config: &GatewayConfig,
    installed: &[PictureModel],
) -> Option<Fault> {
    config.evidence.as_ref()?;
    let missing = masking::missing(|name| installed.iter().any(|model| model.name == name));
    let (model, find, is) =
        if missing.len() == 1 { ("model", "finds", "is") } else { ("models", "find", "are") };
    let message = format!(
        "no still is kept: the {model} {} that {find} who must be hidden in it {is} not installed",
        listed(&missing),
    );
    let help = "copy what is missing to `models/`, or install it: `gatehouse bundle install`";
    let (file, span) = (document.file().to_owned(), document.span("evidence"));
    let fault = Fault { file, span, message, help: Some(help.to_owned()) };
    (!missing.is_empty()).then_some(fault)
}

fn check_models(document: &mut Document, config: &GatewayConfig, folder: &Path) {
    let path = folder.join(&config.models.path);
    if document.has("models.path") && !path.is_dir() {
        let message = format!("there is no folder `{}`", path.display());
        let help = "the folder that holds one folder per model, from here: `../models`".to_owned();
        document.fault("models.path", message, Some(help));
    }
    if let Some(library) = &config.models.onnxruntime {
        check_file(document, "models.onnxruntime", library);
    }
    for (position, key) in config.bundles.trusted_keys.iter().enumerate() {
        if let Err(error) = keys::public(key) {
            let help = "`gatehouse bundle keygen` writes it beside the private key, as `.pub`";
            let path = format!("bundles.trusted-keys.{position}");
            document.fault(&path, error.to_string(), Some(help.to_owned()));
        }
    }
    if let Some(authorities) = &config.bundles.ca_file
        && let Err(why) = web::roots(Some(authorities))
    {
        document.fault("bundles.ca-file", why.to_string(), None);
    }
    if let Some(Err(error)) = config.console.token_file.as_deref().map(Token::read) {
        document.fault("console.token-file", error.to_string(), None);
    }
    let (cert, key) = (&config.console.cert_file, &config.console.key_file);
    if let Some(given) = [("cert-file", cert), ("key-file", key)].iter().find(|(_, f)| f.is_some())
        && let Err(error) = Tls::of(&config.console, folder)
    {
        document.fault(&format!("console.{}", given.0), error.to_string(), None);
    } else if cert.is_some() && config.console.plain_http {
        let message = "`plain-http` and `cert-file` contradict each other; take one of them out";
        document.fault("console.plain-http", message, None);
    }
}

/// Brokers, lines, cameras and buses, in the order that [`gatehouse_core::reading::SourceIndex`] counts them; `None`
/// when some id is told as wrong already, so that nobody misses it a second time.
pub(super) fn sources(document: &Document, config: &GatewayConfig) -> Option<Vec<Source>> {
    let source = |id: &String, kind| Source { id: id.clone(), kind };
    let brokers = config.brokers.iter().map(|broker| source(&broker.id, SourceKind::Broker));
    let lines = config.lines.iter().map(|line| source(&line.id, SourceKind::Line));
    let is_sure = |list: &&str| !document.has_doubtful(list, "id");
    let cameras = config.cameras.iter().map(|camera| source(&camera.id, SourceKind::Camera));
    // One that contradicts itself is told already; its devices are not told of it again.
    let kind = |bus: &BusConfig| bus.ends().first().map(|(kind, _)| *kind);
    if config.buses.iter().any(|bus| bus.ends().len() != 1) {
        return None;
    }
    let local =
        config.buses.iter().filter_map(|bus| Some(source(&bus.id, SourceKind::Bus(kind(bus)?))));
    let all = brokers.chain(lines).chain(cameras).chain(local);
    ["broker", "line", "camera", "bus"].iter().all(is_sure).then(|| all.collect())
}

/// Where cameras publish their pictures.
pub(super) fn camera_topics(config: &GatewayConfig) -> Vec<CameraTopic> {
    let cameras = config.cameras.iter().filter_map(|camera| {
        let (broker, topic) = camera.broker.clone().zip(camera.topic.clone())?;
        Some(CameraTopic { camera: camera.id.clone(), broker, topic })
    });
    cameras.collect()
}

/// Names become levels of topics.
pub(super) fn check_name(document: &mut Document, path: &str, name: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if name.is_empty() || !name.chars().all(is_plain) {
        let message = format!("`{name}` is not a name; expected letters, digits, dashes and dots");
        document.fault(path, message, None);
    }
}

pub(super) fn check_unique<'c>(
    document: &mut Document,
    path: &str,
    id: &'c str,
    ids: &mut BTreeMap<&'c str, usize>,
) {
    let (line, _) = document.line_and_column(path);
    if let Some(first) = ids.get(id) {
        let help = "give each broker, line and camera an id of its own".to_owned();
        document.fault(path, format!("`{id}` is taken already, in line {first}"), Some(help));
    } else {
        ids.insert(id, line);
    }
}

fn check_broker(document: &mut Document, path: &str, broker: &BrokerConfig) {
    let is_tls = check_url(document, &format!("{path}.url"), &broker.url);
    check_access(document, path, &broker.url, &broker.access, is_tls);
    if !(1..=LONGEST_PACKET).contains(&broker.max_payload_bytes) {
        let message = format!("`max-payload-bytes` is 1 to {LONGEST_PACKET}");
        document.fault(&format!("{path}.max-payload-bytes"), message, None);
    }
}

/// Whether the URL asks for TLS; `None` when it is no URL.
fn check_url(document: &mut Document, path: &str, url: &str) -> Option<bool> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let is_tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        _ => {
            let message = format!(
                "`{url}` is not a broker; expected `mqtt://host:1883` or `mqtts://host:8883`"
            );
            let help = match scheme {
                "tcp" | "" => Some(format!("did you mean `mqtt://{rest}`?")),
                "ssl" | "tls" => Some(format!("did you mean `mqtts://{rest}`?")),
                _ => nearest(scheme, ["mqtt", "mqtts"]),
            };
            document.fault(path, message, help);
            return None;
        }
    };
    let address = rest.trim_end_matches('/');
    let has_port = address.rsplit_once(':').is_some_and(|(host, _)| !host.ends_with(':'))
        && !address.ends_with(']');
    if address.contains(['/', '@', '?']) || !is_endpoint(address, has_port) {
        let help = address.contains('@').then(|| "user and password go to `access`".to_owned());
        document.fault(path, format!("`{url}` has no host, or no port that exists"), help);
    }
    Some(is_tls)
}

/// `host:port`, or `host` alone where a port may be left out; IPv6 in brackets.
fn is_endpoint(text: &str, has_port: bool) -> bool {
    if !has_port {
        return !text.is_empty();
    }
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn check_access(
    document: &mut Document,
    of: &str,
    url: &str,
    access: &Access,
    is_tls: Option<bool>,
) {
    let path = &format!("{of}.access");
    let faults_before = document.faults().len();
    let pairs = [
        ("user", access.user.is_some(), "password-file", access.password_file.is_some()),
        ("cert-file", access.cert_file.is_some(), "key-file", access.key_file.is_some()),
    ];
    for (one, has_one, other, has_other) in pairs {
        if has_one != has_other {
            let (given, missing) = if has_one { (one, other) } else { (other, one) };
            if document.is_doubtful(&format!("{path}.{missing}")) {
                continue;
            }
            let message = format!("`{given}` needs `{missing}` too");
            document.key_fault(&format!("{path}.{given}"), message, None);
        }
    }
    let files = [
        ("password-file", &access.password_file, false),
        ("ca-file", &access.ca_file, true),
        ("cert-file", &access.cert_file, true),
        ("key-file", &access.key_file, true),
    ];
    for (key, file, is_for_tls) in files {
        let Some(file) = file else { continue };
        let path = format!("{path}.{key}");
        if is_for_tls && is_tls == Some(false) {
            let message =
                format!("`{key}` is for TLS, but the broker's `url` begins with `mqtt://`");
            document.key_fault(&path, message, Some("did you mean `mqtts://`?".to_owned()));
        }
        check_file(document, &path, file);
    }
    if is_tls.is_none() || document.faults().len() > faults_before {
        return;
    }
    // All files are there; what is in them?
    if let Err(error) = Credentials::read(url, access) {
        let is_in = |file: &&Option<PathBuf>| file.is_some() && file.as_deref() == error.file();
        let key = files.iter().find(|(_, file, _)| is_in(file)).map(|(key, ..)| key);
        let place = key.map_or_else(|| format!("{of}.url"), |key| format!("{path}.{key}"));
        document.fault(&place, error.to_string(), None);
    }
}

pub(super) fn check_file(document: &mut Document, path: &str, file: &PathBuf) {
    if let Err(error) = std::fs::File::open(file) {
        let message = format!("`{}` cannot be read: {error}", file.display());
        document.fault(path, message, None);
    }
}

fn check_line(document: &mut Document, path: &str, line: &LineConfig) {
    let ends = [
        ("tcp", line.tcp.is_some()),
        ("rtu-over-tcp", line.rtu_over_tcp.is_some()),
        ("serial", line.serial.is_some()),
    ];
    let set: Vec<&str> = ends.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key).collect();
    match set.as_slice() {
        [_] => {}
        [] => {
            let message = "a line has one of `tcp`, `rtu-over-tcp` and `serial`, found none";
            document.fault(path, message, None);
        }
        [first, second, ..] => {
            let message = format!(
                "a line has one of `tcp`, `rtu-over-tcp` and `serial`, found `{first}` and `{second}`"
            );
            document.key_fault(&format!("{path}.{second}"), message, None);
        }
    }
    for (key, address) in [("tcp", &line.tcp), ("rtu-over-tcp", &line.rtu_over_tcp)] {
        if let Some(address) = address.as_ref().filter(|address| !is_endpoint(address, true)) {
            let message = format!("`{address}` is not an address; expected `host:502`");
            document.fault(&format!("{path}.{key}"), message, None);
        }
    }
    if line.serial.is_none() {
        for key in ["baud", "parity", "stop-bits"] {
            if document.has(&format!("{path}.{key}")) {
                let message = format!("`{key}` is for `serial` lines");
                document.key_fault(&format!("{path}.{key}"), message, None);
            }
        }
    }
    if !BAUDS.contains(&line.baud) {
        let closest = BAUDS.into_iter().min_by_key(|baud| baud.abs_diff(line.baud));
        let help = closest.map(|baud| format!("did you mean {baud}?"));
        let message = format!("serial ports do not run at {} baud", line.baud);
        document.fault(&format!("{path}.baud"), message, help);
    }
    if !(1..=2).contains(&line.stop_bits) {
        document.fault(&format!("{path}.stop-bits"), "`stop-bits` is 1 or 2", None);
    }
    if line.timeout.0.is_zero() {
        let message = "`timeout` must be longer than nothing, or no slave could answer";
        document.fault(&format!("{path}.timeout"), message, None);
    }
    if let Some(gap) = line.gap
        && line.serial.is_some()
        && gap.0 < shortest_gap(line.baud)
    {
        let shortest = shortest_gap(line.baud).as_secs_f64() * 1_000.0;
        let message = format!("`gap` is at least 3.5 characters, {shortest:.2} ms at this speed");
        document.fault(&format!("{path}.gap"), message, None);
    }
}

/// Modbus over serial line V1.02, section 2.5.1.1: 3.5 characters of 11 bits; above 19200 baud fixed.
fn shortest_gap(baud: u32) -> Duration {
    if baud > 19_200 {
        return Duration::from_micros(1_750);
    }
    Duration::from_secs_f64(38.5 / f64::from(baud.max(1)))
}

/// Two tasks at one end would disturb each other.
fn check_endpoints(document: &mut Document, config: &GatewayConfig) {
    let mut ends: BTreeMap<String, String> = BTreeMap::new();
    let brokers = config.brokers.iter().enumerate().map(|(position, broker)| {
        let client = broker.client_id.clone().unwrap_or_default();
        let end = format!("{} {client}", broker.url.trim_end_matches('/'));
        (format!("broker.{position}.url"), end, &broker.id)
    });
    let lines = config.lines.iter().enumerate().filter_map(|(position, line)| {
        let (key, end) = match (&line.tcp, &line.rtu_over_tcp, &line.serial) {
            (Some(end), None, None) => ("tcp", end.clone()),
            (None, Some(end), None) => ("rtu-over-tcp", end.clone()),
            (None, None, Some(end)) => ("serial", end.display().to_string()),
            _ => return None,
        };
        Some((format!("line.{position}.{key}"), end, &line.id))
    });
    let buses = config.buses.iter().enumerate().filter_map(|(position, bus)| {
        let (kind, end) = *bus.ends().first()?;
        Some((format!("bus.{position}.{}", kind.word()), end.display().to_string(), &bus.id))
    });
    for (path, end, id) in brokers.chain(lines).chain(buses) {
        let (entry, _) = path.rsplit_once('.').unwrap_or_default();
        if document.is_doubtful(&format!("{entry}.id")) {
            // A copy that kept its id has kept its end as well.
            continue;
        }
        if let Some(other) = ends.get(&end) {
            let help = "one connection serves all devices behind it".to_owned();
            document.fault(&path, format!("`{other}` is at this end already"), Some(help));
        } else {
            ends.insert(end, id.clone());
        }
    }
}

fn check_uplink(document: &mut Document, uplink: &UplinkConfig) {
    let is_tls = check_url(document, "uplink.url", &uplink.url);
    check_access(document, "uplink", &uplink.url, &uplink.access, is_tls);
    if let Some(topic) = &uplink.events_topic
        && (topic.is_empty() || topic.contains(['+', '#', '\0']))
    {
        let message = format!("`{topic}` is not a topic to publish to; it has no `+` and no `#`");
        document.fault("uplink.events-topic", message, None);
    }
    if uplink.resend_after.0.is_zero() {
        document.fault("uplink.resend-after", "`resend-after` must be longer than nothing", None);
    }
    for (position, key) in uplink.command_keys.iter().enumerate() {
        if let Err(error) = keys::public(key) {
            let help = "`gatehouse bundle keygen` writes it beside the private key, as `.pub`";
            let path = format!("uplink.command-keys.{position}");
            document.fault(&path, error.to_string(), Some(help.to_owned()));
        }
    }
    if uplink.confirm == Confirm::Platform
        && uplink.command_keys.is_empty()
        && uplink.access.cert_file.is_none()
        && !document.is_doubtful("uplink.access")
    {
        let message = "with `confirm = \"platform\"` the platform must be able to confirm";
        let help = "give `access.cert-file` and `access.key-file`, or `command-keys`";
        document.fault("uplink.confirm", message, Some(help.to_owned()));
    }
    if uplink.retry_min.0.is_zero() {
        document.fault("uplink.retry-min", "`retry-min` must be longer than nothing", None);
    }
    if uplink.retry_min > uplink.retry_max {
        let message = format!(
            "`retry-min`, {}, is longer than `retry-max`, {}",
            uplink.retry_min, uplink.retry_max
        );
        let key = if document.has("uplink.retry-min") { "retry-min" } else { "retry-max" };
        document.fault(&format!("uplink.{key}"), message, None);
    }
}
