//! The packages of others, below `target/tools`.

use crate::Failure;
use crate::programs::{TOOLS, is_in_path};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NPM: [&str; 2] = ["jose@6.2.17", "oidc-provider@9.13.3"];
const PIP: [&str; 3] = ["PyJWT==2.15.1", "cryptography==50.0.2", "joserfc==1.8.0"];

/// The oldest Node.js that these run on.
const OLDEST_NODE: u32 = 20;

/// Names what has been installed. It is written last.
const INSTALLED: &str = "installed";

pub(super) struct Tools {
    /// Where the packages are, which is where the scripts are run.
    pub(super) folder: PathBuf,
    scripts: PathBuf,
}

impl Tools {
    /// Installs what is not there.
    pub(super) fn provide(root: &Path) -> Result<Self, Failure> {
        for (program, what) in [("node", "Node.js"), ("npm", "npm"), ("python3", "Python")] {
            if !is_in_path(program) {
                return Err(Failure::Failed(format!(
                    "interop needs Node.js {OLDEST_NODE} or newer with npm, and Python 3 with venv: there is no {what}"
                )));
            }
        }
        let told = Command::new("node").arg("--version").stdin(Stdio::null()).output();
        let told = told.map_err(|error| Failure::Failed(format!("node cannot be run: {error}")))?;
        let told = String::from_utf8_lossy(&told.stdout);
        if major(&told).is_none_or(|major| major < OLDEST_NODE) {
            return Err(Failure::Failed(format!(
                "interop needs Node.js {OLDEST_NODE} or newer, and this is `{}`",
                told.trim()
            )));
        }
        let cannot = |error| Failure::Failed(format!("{TOOLS}/interop: {error}"));
        let folder = root.join(TOOLS).join("interop");
        fs::create_dir_all(&folder).map_err(cannot)?;
        let tools = Self { folder: folder.canonicalize().map_err(cannot)?, scripts: root.join("tests/interop") };
        let wanted = format!("{}\n", [NPM.as_slice(), &PIP].concat().join("\n"));
        if fs::read_to_string(tools.folder.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
            return Ok(tools);
        }
        tools.install()?;
        fs::write(tools.folder.join(INSTALLED), wanted).map_err(cannot)?;
        Ok(tools)
    }

    fn install(&self) -> Result<(), Failure> {
        eprintln!("xtask: installing {}, {} into {TOOLS}/interop", NPM.join(", "), PIP.join(", "));
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]);
        // Where there is no network, it says so in seconds and not in minutes.
        npm.args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]);
        self.install_by(npm.arg("--prefix").arg(&self.folder).args(NPM), "npm install")?;
        let venv = self.folder.join("venv");
        let hint = "python3 -m venv (Debian's package is python3-venv)";
        self.install_by(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), hint)?;
        let mut pip = Command::new(venv.join("bin/python"));
        self.install_by(
            pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--retries=1"]).args(PIP),
            "pip install",
        )
    }

    fn install_by(&self, command: &mut Command, name: &str) -> Result<(), Failure> {
        let output = command.current_dir(&self.folder).stdin(Stdio::null()).output();
        let output = output.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().find(|line| is_the_error(line)).unwrap_or("it does not say why").trim();
        Err(Failure::Failed(format!("{name} did not work ({}): is the network there? {why}", output.status)))
    }

    /// A script of `tests/interop`, ready to be started by what its name asks for.
    pub(super) fn script(&self, name: &str) -> Command {
        let program = if name.ends_with(".py") { self.folder.join("venv/bin/python") } else { "node".into() };
        let mut command = Command::new(program);
        // No `__pycache__` beside the scripts.
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&self.folder).arg(self.scripts.join(name));
        command
    }
}

/// Of all that npm and pip say, the first line that is about an error.
fn is_the_error(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("npm error") || line.to_ascii_lowercase().starts_with("error")
}

/// Of `v20.20.2`, 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        for other in ["", "20.1.0", "v", "vx.1"] {
            assert_eq!(major(other), None, "{other}");
        }
    }

    #[test]
    fn every_package_has_its_version() {
        assert!(NPM.iter().all(|package| package.contains('@')));
        assert!(PIP.iter().all(|package| package.contains("==")));
    }
}
