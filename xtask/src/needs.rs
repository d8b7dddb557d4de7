//! What a program needs of the system that it is installed on, read out of the program itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Debian's packages of the libraries that it is linked with, as in `Depends`.
///
/// # Errors
/// It wants a library that nobody here has thought of.
pub(crate) fn packages(program: &Path) -> Result<String> {
    let told = Command::new("readelf")
        .args(["--wide", "--dynamic", "--version-info"])
        .arg(program)
        .output()
        .context("no readelf here; please install binutils")?;
    of(&String::from_utf8_lossy(&told.stdout))
}

fn of(told: &str) -> Result<String> {
    let needed = told.lines().filter(|line| line.contains("(NEEDED)"));
    let mut packages = Vec::new();
    for line in needed {
        let library = line.split(['[', ']']).nth(1).context("readelf names no library")?;
        let package = match library {
            "libc.so.6" | "libm.so.6" => format!("libc6 (>= {})", libc(told)?),
            "libgcc_s.so.1" => "libgcc-s1 (>= 4.2)".to_owned(),
            _ if library.starts_with("ld-linux-") => continue,
            _ => bail!("the program wants {library}; which package brings it?"),
        };
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages.sort();
    Ok(packages.join(", "))
}

/// The newest version of the C library that any of its functions came with.
fn libc(told: &str) -> Result<String> {
    let versions = told.split("Name: GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split_whitespace().next()?;
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        Some(((parts.next()??, parts.next()??), version))
    });
    let newest = versions.max_by_key(|(parts, _)| *parts);
    Ok(newest.context("the program wants no version of the C library")?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "
 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libm.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
  0x0010:   Name: GLIBC_2.4  Flags: none  Version: 17
  0x0020:   Name: GLIBC_2.35  Flags: none  Version: 9
  0x0030:   Name: GLIBC_ABI_DT_RELR  Flags: none  Version: 3
  0x0040:   Name: GLIBC_2.2.5  Flags: none  Version: 4
";

    #[test]
    fn the_newest_function_says_which_system_it_takes() {
        assert_eq!(of(TOLD).unwrap(), "libc6 (>= 2.35), libgcc-s1 (>= 4.2)");
    }

    #[test]
    fn a_library_that_nobody_has_thought_of_is_no_package() {
        let other = TOLD.replace("libm.so.6", "libssl.so.3");

        assert!(of(&other).unwrap_err().to_string().contains("libssl.so.3"));
    }
}
