//! Keys: Ed25519 in PEM files, as OpenSSL writes and reads them.
//!
//! A private key is a PKCS #8 file that only its owner reads; it never comes near a gateway. A public
//! key is a `SubjectPublicKeyInfo` (RFC 8410) file, which every gateway that trusts it has.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use super::{BundleError, unreadable, unwritable};

/// Bytes of a public key.
pub const PUBLIC: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;

/// A `SubjectPublicKeyInfo` of an Ed25519 key up to the key itself: RFC 8410, section 4.
const INFO: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Signs bundles.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// Reads a private key.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let pem = std::fs::read(path).map_err(unreadable(path))?;
        let not = || BundleError::NotAKey { path: path.to_owned(), expected: "private" };
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| not())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map(Self)
            .map_err(|_| not())
    }

    pub fn public(&self) -> [u8; PUBLIC] {
        let mut key = [0; PUBLIC];
        key.copy_from_slice(self.0.public_key().as_ref());
        key
    }

    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }
}

/// Whose bundles are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust(Vec<(String, [u8; PUBLIC])>);

impl Trust {
    /// Reads the public keys; each is called by its file's name.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self, BundleError> {
        let one = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, public(path)?))
        };
        paths.iter().map(|path| one(path.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whose key it is, when it is trusted and has signed this message.
    pub fn verify(
        &self,
        key: &[u8; PUBLIC],
        message: &[u8],
        signature: &[u8],
    ) -> Result<&str, BundleError> {
        if self.0.is_empty() {
            return Err(BundleError::NobodyTrusted);
        }
        let known = self.0.iter().find(|(_, known)| known == key);
        let (name, _) = known.ok_or_else(|| BundleError::Stranger(hexadecimal(key)))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(message, signature)
            .map_err(|_| BundleError::BadSignature)?;
        Ok(name)
    }
}

/// Reads a public key.
pub fn public(path: &Path) -> Result<[u8; PUBLIC], BundleError> {
    let pem = std::fs::read(path).map_err(unreadable(path))?;
    let not = || BundleError::NotAKey { path: path.to_owned(), expected: "public" };
    let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).map_err(|_| not())?;
    let key = der.as_ref().strip_prefix(&INFO).ok_or_else(not)?;
    key.try_into().map_err(|_| not())
}

/// Makes a pair: the private key in `path`, the public one beside it as `path.pub`. Files that are
/// there already stay as they are, and that is an error.
pub fn generate(path: &Path) -> Result<(), BundleError> {
    let failed = |_| BundleError::Refused("no random numbers could be had".to_owned());
    let private =
        Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).map_err(failed)?;
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref())
        .map_err(|error| BundleError::Refused(format!("the new key cannot be used: {error}")))?;
    let info = [&INFO, pair.public_key().as_ref()].concat();
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    for (path, mode, kind, der) in [
        (path, 0o600, "PRIVATE KEY", private.as_ref()),
        (Path::new(&public), 0o644, "PUBLIC KEY", &info),
    ] {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let written = file.and_then(|mut file| {
            file.write_all(pem(kind, der).as_bytes())?;
            file.sync_all()
        });
        written.map_err(unwritable(path))?;
    }
    Ok(())
}

/// RFC 7468.
fn pem(kind: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = String::new();
    for chunk in der.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = char::from(DIGITS[(bits >> shift & 63) as usize]);
            digits.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    let mut text = format!("-----BEGIN {kind}-----\n");
    while !digits.is_empty() {
        let rest = digits.split_off(digits.len().min(64));
        let _ = writeln!(text, "{digits}");
        digits = rest;
    }
    text + &format!("-----END {kind}-----\n")
}

/// In lower case.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
