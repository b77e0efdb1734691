//! `cargo xtask licences`: under which licences stands what the published crates are built of, with all features and on every
//! platform. `docs/LICENCES.md` lists them by name: versions stand in `Cargo.lock`.

use crate::Failure;
use crate::cargo::{cargo, output, published, root};
use lexopt::{Arg, Parser};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const PAGE: &str = "docs/LICENCES.md";
const OURS: &str = "countersign";

/// A crate, and a licence that it stands under. Two versions of a crate may differ.
type Licences = BTreeSet<(String, String)>;

pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
    let mut is_checked = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("check") => is_checked = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let page = page(&licences(&["--target", "all"])?);
    let cannot = |error| Failure::Failed(format!("{PAGE}: {error}"));
    if !is_checked {
        fs::write(root().join(PAGE), page).map_err(cannot)?;
        println!("written: {PAGE}");
        return Ok(());
    }
    if fs::read_to_string(root().join(PAGE)).map_err(cannot)? == page {
        return Ok(());
    }
    Err(Failure::Failed(format!("{PAGE} is not what the crates are built of: `cargo xtask licences` writes it")))
}

/// What `cargo tree` finds below the crates that are published.
fn licences(on: &[&str]) -> Result<Licences, Failure> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--all-features", "--edges", "normal,build", "--prefix", "none"]);
    tree.args(["--format", "{p}\t{l}"]).args(on);
    tree.args(published()?.iter().flat_map(|package| ["--package", &package.name]));
    Ok(read(&output(&mut tree, "cargo tree")?))
}

fn read(tree: &str) -> Licences {
    let lines = tree.lines().filter_map(|line| line.split_once('\t'));
    let named = lines.filter_map(|(package, licence)| Some((package.split(' ').next()?, licence)));
    let others = named.filter(|(name, _)| *name != OURS && !name.starts_with("countersign-"));
    others.map(|(name, licence)| (name.to_owned(), spelt(licence))).collect()
}

/// Without the mark of what was listed before, and with `OR` for the old `/`.
fn spelt(licence: &str) -> String {
    let licence = licence.trim_end_matches("(*)").trim();
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

fn page(licences: &Licences) -> String {
    let mut by_licence: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, licence) in licences {
        *by_licence.entry(licence).or_default() += 1;
    }
    let mut page = "# Licences\n\nThe crates here are licensed under MIT or Apache-2.0, at your choice. This is what they are built of, \
                    with all\nfeatures and on every platform; a service takes a part of it. `cargo xtask licences` writes this page, \
                    versions stand in\n`Cargo.lock`, and `cargo xtask deny` holds them to the list in `deny.toml`.\n\n\
                    | licence | crates |\n|---|---|\n"
        .to_owned();
    for (licence, crates) in by_licence {
        page.push_str(&format!("| {licence} | {crates} |\n"));
    }
    page.push_str("\n| crate | licence |\n|---|---|\n");
    for (name, licence) in licences {
        page.push_str(&format!("| `{name}` | {licence} |\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read() {
        let tree = "countersign v0.1.0 (/here)\tMIT OR Apache-2.0\nring v0.17.14\tApache-2.0 AND ISC\n\
                    serde_derive v1.0.229 (proc-macro)\tMIT OR Apache-2.0\nold v1.0.0\tMIT/Apache-2.0 (*)\n\nold v2.0.0\tMIT\n";
        let expected = [
            ("old", "MIT"),
            ("old", "MIT OR Apache-2.0"),
            ("ring", "Apache-2.0 AND ISC"),
            ("serde_derive", "MIT OR Apache-2.0"),
        ];
        assert_eq!(read(tree), expected.map(|(name, licence)| (name.to_owned(), licence.to_owned())).into());
    }

    /// Other platforms' crates are not at hand where nothing may be downloaded: those that this one takes must be listed as they
    /// are, and all that is listed must be locked.
    #[test]
    fn the_page_lists_what_is_built_here_and_nothing_that_is_gone() {
        let page = fs::read_to_string(root().join(PAGE)).unwrap();
        let listed = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
        let listed: Licences = listed.map(|(name, licence)| (name.to_owned(), licence.to_owned())).collect();
        let built = licences(&["--offline"]).unwrap();
        assert!(built.len() > 100, "{built:?}");
        let unlisted: Vec<_> = built.difference(&listed).collect();
        assert!(unlisted.is_empty(), "`cargo xtask licences` lists them: {unlisted:?}");
        let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
        let gone: Vec<_> =
            listed.iter().filter(|(name, _)| !lock.contains(&format!("\nname = \"{name}\"\n"))).collect();
        assert!(gone.is_empty(), "`cargo xtask licences` drops them: {gone:?}");
    }
}
