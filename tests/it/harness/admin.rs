//! The admin plane over plain HTTP/1.1, one connection per question.

use super::wait::PATIENCE;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Status code and body of `GET path`.
pub fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|code| code.parse().ok());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = status.ok_or_else(|| io::Error::other(format!("no status: {head}")))?;
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    Ok((status, if chunked { unchunk(body) } else { body.into() }))
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("chunk size");
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// One scrape.
pub struct Metrics(String);

impl Metrics {
    pub fn scrape(admin: &str) -> Metrics {
        Metrics::page(admin, "/metrics")
    }

    pub fn detail(admin: &str) -> Metrics {
        Metrics::page(admin, "/metrics/detail")
    }

    fn page(admin: &str, path: &str) -> Metrics {
        let (status, text) = get(admin, path).expect("the admin plane answers");
        assert_eq!(status, 200, "{text}");
        Metrics(text)
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Sum of the series of one metric whose labels contain each of `labels`, written `name="value"`.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.series(name, labels).sum()
    }

    /// As `sum`; a metric without any series is a fault of the test's own.
    pub fn known(&self, name: &str) -> f64 {
        assert!(
            self.series(name, &[]).next().is_some(),
            "no metric {name} in\n{}",
            self.0
        );
        self.sum(name, &[])
    }

    /// Samples, those of buckets too.
    pub fn series_count(&self) -> usize {
        self.0.lines().filter(|line| !line.starts_with('#')).count()
    }

    fn series<'a>(&'a self, name: &'a str, labels: &'a [&str]) -> impl Iterator<Item = f64> + 'a {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (series, value) = rest.rsplit_once(' ')?;
            let whole_name = series.is_empty() || series.starts_with('{');
            let labelled = labels.iter().all(|label| series.contains(label));
            (whole_name && labelled).then(|| value.parse().expect("a number"))
        })
    }
}
