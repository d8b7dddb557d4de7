//! The form of a signature: a detached JWS (RFC 7515, appendix F) with `EdDSA` (RFC 8037).
//!
//! `<header>..<signature>`, both base64url. What is signed is `<header>.<payload>`, the payload being
//! the base64url of a command's canonical JSON without `sig`. The header says `alg` and `kid` and
//! nothing else: what a header could ask for beyond that (`none`, a shared secret, `crit`, a key of its
//! own) is how signatures have been got round. Whether the signature holds is for the shell to find out.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::base64::{decode, encode};
use super::json;

/// Bytes of an Ed25519 key.
pub const KEY: usize = 32;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE: usize = 64;

/// The only algorithm: RFC 8037, section 3.1.
const ALGORITHM: &str = "EdDSA";

/// A signature as it was read; nobody has believed it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose key: [`key_id`].
    pub key: String,
    /// What was signed.
    pub message: Vec<u8>,
    pub bytes: [u8; SIGNATURE],
}

impl Signature {
    /// Reads a signature over this payload.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn read(text: &str, payload: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, "", signature] = parts.as_slice() else {
            return Err("it is `<header>..<signature>`, with nothing between the dots".to_owned());
        };
        let bytes = decode(header).ok_or("its header is not base64url")?;
        let fields = json::read(&bytes).map_err(|error| format!("its header: {error}"))?;
        let Value::Object(fields) = fields else {
            return Err("its header is not an object".to_owned());
        };
        if let Some(other) = fields.keys().find(|name| !["alg", "kid"].contains(&name.as_str())) {
            return Err(format!("its header has `{other}`; it has `alg` and `kid` alone"));
        }
        if fields.get("alg").and_then(Value::as_str) != Some(ALGORITHM) {
            return Err(format!("its header's `alg` is not `{ALGORITHM}`"));
        }
        let Some(key) = fields.get("kid").and_then(Value::as_str) else {
            return Err("its header has no `kid`".to_owned());
        };
        let bytes = decode(signature).and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| format!("it is not {SIGNATURE} bytes in base64url"))?;
        let message = format!("{header}.{}", encode(payload.as_bytes())).into_bytes();
        Ok(Self { key: key.to_owned(), message, bytes })
    }

    /// Writes one with the help of whoever has the key of that id.
    pub fn write(key: &str, payload: &str, sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE]) -> String {
        let header = encode(json::canonical(&json!({ "alg": ALGORITHM, "kid": key })).as_bytes());
        let message = format!("{header}.{}", encode(payload.as_bytes()));
        format!("{header}..{}", encode(&sign(message.as_bytes())))
    }
}

/// A public key's name: its JWK thumbprint (RFC 7638; RFC 8037, appendix A.3).
pub fn key_id(key: &[u8; KEY]) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(key));
    encode(&Sha256::digest(jwk))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.2 and A.3.
    #[test]
    fn the_rfc_s_key_has_the_rfc_s_thumbprint() {
        let key = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();

        let id = key_id(&key.try_into().unwrap());

        assert_eq!(id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = Signature::write("me", "{}", |message| {
            assert_eq!(message, b"eyJhbGciOiJFZERTQSIsImtpZCI6Im1lIn0.e30");
            [7; SIGNATURE]
        });

        let read = Signature::read(&text, "{}").unwrap();

        assert_eq!((read.key.as_str(), read.bytes), ("me", [7; SIGNATURE]));
        assert_eq!(read.message, b"eyJhbGciOiJFZERTQSIsImtpZCI6Im1lIn0.e30");
    }

    #[test]
    fn a_header_that_asks_for_anything_else_is_refused() {
        let signature = encode(&[7; SIGNATURE]);
        for header in [
            r#"{"alg":"none","kid":"me"}"#,
            r#"{"alg":"HS256","kid":"me"}"#,
            r#"{"alg":"eddsa","kid":"me"}"#,
            r#"{"alg":"EdDSA"}"#,
            r#"{"kid":"me"}"#,
            r#"{"alg":"EdDSA","kid":7}"#,
            r#"{"alg":"EdDSA","kid":"me","crit":["b64"],"b64":false}"#,
            r#"{"alg":"EdDSA","kid":"me","jwk":{}}"#,
            r#"{"alg":"none","alg":"EdDSA","kid":"me"}"#,
            "[]",
            "",
        ] {
            let text = format!("{}..{signature}", encode(header.as_bytes()));
            assert!(Signature::read(&text, "{}").is_err(), "{header}");
        }
    }

    #[test]
    fn what_is_no_detached_signature_is_refused() {
        let text = Signature::write("me", "{}", |_| [7; SIGNATURE]);
        let (header, signature) = text.split_once("..").unwrap();
        for wrong in [
            String::new(),
            "..".to_owned(),
            format!("{header}.e30.{signature}"),
            format!("{header}..{signature}."),
            format!("{header}..{signature}="),
            format!("{header}..{}", encode(&[7; SIGNATURE - 1])),
            format!("{header}.."),
            format!("..{signature}"),
        ] {
            assert!(Signature::read(&wrong, "{}").is_err(), "{wrong}");
        }
    }
}
