//! What every request passes first: is it meant for us, who sends it, in which language.
//!
//! - The `Host` must be an address or `localhost`: a page elsewhere that points its own name at a
//!   loopback address (DNS rebinding) is not us.
//! - What changes something must come from our own pages; so must what a script in a browser asks.
//! - Everything but the login, health and static files wants a session or a bearer token, and the
//!   right that [`needed`] names.
//! - What changes something and comes with a session carries that session's `csrf` as well: in the
//!   form, or for a script of our own pages in the header `x-csrf`.
//!
//! On the way out each answer gets the headers that keep a browser strict.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use gatehouse_core::community::quantity::Language;
use tokio::time::Instant;

use super::access::{Bearer, Denied, Session, Who};
use super::door::Peer;
use super::failure::Failure;
use super::phone::upload::{self, Fields, is_multipart};
use super::rights::needed;
use super::{Console, MAX_BODY, integrate, link};
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::clock;

/// Who reads the answer and how.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub language: Language,
    /// A browser that shows a page, not a script.
    pub wants_page: bool,
    /// Path and query, to come back to.
    address: String,
}

/// What let the request in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pass {
    /// Nothing: the address is open to all.
    Open,
    /// A person's browser.
    Session(Session),
    /// The bearer token.
    Script,
}

impl Pass {
    /// Whether it still holds; a stream outlives the request that began it.
    pub(super) fn holds(&self, console: &Console, now: Instant) -> bool {
        match self {
            Self::Open | Self::Script => true,
            Self::Session(session) => console.access().who(session, now).is_some(),
        }
    }
}

/// The middleware around all pages.
pub(super) async fn guard(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (reader, chosen) = Reader::of(&request, console.sources.language);
    let mut response = match admit(&console, &mut request).await {
        Ok((pass, principal)) => {
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            request.extensions_mut().insert(reader.clone());
            request.extensions_mut().insert(pass);
            next.run(request).await
        }
        Err(failure) => failure.answer(&reader),
    };
    if let Some(language) = chosen {
        let cookie = match language {
            Language::Zh => "lang=zh; Path=/; Max-Age=31536000; SameSite=Strict",
            Language::En => "lang=en; Path=/; Max-Age=31536000; SameSite=Strict",
        };
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
    harden(response.headers_mut());
    response
}

async fn admit(
    console: &Console,
    request: &mut Request,
) -> Result<(Pass, Option<Principal>), Failure> {
    let headers = request.headers();
    let host = text(headers, &header::HOST).unwrap_or_default();
    let is_link = link::is_link(request.uri().path());
    if !is_our_name(host, console.bound, &console.names) && !is_link {
        return Err(Failure::ForeignHost);
    }
    let token = text(headers, &header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
    });
    if token.is_none() && !is_our_page(request, host) {
        // A script that forgot its token is told that; there is nothing of a browser about it.
        let is_script = request.uri().path().starts_with("/api/")
            && [header::ORIGIN, header::COOKIE].iter().all(|name| !headers.contains_key(name))
            && !headers.contains_key("sec-fetch-site");
        return Err(if is_script { Failure::NoLogin } else { Failure::ForeignOrigin });
    }
    // What may bring a picture, which is taken only where it can be masked.
    let takes_pictures = console.sources.pictures.stills.are_allowed()
        && (matches!(request.uri().path(), "/report" | "/errands") || is_link);
    if text(headers, &header::CONTENT_TYPE).is_some_and(is_multipart) && !takes_pictures {
        return Err(Failure::NoPicture);
    }
    let path = request.uri().path();
    let is_public = console.sources.place.has_public_bays
        && matches!(path, "/bays" | "/api/v1/bays" | "/api/v1/bays/stream");
    if is_public
        || is_link
        || matches!(path, "/healthz" | "/readyz" | "/login")
        || path.starts_with("/static/")
    {
        return Ok((Pass::Open, None));
    }

    console.look_again().await;
    let (pass, principal) = if let Some(token) = token {
        (Pass::Script, script(console, request, &token)?)
    } else {
        let (session, who) = session(console, request)?;
        if who == Who::Setup {
            check_csrf(request, &session.csrf()).await?;
            return set_up(request, session);
        }
        let principal = who.principal(&console.accounts.book(), &session);
        (Pass::Session(session), principal.ok_or(Failure::NoLogin)?)
    };
    let right = needed(request.method(), request.uri().path());
    if !principal.may(right) {
        let about = format!("{} {}", request.method(), request.uri().path());
        let is_news = console.access().is_news(&principal.name, Instant::now());
        if is_news {
            console.note(
                &principal.name,
                "access",
                &about,
                Outcome::Refused,
                &format!("{right:?}"),
            );
        }
        return Err(Failure::NotAllowed);
    }
    if let Some(csrf) = &principal.csrf {
        check_csrf(request, csrf).await?;
    }
    Ok((pass, Some(principal)))
}

fn script(console: &Console, request: &Request, token: &str) -> Result<Principal, Failure> {
    let (from, now) = (from(request), Instant::now());
    let bearer = console.access().bearer(token, from, clock::wall(), now);
    if let Err(denied) = &bearer
        && console.access().is_news(&from.to_string(), now)
    {
        let detail = format!("from {from}: {denied}");
        console.note("", "token", "", Outcome::Refused, &detail);
    }
    let Bearer { principal, metrics_only, used } = match bearer {
        Ok(bearer) => bearer,
        Err(Denied::Locked(wait)) => return Err(Failure::Locked(wait)),
        Err(Denied::Wrong | Denied::NoRandom(_)) => return Err(Failure::WrongToken),
    };
    if let Some(name) = used {
        let accounts = console.accounts.clone();
        // Nobody waits for it: a use that is not written down is no reason to refuse it.
        drop(tokio::task::spawn_blocking(move || accounts.used(&name, clock::wall())));
    }
    if metrics_only && request.uri().path() != "/metrics" {
        return Err(Failure::NotAllowed);
    }
    Ok(principal)
}

fn session(console: &Console, request: &Request) -> Result<(Session, Who), Failure> {
    let session = cookie(request.headers(), &console.cookie);
    let session = session.map(|value| Session(value.to_owned())).ok_or(Failure::NoLogin)?;
    let who = console.access().visit(&session, Instant::now()).ok_or(Failure::NoLogin)?;
    Ok((session, who))
}

/// Whoever has the set-up password may make the first admin, or leave.
fn set_up(request: &Request, session: Session) -> Result<(Pass, Option<Principal>), Failure> {
    match request.uri().path() {
        "/setup" | "/logout" => Ok((Pass::Session(session), None)),
        _ => Err(Failure::NotSetUp),
    }
}

/// Whether a page of that very session sent it. `/logout` needs none: the button stands around every
/// page, and who is made to leave by a page of our own has lost nothing.
async fn check_csrf(request: &mut Request, csrf: &str) -> Result<(), Failure> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_read || request.uri().path() == "/logout" {
        return Ok(());
    }
    let is_right = |given: &str| given == csrf;
    if request.headers().get("x-csrf").and_then(|v| v.to_str().ok()).is_some_and(is_right) {
        return Ok(());
    }
    let body = std::mem::take(request.body_mut());
    let is_payload = request.uri().path().starts_with("/integrate");
    let kind = text(request.headers(), &header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let is_upload = is_multipart(&kind);
    let most = match (is_upload, is_payload) {
        (true, _) => upload::MOST,
        (false, true) => integrate::MAX_BODY,
        (false, false) => MAX_BODY,
    };
    let body: Bytes = to_bytes(body, most).await.map_err(|_| Failure::TooLong)?;
    let found = if is_upload {
        let read = Fields::read(&kind, &body);
        read.is_some_and(|read| read.texts.iter().any(|(k, v)| k == "csrf" && is_right(v)))
    } else {
        // Hexadecimal, so nothing in it is ever escaped.
        let mut fields = body.split(|byte| *byte == b'&');
        fields.any(|field| field.strip_prefix(b"csrf=") == Some(csrf.as_bytes()))
    };
    *request.body_mut() = Body::from(body);
    if found { Ok(()) } else { Err(Failure::OldForm) }
}

/// Where a request comes from.
pub(super) fn from(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    peer.map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |ConnectInfo(Peer(from))| from.ip())
}

/// `localhost`, a loopback address, the address that we listen on, or one of our names; any address
/// when we listen on all of them. The port does not matter: it may be forwarded.
pub(super) fn is_our_name(host: &str, bound: SocketAddr, names: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let is_ours = |ours: &str| name.eq_ignore_ascii_case(ours);
    if is_ours("localhost") || names.iter().any(|ours| is_ours(ours)) {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok_and(|address| {
        address.is_loopback() || address == bound.ip() || bound.ip().is_unspecified()
    })
}

/// Whether one of our own pages sent it, or a person by hand.
///
/// A cookie's `SameSite` does not tell `localhost:3000` from us; `Origin` and `Sec-Fetch-Site` do.
fn is_our_page(request: &Request, host: &str) -> bool {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let mode = headers.get("sec-fetch-mode").and_then(|v| v.to_str().ok());
        return matches!(site, None | Some("same-origin" | "none")) || mode == Some("navigate");
    }
    match text(headers, &header::ORIGIN) {
        Some(origin) => origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)),
        None => site == Some("same-origin"),
    }
}

/// One policy for all pages: nothing but our own files, nothing inline, nobody frames us.
fn harden(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
        connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        // Not `no-referrer`: with it a form of our own would say `Origin: null`.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

impl Reader {
    /// Also tells the language that the reader has just chosen, to be remembered.
    fn of(request: &Request, fallback: Language) -> (Self, Option<Language>) {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default();
        let chosen = query.split('&').find_map(|p| p.strip_prefix("lang=")).and_then(named);
        let language = chosen
            .or_else(|| cookie(headers, "lang").and_then(named))
            .or_else(|| text(headers, &header::ACCEPT_LANGUAGE).and_then(preferred))
            .unwrap_or(fallback);

        let path = request.uri().path();
        let accept = text(headers, &header::ACCEPT).unwrap_or_default();
        let address = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let wants_page = accept.contains("text/html") && !path.starts_with("/api/");
        // A report in the other language changes nothing about the pages.
        (
            Self { language, wants_page, address },
            chosen.filter(|_| path.strip_suffix(".pdf").is_none()),
        )
    }

    /// The login, which leads back to where the reader wanted to go.
    pub(super) fn login_address(&self) -> String {
        if self.address == "/" {
            return "/login".into();
        }
        format!("/login?next={}", escaped(&self.address))
    }
}

/// As a value within a query.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a String takes all that is written to it");
        }
        escaped
    })
}

fn named(word: &str) -> Option<Language> {
    match word {
        "zh" => Some(Language::Zh),
        "en" => Some(Language::En),
        _ => None,
    }
}

/// The first of our languages in the order of the reader's liking (RFC 9110, 12.5.4).
fn preferred(accept: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for part in accept.split(',').take(32) {
        let mut fields = part.split(';').map(str::trim);
        let tag = fields.next().unwrap_or_default().split('-').next().unwrap_or_default();
        let Some(language) = named(&tag.to_ascii_lowercase()) else { continue };
        let weight =
            fields.find_map(|f| f.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
        let weight = weight.unwrap_or(0.0);
        if weight > best.map_or(0.0, |(w, _)| w) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_answered_to() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 8080));
        let lan = SocketAddr::from(([192, 168, 1, 5], 8080));
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 8080));
        for (host, bound, expected) in [
            ("localhost:8080", loopback, true),
            ("LOCALHOST", loopback, true),
            ("127.0.0.1:9000", loopback, true),
            ("[::1]:8080", loopback, true),
            ("192.168.1.5:8080", loopback, false),
            ("192.168.1.5:8080", lan, true),
            ("192.168.1.6", everywhere, true),
            ("evil.example:8080", everywhere, false),
            ("localhost.evil.example", loopback, false),
            ("", loopback, false),
            ("a b", loopback, false),
        ] {
            assert_eq!(is_our_name(host, bound, &[]), expected, "{host} on {bound}");
        }
        assert!(is_our_name("Gate-1.local:8443", everywhere, &["gate-1.local".into()]));
    }

    #[test]
    fn the_language_is_the_one_the_reader_likes_best_of_ours() {
        for (accept, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Zh)),
            ("de, en;q=0.7, zh;q=0.3", Some(Language::En)),
            ("en;q=0.1,zh-TW;q=0.2", Some(Language::Zh)),
            ("zh;q=0", None),
            ("fr", None),
            (";;;q=,,", None),
        ] {
            assert_eq!(preferred(accept), expected, "{accept}");
        }
    }
}
