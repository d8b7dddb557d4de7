//! What a program needs of the system that it is installed on, read out of the program itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Debian's packages of the libraries that it is linked with, as in `Depends`.
///
/// # Errors
/// It wants a library that nobody here has thought of.
pub(crate) fn packages(program: &Path) -> Result<Vec<String>> {
    let told = Command::new("readelf")
        .args(["--wide", "--dynamic", "--version-info"])
        .arg(program)
        .output()
        .context("no readelf here; please install binutils")?;
    of(&String::from_utf8_lossy(&told.stdout))
}

fn of(told: &str) -> Result<Vec<String>> {
    let needed = told.lines().filter(|line| line.contains("(NEEDED)"));
    let mut packages = Vec::new();
    for line in needed {
        let library = line.split(['[', ']']).nth(1).context("readelf names no library")?;
        let package = match library {
            "libc.so.6" | "libm.so.6" => format!("libc6 (>= {})", libc(told)?),
            "libstdc++.so.6" => format!("libstdc++6 (>= {})", compiler(told)?),
            "libgcc_s.so.1" => "libgcc-s1 (>= 4.2)".to_owned(),
            _ if library.starts_with("ld-linux-") => continue,
            _ => bail!("the program wants {library}; which package brings it?"),
        };
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages.sort();
    Ok(packages)
}

/// The newest version of the C library that any of its functions came with.
fn libc(told: &str) -> Result<String> {
    let newest = newest(told, "GLIBC_").context("the program wants no version of the C library")?;
    let parts: Vec<String> = newest.iter().map(ToString::to_string).collect();
    Ok(parts.join("."))
}

/// The compiler with which the newest function of the C++ library came: the table of its manual, "ABI
/// Policy and Guidelines".
fn compiler(told: &str) -> Result<&'static str> {
    match newest(told, "GLIBCXX_").as_deref() {
        None | Some([3, 4] | [3, 4, ..=21]) => Ok("5"),
        Some([3, 4, 22..=25]) => Ok("8"),
        Some([3, 4, 26..=28]) => Ok("9.3"),
        Some([3, 4, 29]) => Ok("11"),
        Some([3, 4, 30]) => Ok("12"),
        Some(other) => bail!("which compiler brings GLIBCXX {other:?}?"),
    }
}

fn newest(told: &str, prefix: &str) -> Option<Vec<u32>> {
    let before = format!("Name: {prefix}");
    let versions = told.split(&before).skip(1).filter_map(|rest| {
        rest.split_whitespace().next()?.split('.').map(|part| part.parse().ok()).collect()
    });
    versions.max()
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
        assert_eq!(of(TOLD).unwrap(), ["libc6 (>= 2.35)", "libgcc-s1 (>= 4.2)"]);
    }

    #[test]
    fn a_function_of_the_c_plus_plus_library_says_which_compiler_it_takes() {
        let more = TOLD.replace("libm.so.6", "libstdc++.so.6") + "  Name: GLIBCXX_3.4.29  Flags";

        assert_eq!(
            of(&more).unwrap(),
            ["libc6 (>= 2.35)", "libgcc-s1 (>= 4.2)", "libstdc++6 (>= 11)"]
        );
    }

    #[test]
    fn a_library_that_nobody_has_thought_of_is_no_package() {
        let other = TOLD.replace("libm.so.6", "libssl.so.3");

        assert!(of(&other).unwrap_err().to_string().contains("libssl.so.3"));
    }
}
