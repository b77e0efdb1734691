//! `cargo xtask package`: packs each crate that is published, as `cargo publish` would, and builds it from what was packed.

use crate::Failure;
use crate::cargo::{cargo, nothing_more, published, succeed, target};
use lexopt::Parser;
use std::fs;
use std::path::Path;

const EXTENSION: &str = "crate";

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    nothing_more(arguments)?;
    let names: Vec<_> = published()?.into_iter().map(|package| package.name).collect();
    let folder = target("packed");
    let packed = folder.join("package");
    // What an earlier run packed is not to be taken for this one's.
    let _ = fs::remove_dir_all(&packed);
    let mut package = cargo();
    package.args(["package", "--locked", "--target-dir"]).arg(&folder);
    package.args(names.iter().flat_map(|name| ["--package", name.as_str()]));
    succeed(&mut package, "cargo package").map_err(|failure| {
        Failure::Failed(format!("{failure}: why stands above; it packs what is committed, and no more"))
    })?;
    let files = files(&packed)?;
    for (file, octets) in &files {
        println!("{file}: {} KB", octets.div_ceil(1_000));
    }
    if let Some(missing) = names.iter().find(|name| !files.iter().any(|(file, _)| is_of(file, name))) {
        return Err(Failure::Failed(format!("cargo package made nothing of {missing}")));
    }
    println!("{} crates are packed, and build from what was packed", names.len());
    Ok(())
}

/// Of `countersign-keys-0.1.0.crate`, whether the package has this name.
fn is_of(file: &str, name: &str) -> bool {
    let version = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

/// What was packed, with its size in octets.
fn files(folder: &Path) -> Result<Vec<(String, u64)>, Failure> {
    let cannot = |error: std::io::Error| Failure::Failed(format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if entry.path().extension().is_some_and(|extension| extension == EXTENSION) {
            files.push((entry.file_name().to_string_lossy().into_owned(), entry.metadata().map_err(cannot)?.len()));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_told_from_those_whose_names_begin_so() {
        for (file, is_it) in [
            ("countersign-0.1.0.crate", true),
            ("countersign-1.0.0-rc.1.crate", true),
            ("countersign-keys-0.1.0.crate", false),
            ("countersign.crate", false),
        ] {
            assert_eq!(is_of(file, "countersign"), is_it, "{file}");
        }
    }
}
