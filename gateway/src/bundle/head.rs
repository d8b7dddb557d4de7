//! The form of a bundle's file, and reading one without believing it.
//!
//! | bytes | |
//! | --- | --- |
//! | 19 | `gatehouse-bundle/1` and a line's end |
//! | 32 | the public key of whoever signed |
//! | 64 | the Ed25519 signature over the first line and the list |
//! | 4 | length of the list, most significant byte first |
//! | | the list of files ([`Contents`], JSON) |
//! | | the files' bytes, one after the other, and nothing after them |
//!
//! All up to the files is the head. It is kept with an installed bundle, so that what lies on the disk
//! can be held against the signature again.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::contents::{Contents, Item, LONGEST_LIST};
use super::keys::{PUBLIC, SIGNATURE, Signer, Trust, hexadecimal};
use super::{BundleError, unreadable, unwritable};

const MAGIC: &[u8; 19] = b"gatehouse-bundle/1\n";
/// The head's name in the folder of an installed bundle.
pub(super) const HEAD: &str = "bundle.head";

/// A head whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub contents: Contents,
    /// The name of the trusted key.
    pub signer: String,
    bytes: Vec<u8>,
}

impl Head {
    /// The head of what these files will be.
    pub(super) fn sign(contents: &Contents, signer: &Signer) -> Result<Vec<u8>, BundleError> {
        contents.check()?;
        let list = serde_json::to_vec(contents).map_err(|error| {
            BundleError::Refused(format!("its list cannot be written: {error}"))
        })?;
        let length = u32::try_from(list.len()).ok().filter(|_| list.len() <= LONGEST_LIST);
        let length = length.ok_or(BundleError::Malformed("its list of files is too long"))?;
        let signature = signer.sign(&[MAGIC, list.as_slice()].concat());
        let (public, length) = (signer.public(), length.to_be_bytes());
        Ok([MAGIC, public.as_slice(), &signature, &length, &list].concat())
    }

    /// Reads a head, up to the first byte of the first file.
    pub fn read(from: &mut impl Read, trust: &Trust) -> Result<Self, BundleError> {
        let mut fixed = [0; MAGIC.len() + PUBLIC + SIGNATURE + 4];
        let short = |_| BundleError::Malformed("it ends before its list of files");
        from.read_exact(&mut fixed).map_err(short)?;
        let (magic, rest) = fixed.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(BundleError::Malformed("it does not begin with `gatehouse-bundle/1`"));
        }
        let (public, rest) = rest.split_at(PUBLIC);
        let (signature, length) = rest.split_at(SIGNATURE);
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if length > LONGEST_LIST {
            return Err(BundleError::Malformed("its list of files is too long"));
        }
        let mut list = vec![0; length];
        from.read_exact(&mut list).map_err(short)?;

        let mut key = [0; PUBLIC];
        key.copy_from_slice(public);
        let signer = trust.verify(&key, &[MAGIC, list.as_slice()].concat(), signature)?.to_owned();
        let contents: Contents = serde_json::from_slice(&list)
            .map_err(|_| BundleError::Malformed("its list of files cannot be read"))?;
        contents.check()?;
        Ok(Self { contents, signer, bytes: [&fixed, list.as_slice()].concat() })
    }

    /// A name for its folder: what is another bundle has another one.
    pub(super) fn id(&self) -> String {
        let digest = hexadecimal(&Sha256::digest(&self.bytes));
        format!("{}-{}-{}", self.contents.name, self.contents.version, &digest[..16])
    }

    /// Writes the files that follow below a folder, with the head. The folder must be empty; what
    /// stands in it after an error is to be thrown away.
    pub fn unpack(&self, from: &mut impl Read, folder: &Path) -> Result<(), BundleError> {
        for item in &self.contents.files {
            let path = folder.join(&item.path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(unwritable(parent))?;
            }
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            let mut file = file.map_err(unwritable(&path))?;
            if copy(from, &mut file, item).map_err(unwritable(&path))? != item.sha256 {
                return Err(BundleError::Changed(item.path.clone()));
            }
            file.sync_all().map_err(unwritable(&path))?;
        }
        if from.read(&mut [0]).map_or(true, |more| more > 0) {
            return Err(BundleError::Malformed("something follows after its last file"));
        }
        let path = folder.join(HEAD);
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(&self.bytes)?;
            file.sync_all()
        });
        written.map_err(unwritable(&path))
    }

    /// Reads the head of an unpacked bundle and holds every file against it.
    pub fn of_folder(folder: &Path, trust: &Trust) -> Result<Self, BundleError> {
        let path = folder.join(HEAD);
        let mut file = File::open(&path).map_err(unreadable(&path))?;
        let head = Self::read(&mut file, trust)?;
        if file.read(&mut [0]).map_or(true, |more| more > 0) {
            return Err(BundleError::Changed(HEAD.to_owned()));
        }
        let mut expected: BTreeSet<&str> = BTreeSet::from([HEAD]);
        for item in &head.contents.files {
            let path = folder.join(&item.path);
            let mut file = File::open(&path).map_err(unreadable(&path))?;
            let found = copy(&mut file, &mut io::sink(), item).map_err(unreadable(&path))?;
            if found != item.sha256 || file.read(&mut [0]).map_or(true, |more| more > 0) {
                return Err(BundleError::Changed(item.path.clone()));
            }
            expected.insert(&item.path);
        }
        let added = every_file(folder, "")?.into_iter().find(|f| !expected.contains(f.as_str()));
        added.map_or(Ok(head), |path| Err(BundleError::Added(path)))
    }
}

/// Copies the bytes of one file; gives their SHA-256. Fewer bytes than declared have another one.
fn copy(from: &mut impl Read, to: &mut impl Write, item: &Item) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = [0; 16 * 1024];
    let mut rest = item.size;
    while rest > 0 {
        let most = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        let count = from.read(&mut buffer[..most])?;
        if count == 0 {
            return Ok(String::new());
        }
        digest.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        rest -= count as u64;
    }
    Ok(hexadecimal(&digest.finalize()))
}

/// Everything below a folder that is no folder itself, by path from there.
pub(super) fn every_file(folder: &Path, prefix: &str) -> Result<Vec<String>, BundleError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // A link is no folder here: it leads elsewhere.
        if entry.file_type().map_err(unreadable(folder))?.is_dir() {
            files.extend(every_file(&entry.path(), &format!("{name}/"))?);
        } else {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
