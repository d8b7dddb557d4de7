//! Whose commands are carried out: Ed25519 public keys, by their thumbprints.

use std::collections::BTreeMap;
use std::path::Path;

use gatehouse_core::command::Refusal;
use gatehouse_core::command::signature::{KEY, Signature, key_id};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::bundle::BundleError;
use crate::bundle::keys::public;

/// By key id; the name is the file's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, (String, [u8; KEY])>);

impl Keys {
    /// # Errors
    /// A file is no public key.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self, BundleError> {
        let one = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let key = public(path)?;
            Ok((key_id(&key), (name, key)))
        };
        paths.iter().map(|path| one(path.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whose signature it is.
    ///
    /// # Errors
    /// It is not one of a trusted key, or not over this command.
    pub fn verify(&self, signature: &Signature) -> Result<&str, Refusal> {
        let unverified = |reason: &str| Refusal::Unverified { reason: reason.to_owned() };
        let Some((name, key)) = self.0.get(&signature.key) else {
            return Err(unverified(if self.0.is_empty() {
                "no key is trusted here: `[uplink] command-keys` is empty"
            } else {
                "its `kid` is the thumbprint of no trusted key"
            }));
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signature.message, &signature.bytes)
            .map_err(|_| unverified("it was not made with this key, or a field was changed"))?;
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::command::base64::decode;

    use super::*;

    fn keys() -> Keys {
        let key = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key: [u8; KEY] = key.try_into().unwrap();
        Keys(BTreeMap::from([(key_id(&key), ("rfc.pub".to_owned(), key))]))
    }

    fn signature() -> Signature {
        let bytes = decode(
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        );
        Signature {
            key: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".into(),
            message: b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_vec(),
            bytes: bytes.unwrap().try_into().unwrap(),
        }
    }

    /// RFC 8037, appendix A.4 and A.5.
    #[test]
    fn the_rfc_s_signature_holds() {
        assert_eq!(keys().verify(&signature()), Ok("rfc.pub"));
    }

    #[test]
    fn a_changed_message_another_key_and_no_key_do_not() {
        let mut changed = signature();
        changed.message[30] ^= 1;
        let mut other = signature();
        other.key = "me".into();

        assert!(matches!(keys().verify(&changed), Err(Refusal::Unverified { .. })));
        assert!(matches!(keys().verify(&other), Err(Refusal::Unverified { .. })));
        assert!(matches!(Keys::default().verify(&signature()), Err(Refusal::Unverified { .. })));
    }
}
