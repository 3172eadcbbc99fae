//! The directory tree: what a process sees of it, and what a power cut leaves.
//!
//! A change of names survives for certain when a directory it touches was synced after it. Otherwise any subset
//! survives in which no name skips one of its own changes; a rename is one change, of two names.

use super::content::Survival;
use ottla::base::prng::Prng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

const ROOT: u64 = 0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    File(u64),
    Directory(u64),
}

/// Why a name operation failed; the disk seam has no finer words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    NotFound,
    Refused(i32),
}

const NOT_A_DIRECTORY: NameError = NameError::Refused(20);
const IS_A_DIRECTORY: NameError = NameError::Refused(21);
const NOT_EMPTY: NameError = NameError::Refused(39);

type Entries = BTreeMap<String, Node>;
/// A name in a directory.
type Key = (u64, String);

#[derive(Clone)]
pub struct Names {
    current: BTreeMap<u64, Entries>,
    durable: BTreeMap<u64, Entries>,
    changes: Vec<Change>,
    next_node: u64,
}

#[derive(Clone)]
struct Change {
    number: u64,
    sets: Vec<(Key, Option<Node>)>,
}

impl Names {
    pub fn new() -> Names {
        let root = BTreeMap::from([(ROOT, Entries::new())]);
        Names {
            current: root.clone(),
            durable: root,
            changes: Vec::new(),
            next_node: ROOT + 1,
        }
    }

    /// Finds the file, or makes an empty one of that name.
    pub fn create_file(&mut self, number: u64, path: &Path) -> Result<(u64, bool), NameError> {
        match self.find(path) {
            Ok(Node::File(file)) => return Ok((file, false)),
            Ok(Node::Directory(_)) => return Err(IS_A_DIRECTORY),
            Err(NameError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let key = self.key(path)?;
        let file = self.new_node();
        self.change(number, vec![(key, Some(Node::File(file)))]);
        Ok((file, true))
    }

    /// Makes the directory and what is missing above it; each is a change of its own.
    pub fn create_directory(&mut self, number: u64, path: &Path) -> Result<(), NameError> {
        let mut above = ROOT;
        for name in components(path) {
            above = match self.current[&above].get(&name) {
                Some(Node::Directory(directory)) => *directory,
                Some(Node::File(_)) => return Err(NOT_A_DIRECTORY),
                None => {
                    let directory = self.new_node();
                    self.current.insert(directory, Entries::new());
                    self.durable.insert(directory, Entries::new());
                    let set = ((above, name), Some(Node::Directory(directory)));
                    self.change(number, vec![set]);
                    directory
                }
            };
        }
        Ok(())
    }

    pub fn rename(&mut self, number: u64, from: &Path, to: &Path) -> Result<(), NameError> {
        let node = self.find(from)?;
        let sets = vec![(self.key(from)?, None), (self.key(to)?, Some(node))];
        self.change(number, sets);
        Ok(())
    }

    pub fn remove_file(&mut self, number: u64, path: &Path) -> Result<(), NameError> {
        match self.find(path)? {
            Node::File(_) => {
                let key = self.key(path)?;
                self.change(number, vec![(key, None)]);
                Ok(())
            }
            Node::Directory(_) => Err(IS_A_DIRECTORY),
        }
    }

    pub fn remove_directory(&mut self, number: u64, path: &Path) -> Result<(), NameError> {
        let directory = self.find_directory(path)?;
        if !self.current[&directory].is_empty() {
            return Err(NOT_EMPTY);
        }
        let key = self.key(path)?;
        self.change(number, vec![(key, None)]);
        Ok(())
    }

    /// Makes the changes below `before` that touch this directory durable, and what they build on.
    pub fn sync(&mut self, before: u64, directory: u64) {
        self.sync_those(before, |parent| parent == directory);
    }

    pub fn sync_all(&mut self, before: u64) {
        self.sync_those(before, |_| true);
    }

    fn sync_those(&mut self, before: u64, is_wanted: impl Fn(u64) -> bool) {
        let mut wanted = BTreeSet::new();
        let mut chosen = BTreeSet::new();
        for (index, change) in self.changes.iter().enumerate().rev() {
            let touches = change
                .sets
                .iter()
                .any(|((parent, _), _)| is_wanted(*parent));
            let needed = change.sets.iter().any(|(key, _)| wanted.contains(key));
            if (touches && change.number < before) || needed {
                chosen.insert(index);
                wanted.extend(change.sets.iter().map(|(key, _)| key.clone()));
            }
        }
        let changes = std::mem::take(&mut self.changes);
        for (index, change) in changes.into_iter().enumerate() {
            if chosen.contains(&index) {
                put(&mut self.durable, &change);
            } else {
                self.changes.push(change);
            }
        }
    }

    pub fn cut_power(&mut self, survival: Survival, prng: &mut Prng) {
        let mut stuck: BTreeSet<Key> = BTreeSet::new();
        for change in std::mem::take(&mut self.changes) {
            let survives = match survival {
                Survival::Everything => true,
                Survival::Nothing => false,
                Survival::Some => prng.chance(50),
            };
            if survives && change.sets.iter().all(|(key, _)| !stuck.contains(key)) {
                put(&mut self.durable, &change);
            } else {
                stuck.extend(change.sets.into_iter().map(|(key, _)| key));
            }
        }
        self.forget_unreachable();
        self.current.clone_from(&self.durable);
    }

    /// Files with a name.
    pub fn files(&self) -> BTreeSet<u64> {
        let entries = self.current.values().chain(self.durable.values());
        let pending = self.changes.iter().flat_map(|change| &change.sets);
        entries
            .flat_map(|entries| entries.values().copied())
            .chain(pending.filter_map(|(_, node)| *node))
            .filter_map(|node| match node {
                Node::File(file) => Some(file),
                Node::Directory(_) => None,
            })
            .collect()
    }

    pub fn find(&self, path: &Path) -> Result<Node, NameError> {
        let mut node = Node::Directory(ROOT);
        for name in components(path) {
            let Node::Directory(directory) = node else {
                return Err(NOT_A_DIRECTORY);
            };
            node = *self.current[&directory]
                .get(&name)
                .ok_or(NameError::NotFound)?;
        }
        Ok(node)
    }

    pub fn find_directory(&self, path: &Path) -> Result<u64, NameError> {
        match self.find(path)? {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(NOT_A_DIRECTORY),
        }
    }

    pub fn entries(&self, directory: u64) -> &BTreeMap<String, Node> {
        &self.current[&directory]
    }

    fn key(&self, path: &Path) -> Result<Key, NameError> {
        let parent = path.parent().ok_or(IS_A_DIRECTORY)?;
        let name = path.file_name().ok_or(IS_A_DIRECTORY)?;
        let directory = self.find_directory(parent)?;
        Ok((directory, name.to_string_lossy().into_owned()))
    }

    fn change(&mut self, number: u64, sets: Vec<(Key, Option<Node>)>) {
        let change = Change { number, sets };
        put(&mut self.current, &change);
        self.changes.push(change);
    }

    fn new_node(&mut self) -> u64 {
        self.next_node += 1;
        self.next_node - 1
    }

    fn forget_unreachable(&mut self) {
        let mut reachable = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(directory) = open.pop() {
            for node in self.durable[&directory].values() {
                if let Node::Directory(below) = node
                    && reachable.insert(*below)
                {
                    open.push(*below);
                }
            }
        }
        self.durable
            .retain(|directory, _| reachable.contains(directory));
    }
}

fn put(tree: &mut BTreeMap<u64, Entries>, change: &Change) {
    for ((directory, name), node) in &change.sets {
        let entries = tree.get_mut(directory).expect("a change is of a directory");
        match node {
            Some(node) => entries.insert(name.clone(), *node),
            None => entries.remove(name),
        };
    }
}

fn components(path: &Path) -> impl Iterator<Item = String> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    })
}
