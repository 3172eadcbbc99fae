//! Where the host's files are: below `/`, or below where somebody has mounted or copied it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Paths are named as the host names them, whatever the root.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    below: PathBuf,
}

impl Root {
    pub(crate) fn new(below: &Path) -> Root {
        Root {
            below: below.to_owned(),
        }
    }

    /// Where a path of the host is for this process.
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.below.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(crate) fn is_own(&self) -> bool {
        self.below == Path::new("/")
    }

    /// The text without the space around it, or why there is none.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<String, String> {
        let path = path.as_ref();
        let text = fs::read_to_string(self.at(path));
        let text = text.map_err(|error| unreadable(path, &error))?;
        Ok(text.trim().to_owned())
    }

    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.at(path).exists()
    }

    /// Names in a directory, sorted as people count; none when there is no such directory.
    pub(crate) fn names(&self, directory: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }

    /// The files a pattern names: a `*` stands for any text within one name.
    pub(crate) fn find(&self, pattern: &str) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::from("/")];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let candidates = found.iter().flat_map(|directory| match part.contains('*') {
                false => vec![directory.join(part)],
                true => {
                    let names = self.names(directory).into_iter();
                    let names = names.filter(|name| matches(part, name));
                    names.map(|name| directory.join(name)).collect()
                }
            });
            found = candidates.filter(|path| self.exists(path)).collect();
        }
        found
    }

    /// The path itself, with no link in it.
    pub(crate) fn resolve(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let below = self.below.canonicalize().ok()?;
        let full = self.at(path).canonicalize().ok()?;
        Some(Path::new("/").join(full.strip_prefix(below).ok()?))
    }
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => format!("{path} is missing"),
        ErrorKind::PermissionDenied => format!("{path} may not be read by this user"),
        _ => format!("{path} cannot be read: {error}"),
    }
}

/// Whether a name fits a pattern with at most one star.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            let rest = name.strip_prefix(head);
            rest.is_some_and(|rest| rest.ends_with(tail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_of_one_name() {
        for (pattern, name, fits) in [
            ("cpu*", "cpu12", true),
            ("cpu*", "cpu", true),
            ("cpu*", "gpu1", false),
            ("state*x", "state1x", true),
            ("state*x", "state1", false),
            ("ab*ba", "aba", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_of_the_host_lie_below_its_root() {
        let root = Root::new(Path::new("/host"));
        assert_eq!(root.at("/proc/swaps"), Path::new("/host/proc/swaps"));
        assert!(!root.is_own());
        let own = Root::new(Path::new("/"));
        assert_eq!(own.at("/proc/swaps"), Path::new("/proc/swaps"));
        assert!(own.is_own());
        assert_eq!(own.find("/proc/self/stat"), [Path::new("/proc/self/stat")]);
        assert!(own.find("/proc/self/no*such*").is_empty());
        let missing = own.read("/proc/no-such-file").expect_err("it is not there");
        assert_eq!(missing, "/proc/no-such-file is missing");
    }
}
