//! Whose allocation it is: of the frames of a stack the nearest one that is ours or the runtime's.

use std::fmt;
use std::path::Path;

/// The runtime's files, and those of everybody else but us.
const RUNTIME: &str = "/glommio-ng-";
const OTHERS: [&str; 2] = ["/registry/", "/rustc/"];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    Ours,
    Runtime,
    /// Neither is on the stack: start and end of threads, the admin plane.
    Other,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Site {
    pub(crate) owner: Owner,
    function: String,
    /// File and line of ours that asked, for the runtime's those that asked the runtime.
    place: String,
}

impl Site {
    pub(crate) fn of(stack: &[usize]) -> Site {
        let mut runtime: Option<String> = None;
        for Frame {
            owner,
            function,
            place,
        } in stack.iter().flat_map(|ip| frames(*ip))
        {
            match owner {
                Owner::Ours => {
                    let owner = runtime.as_ref().map_or(Owner::Ours, |_| Owner::Runtime);
                    return Site {
                        owner,
                        function: runtime.unwrap_or(function),
                        place,
                    };
                }
                Owner::Runtime if runtime.is_none() => runtime = Some(function),
                Owner::Runtime | Owner::Other => {}
            }
        }
        Site {
            owner: runtime.as_ref().map_or(Owner::Other, |_| Owner::Runtime),
            function: runtime.unwrap_or_default(),
            place: "-".to_owned(),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = match self.owner {
            Owner::Ours => "ours",
            Owner::Runtime => "runtime",
            Owner::Other => "other",
        };
        write!(f, "{owner} {} {}", self.place, self.function)
    }
}

struct Frame {
    owner: Owner,
    function: String,
    place: String,
}

/// Of one address, what was inlined into it first. A name alone does not tell whose it is, its file does.
fn frames(ip: usize) -> Vec<Frame> {
    let mut found = Vec::new();
    backtrace::resolve(ip as *mut _, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}"));
        let file = symbol.filename().and_then(Path::to_str).unwrap_or_default();
        let owner = if file.contains(RUNTIME) {
            Owner::Runtime
        } else if file.contains("/src/") && !OTHERS.iter().any(|other| file.contains(other)) {
            Owner::Ours
        } else {
            Owner::Other
        };
        let file = file.rsplit_once("/src/").map_or(file, |(_, file)| file);
        found.push(Frame {
            owner,
            function: name.unwrap_or_default(),
            place: format!("{file}:{}", symbol.lineno().unwrap_or_default()),
        });
    });
    found
}
