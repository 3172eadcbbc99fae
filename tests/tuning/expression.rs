//! Names in an expression of Prometheus, found without parsing all of it.

/// A series and what its labels must be.
pub(crate) struct Selector {
    pub(crate) series: String,
    pub(crate) matchers: Vec<(String, String)>,
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Every name that is no function, operator or label.
pub(crate) fn selectors(expression: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| is_name(c) || "{[(".contains(c)) {
        rest = &rest[start..];
        if let Some(close) = closing(rest) {
            // Labels, durations and what is grouped by are not looked at here.
            rest = &rest[close..];
            continue;
        }
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let end = end.max(1);
        let (name, after) = rest.split_at(end);
        rest = after;
        let is_series = name.starts_with("ottla_") || name.contains(":ottla_") || name == "up";
        if is_series {
            let matchers = match after
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
            {
                Some((inside, _)) => matchers(inside),
                None => Vec::new(),
            };
            let series = name.to_owned();
            found.push(Selector { series, matchers });
        } else if GROUPING.contains(&name) {
            let list = after.trim_start();
            rest = list.split_once(')').map_or("", |(_, behind)| behind);
        }
    }
    found
}

const GROUPING: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// Where the braces or brackets that begin here end.
fn closing(text: &str) -> Option<usize> {
    let close = match text.chars().next() {
        Some('{') => '}',
        Some('[') => ']',
        _ => return None,
    };
    text.find(close).map(|end| end + 1)
}

fn matchers(inside: &str) -> Vec<(String, String)> {
    let parts = inside.split("\",").filter(|part| !part.trim().is_empty());
    let matcher = |part: &str| {
        let (name, value) = part.split_once('"').expect("a value in quotes");
        let name = name.trim().trim_end_matches(['=', '!', '~']);
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    };
    parts.map(matcher).collect()
}

/// What it groups or matches by.
pub(crate) fn grouped_labels(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in GROUPING {
        for (start, _) in expression.match_indices(keyword) {
            let is_word = !expression[..start].ends_with(is_name);
            let list = expression[start + keyword.len()..].trim_start();
            if let (true, Some(list)) = (is_word, list.strip_prefix('(')) {
                let list = list.split(')').next().unwrap_or_default();
                let names = list.split(',').map(|name| name.trim().to_owned());
                found.extend(names.filter(|name| !name.is_empty()));
            }
        }
    }
    found
}

/// What a legend shows.
pub(crate) fn legend_labels(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    let names = parts.filter_map(|part| part.split_once("}}"));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}
