//! `ottla serve`: a broker until a signal ends it.

use super::arguments::Serve;
use ottla::boot::{self, Ready};
use ottla::config::{AcceptLoss, Entry, Settings, Sources};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

pub(crate) fn run(wishes: Serve) -> ExitCode {
    let settings = match settings(&wishes) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("ottla: {error}");
            return ExitCode::from(2);
        }
    };
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    boot::panics::install();
    let _logging = boot::logging::start(&settings.log_level)?;
    boot::serve(settings, announce)?;
    Ok(())
}

/// The one line on standard output. Whoever started the broker waits for it.
fn announce(ready: &Ready) {
    let mut output = std::io::stdout().lock();
    // A closed standard output is nobody's business.
    let _ = writeln!(output, "ottla ready: {ready}").and_then(|()| output.flush());
}

fn settings(wishes: &Serve) -> Result<Settings, Box<dyn Error>> {
    let file = file(wishes)?;
    Ok(Settings {
        accept_loss: AcceptLoss::parse(&wishes.accept_loss)?,
        ..Settings::load(sources(wishes, file.as_ref())?)?
    })
}

/// Name and text of the configuration file, when one is named.
pub(crate) fn file(wishes: &Serve) -> Result<Option<(String, String)>, Box<dyn Error>> {
    let Some(path) = &wishes.config else {
        return Ok(None);
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("{name} cannot be read: {error}. Fix: --config with a readable file")
    })?;
    Ok(Some((name, text)))
}

pub(crate) fn sources<'a>(
    wishes: &Serve,
    file: Option<&'a (String, String)>,
) -> Result<Sources<'a>, Box<dyn Error>> {
    Ok(Sources {
        file: file.map(|(name, text)| (name.as_str(), text.as_str())),
        environment: environment(),
        arguments: arguments(wishes)?,
    })
}

/// What is not Unicode is no setting of ours.
fn environment() -> Vec<(String, String)> {
    let variables = std::env::vars_os();
    let readable = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    readable.collect()
}

fn arguments(wishes: &Serve) -> Result<Vec<Entry>, Box<dyn Error>> {
    let flags = [
        ("--data", "node.data_dir", &wishes.data),
        ("--listen", "listeners.kafka", &wishes.listen),
        ("--admin", "admin.listen", &wishes.admin),
        ("--shards", "shards.count", &wishes.shards),
        ("--durability", "storage.durability", &wishes.durability),
    ];
    let mut entries = Vec::new();
    for (flag, key, value) in flags {
        entries.extend(value.as_ref().map(|value| Entry::flag(flag, key, value)));
    }
    for text in &wishes.set {
        entries.push(Entry::set(text)?);
    }
    Ok(entries)
}
