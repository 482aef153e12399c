//! What several tests of the whole need.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The directory of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The `gatepass` command, built in the profile of this test.
///
/// Cargo names binaries only to tests of their own package; from here it is found beside this test, and built
/// first if only this package was.
pub(crate) fn gatepass() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows where it is");
        // target/{profile}/deps/{test}
        let profile = test.parent().and_then(Path::parent).expect("tests lie two levels below their profile");
        let name = profile.file_name().and_then(|name| name.to_str()).expect("profiles have names");
        let target = profile.parent().expect("profiles lie in the target directory");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "gatepass-adapters", "--bin", "gatepass"])
            .args(["--profile", if name == "debug" { "dev" } else { name }])
            .arg("--target-dir")
            .arg(target)
            .current_dir(root())
            .status();
        let binary = profile.join(format!("gatepass{}", std::env::consts::EXE_SUFFIX));
        // Without cargo at hand an existing one will do.
        assert!(built.is_ok_and(|status| status.success()) || binary.exists(), "gatepass cannot be built");
        binary
    })
}

/// The files below a directory of the repository with this extension, in a fixed order.
pub(crate) fn files(below: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
            let path = entry.expect("entries of a directory can be read").path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() {
                if !hidden && path != root().join("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file's path as people write it here.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

/// The text of a file of the repository.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
