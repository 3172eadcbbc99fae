//! `/proc/self/mountinfo`: which mount holds a directory.

use std::path::{Path, PathBuf};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mount {
    /// `259:1`.
    pub(crate) device: String,
    pub(crate) at: PathBuf,
    pub(crate) file_system: String,
    /// Those of the mount and those of the file system.
    pub(crate) options: Vec<String>,
}

impl Mount {
    /// The one a path lies on: the deepest, and of several at one place the last.
    pub(crate) fn of(table: &str, path: &Path) -> Option<Mount> {
        let mounts = table.lines().filter_map(Mount::parse);
        mounts
            .filter(|mount| path.starts_with(&mount.at))
            .max_by_key(|mount| mount.at.components().count())
    }

    /// `36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/root rw,errors=continue`
    fn parse(line: &str) -> Option<Mount> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mount: Vec<&str> = mount.split(' ').collect();
        let file_system: Vec<&str> = file_system.split(' ').collect();
        let options = mount.get(5)?.split(',');
        let options = options.chain(file_system.get(2)?.split(','));
        Some(Mount {
            device: (*mount.get(2)?).to_owned(),
            at: unescaped(mount.get(4)?).into(),
            file_system: (*file_system.first()?).to_owned(),
            options: options.map(str::to_owned).collect(),
        })
    }

    /// `noatime`, `relatime` or `strictatime`.
    pub(crate) fn access_times(&self) -> &'static str {
        let has = |option: &str| self.options.iter().any(|own| own == option);
        match (has("noatime"), has("relatime")) {
            (true, _) => "noatime",
            (false, true) => "relatime",
            (false, false) => "strictatime",
        }
    }

    /// Whether a flush goes on to the drive.
    pub(crate) fn has_barriers(&self) -> bool {
        let is_off = |option: &String| ["nobarrier", "barrier=0"].contains(&option.as_str());
        !self.options.iter().any(is_off)
    }
}

/// Spaces and their like stand as three octal digits.
fn unescaped(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (code, letter)| {
        text.replace(code, letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 259:1 / /var/lib/ottla rw,noatime shared:7 - xfs /dev/nvme0n1p1 rw,attr2,nobarrier
41 27 0:44 / /var/lib/ottla/my\\040disk rw - tmpfs tmpfs rw,size=4k
";

    #[test]
    fn a_directory_lies_on_the_deepest_mount_above_it() {
        for (path, device, file_system, times, barriers) in [
            ("/home/data", "254:0", "ext4", "relatime", true),
            ("/var/lib/ottla", "259:1", "xfs", "noatime", false),
            ("/var/lib/ottla/data", "259:1", "xfs", "noatime", false),
            ("/var/lib/ottlas", "254:0", "ext4", "relatime", true),
            (
                "/var/lib/ottla/my disk/x",
                "0:44",
                "tmpfs",
                "strictatime",
                true,
            ),
        ] {
            let mount = Mount::of(TABLE, Path::new(path)).expect("there is a root");
            let found = (mount.device.as_str(), mount.file_system.as_str());
            assert_eq!(found, (device, file_system), "{path}");
            assert_eq!(
                (mount.access_times(), mount.has_barriers()),
                (times, barriers)
            );
        }
        assert_eq!(Mount::of("nonsense\n", Path::new("/")), None);
    }
}
