//! SOAP as ONVIF speaks it: questions in an envelope, names without their prefixes in the answers.
//!
//! A name and password go as a WS-Security `UsernameToken` with a digest (OASIS `UsernameToken` Profile 1.1,
//! section 3.1): base64 of SHA-1 over nonce, time and password.

use gatehouse_core::reading::Timestamp;
use ring::digest;
use roxmltree::{Document, Node, ParsingOptions};

use super::Login;
use super::base64;
use super::trouble::{Why, shortened};

/// What an answer is posted as.
pub(super) const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";
/// Elements, texts and attributes of the largest answer that is looked into.
const MOST_NODES: u32 = 50_000;

const OASIS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";

/// A question, with our name when there is one. `created` is by the camera's clock.
pub(super) fn envelope(body: &str, login: Option<(&Login, Timestamp, [u8; 16])>) -> String {
    let header = login.map(|(login, created, nonce)| security(login, created, &nonce));
    let header = header.unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">\
         <s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn security(login: &Login, created: Timestamp, nonce: &[u8]) -> String {
    let created = created.to_string();
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in [nonce, created.as_bytes(), login.password.as_bytes()] {
        hash.update(part);
    }
    let digest = base64::encode(hash.finish().as_ref());
    let (user, nonce) = (escaped(&login.user), base64::encode(nonce));
    format!(
        "<w:Security s:mustUnderstand=\"1\" xmlns:w=\"{OASIS}-wssecurity-secext-1.0.xsd\">\
         <w:UsernameToken><w:Username>{user}</w:Username>\
         <w:Password Type=\"{OASIS}-username-token-profile-1.0#PasswordDigest\">{digest}</w:Password>\
         <w:Nonce EncodingType=\"{OASIS}-soap-message-security-1.0#Base64Binary\">{nonce}</w:Nonce>\
         <u:Created xmlns:u=\"{OASIS}-wssecurity-utility-1.0.xsd\">{created}</u:Created>\
         </w:UsernameToken></w:Security>"
    )
}

/// For text and attributes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Reads an answer; what it says went wrong is an error.
pub(super) fn answer(text: &str) -> Result<Document<'_>, Why> {
    // Entities of one's own can be made to grow without end.
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..Default::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| Why::Onvif(format!("it sends no XML: {error}")))?;
    let Some(fault) = find(document.root(), "Fault") else { return Ok(document) };
    let all = all_text(fault);
    Err(if all.contains("NotAuthorized") || all.contains("FailedAuthentication") {
        Why::WrongCredentials
    } else {
        Why::Onvif(shortened(&all))
    })
}

fn all_text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|node| node.text());
    texts.map(str::trim).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The first element of that name, at any depth.
pub(super) fn find<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    all(node, name).next()
}

/// All elements of that name, at any depth.
pub(super) fn all<'a, 'i, 'n>(
    node: Node<'a, 'i>,
    name: &'n str,
) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i, 'n> {
    node.descendants().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

/// The text of the first element of that name.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    find(node, name)?.text().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_as_the_digest_that_the_onvif_guide_gives_for_it() {
        // ONVIF Application Programmer's Guide 1.0, section 6.1.1.3.
        let login = Login { user: "user".into(), password: "userpassword".into() };
        let nonce = base64::decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        let created = "2010-09-16T07:50:45Z";
        let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        for part in [&nonce[..], created.as_bytes(), login.password.as_bytes()] {
            hash.update(part);
        }
        assert_eq!(base64::encode(hash.finish().as_ref()), "tuOSpGlFlIXsozq4HFNeeGeFLEI=");

        let sent = envelope("<x/>", Some((&login, Timestamp(0), [0; 16])));
        let document = Document::parse(&sent).unwrap();
        assert_eq!(text(document.root(), "Created"), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(text(document.root(), "Username"), Some("user"));
        assert!(!sent.contains("userpassword"));
    }

    #[test]
    fn what_a_camera_says_went_wrong_is_told() {
        let fault = |code: &str| {
            format!(
                "<e:Envelope xmlns:e='x'><e:Body><e:Fault><e:Code><e:Value>e:Sender</e:Value>\
                 <e:Subcode><e:Value>{code}</e:Value></e:Subcode></e:Code></e:Fault></e:Body></e:Envelope>"
            )
        };

        assert_eq!(answer(&fault("ter:NotAuthorized")).unwrap_err(), Why::WrongCredentials);
        assert_eq!(
            answer(&fault("ter:InvalidArgVal")).unwrap_err(),
            Why::Onvif("e:Sender ter:InvalidArgVal".to_owned())
        );
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><x>&a;</x>";
        assert_eq!(answer(bomb).unwrap_err().kind(), "bad-onvif");
    }
}
